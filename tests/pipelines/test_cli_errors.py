"""Every command prints errors in one form and data as it is: no path and no answer is read as markup."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lake_fixture import write_lake
from rich.console import Console
from typer.testing import CliRunner

import videozoomer.lake.lake
from pipelines.cli import app
from pipelines.cli.output import open_console, print_error
from pipelines.cli.trajectories import print_list, print_one
from videozoomer.lake import Lake
from videozoomer.lake.stamps import Stamp, Stamps

WIDE = {"COLUMNS": "4000"}
PATH = "w[films]"
"""A folder name that rich would read as a style and drop."""
MARKUP = ["[films]", "B [/INST]", "[bold]x[/bold]", "videozoomer[transnet]", "[/]", ":tv: [link=a]b", "\\[x]"]


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=WIDE)


def printed(text: str) -> str:
    """The characters of an output without layout: no colours, frames or white space."""
    return re.sub(r"[\s\u2500-\u257f]+", "", re.sub(r"\x1b\[[0-9;]*m", "", text))


@pytest.fixture
def recipe(tmp_path) -> Path:
    path = tmp_path / "recipe.yaml"
    source = {"name": "films", "videos": str(tmp_path / PATH), "questions": str(tmp_path / "q.jsonl")}
    teacher = {"base_url": "http://127.0.0.1:9/v1"}
    path.write_text(yaml.safe_dump({"name": "x", "home": str(tmp_path), "sources": [source], "teacher": teacher}))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "init w[films]/none/my.yaml",
        "run -r w[films].yaml",
        "run -r w[films].yaml --dry-run",
        "status -r w[films].yaml",
        "ui -r w[films].yaml",
        "sources list -r w[films].yaml",
        "sources add films --videos w[films] --questions q.jsonl -r my.yaml",
        "trajectories list -r w[films].yaml",
        "trajectories show 3f -r w[films].yaml",
        "video frames w[films].mp4 --overview",
        "video frames w[films].mp4 --at 1",
        "video shots w[films].mp4",
        "video shots a.mp4 --detector w[films]",
        "video clip w[films].mp4 0 1 -o out.mp4",
        "ledger summary w[films]",
        "ledger grep w[films] .",
        "ledger export w[films] calls.jsonl",
        "ledger prune w[films]",
        "ledger balance w[films]",
        "ledger probe -r w[films].yaml",
        "ledger agreement -r w[films].yaml",
        "shards verify w[films]",
        "shards export w[films] --format trl --out out",
        "w[films]",
    ],
)
def test_the_message_of_a_failed_command_names_the_path_with_its_brackets(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*command.split())
    assert isinstance(result.exception, SystemExit) and result.exit_code in (1, 2)
    assert PATH in printed(result.output)


@pytest.mark.parametrize("command", ["run --dry-run", "run", "status"])
def test_a_source_that_cannot_be_listed_is_an_error_and_no_traceback(command, recipe):
    Stamps(Lake(recipe.parent / "tables")).write("sources", Stamp("", ""))
    result = run(*command.split(), "-r", recipe)
    assert result.exit_code == 1 and result.output.count("error: ") == 1 and PATH in printed(result.output)


def test_an_asset_and_an_id_that_do_not_exist_are_named_as_typed(recipe):
    result = run("run", "-r", recipe, "--only", PATH)
    assert result.exit_code == 1 and f"thereisnoasset'{PATH}'" in printed(result.output)
    result = run("trajectories", "show", "[/INST]", "-r", recipe)
    assert result.exit_code == 1 and "0trajectoriesbeginwith'[/INST]'" in printed(result.output)


def test_a_missing_extra_is_named_with_its_brackets(monkeypatch):
    monkeypatch.setattr("videozoomer.video.settings.is_installed", lambda: False)
    result = run("video", "shots", "a.mp4", "--detector", "transnet")
    assert result.exit_code == 1 and "videozoomer[transnet]" in printed(result.output)


def test_a_quarantined_file_is_listed_with_its_brackets(tmp_path):
    (tmp_path / f"{PATH}.mp4").write_bytes(b"no video")
    result = run("video", "probe", tmp_path / f"{PATH}.mp4")
    assert result.exit_code == 1 and f"{PATH}.mp4" in printed(result.output)


@pytest.mark.parametrize("text", MARKUP)
def test_an_error_is_printed_as_it_is(text, capsys):
    print_error(ValueError(text))
    assert printed(capsys.readouterr().err) == printed(f"error: {text}")


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return write_lake(tmp_path_factory.mktemp("lake")).lake


def with_answer(lake: Lake, folder: Path, answer: str) -> Lake:
    """A lake with one trajectory, whose answer and thoughts are this text."""
    row = lake.read("trajectories").to_dicts()[0]
    row["answer"] = answer
    row["turns"][-1] |= {"answer": answer, "reply": answer}
    changed = Lake(folder)
    changed.write("trajectories", [row], "exemplars.b")
    return changed


PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z", "M")), min_size=1, max_size=40)


@pytest.mark.slow
@pytest.mark.parametrize("console", [open_console(), Console()], ids=["ours", "with markup"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=PRINTABLE | st.sampled_from(MARKUP))
def test_any_answer_is_listed_and_shown_as_it_is(console, lake, tmp_path, answer):
    changed = with_answer(lake, tmp_path, answer)
    console.width = 20_000
    with console.capture() as capture:
        print_list(changed, console, kind=None, outcome=None, limit=20)
        print_one(changed, console, "")
    assert printed(capture.get()).count(printed(answer)) >= 2


@settings(max_examples=200)
@given(text=PRINTABLE)
def test_any_text_is_printed_as_it_is(text):
    console = open_console()
    with console.capture() as capture:
        console.print(text, soft_wrap=True)
    assert printed(capture.get()) == printed(text)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(st.characters(exclude_categories=("C", "Z", "M"), exclude_characters="/\\"), min_size=1, max_size=40)
)
def test_any_path_in_an_error_is_printed_as_it_is(name, tmp_path):
    result = run("status", "-r", tmp_path / f"{name}.yaml")
    assert result.exit_code == 1 and printed(f"{name}.yaml") in printed(result.output)


@pytest.mark.parametrize("command", ["run", "status", "gc"])
def test_a_damaged_log_is_an_error_that_names_the_file_and_no_traceback(command, recipe, monkeypatch):
    film = recipe.parent / PATH / "a.mp4"
    film.parent.mkdir(parents=True, exist_ok=True)
    film.touch()
    (recipe.parent / "q.jsonl").write_text('{"video": "a.mp4", "question": "Which?", "answer": "red"}')
    lake = Lake(recipe.parent / "tables")
    for number in range(3):
        lake.write("leaks", [], f"b-{number}")
    (lake.root / "log" / "0000000002.json").unlink()
    # As a process that has read nothing yet.
    monkeypatch.setattr(videozoomer.lake.lake, "_logs", {})
    result = run(command, "-r", recipe)
    assert isinstance(result.exception, SystemExit) and result.exit_code == 1
    assert "0000000002.json" in result.output and "backup" in result.output
