"""`videozoomer ledger agreement` over a whole lake, with a real server as the judge."""

import json

import yaml
from chat_server import ChatServer
from lake_fixture import write_lake
from typer.testing import CliRunner

from pipelines.cli.ledger import app

YES = json.dumps(
    {
        "choices": [{"finish_reason": "stop", "message": {"content": "YES"}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1},
    }
).encode()


def recipe(home, **filters):
    source = {"name": "s", "videos": "v", "questions": "q.jsonl"}
    text = {
        "name": "r",
        "home": str(home),
        "sources": [source],
        "teacher": {"base_url": "http://127.0.0.1:9/v1"},
        "filters": filters,
    }
    path = home / "recipe.yaml"
    path.write_text(yaml.safe_dump(text))
    return str(path)


def test_a_table_of_agreement(tmp_path):
    write_lake(tmp_path)
    (tmp_path / "lake").rename(tmp_path / "tables")
    with ChatServer(behave=lambda number, body: (200, {}, YES)) as server:
        path = recipe(tmp_path, judge={"base_url": server.url})
        result = CliRunner().invoke(app, ["agreement", "--recipe", path, "--most", "5"], env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        assert server.counts["calls"] == 5 and "judge" in result.output and "they agree on" in result.output


def test_a_recipe_without_a_judge_is_an_error(tmp_path):
    result = CliRunner().invoke(app, ["agreement", "--recipe", recipe(tmp_path)])
    assert result.exit_code == 1 and "names no judge" in result.output
