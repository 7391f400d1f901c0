"""What a server can do, found out by probing it."""

import json

import pytest
from builders import frames_at
from chat_server import ChatServer
from distill_world import make_items
from typer.testing import CliRunner

from assets.workspace import Workspace
from distill.client.capabilities import find_capabilities
from distill.client.chat import ChatPlayer
from distill.client.errors import EndpointDown
from distill.exemplars import exemplar_jobs
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from pipelines.cli.ledger import app
from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings import load_recipe
from videozoomer.settings.model import DistillSettings, Endpoint, Prices, Recipe

NUMBERS = "1 2 3 4 5 6 7 8 9 10 11 12"


def server_with(*, refuses=(), images=128, honours_stop=True, includes=False, counts=True):
    """Counts to twelve; stops at stop sequences, takes so many images, refuses some parameters."""

    def behave(number, body):
        asked = json.loads(body)
        for name in refuses:
            if name in asked:
                return 400, {}, json.dumps({"error": {"message": f"{name} is not supported"}}).encode()
        if body.count(b"image_url") // 2 > images:
            return 400, {}, b'{"error": {"message": "at most %d images may be given"}}' % images
        text = NUMBERS
        if honours_stop and asked.get("stop"):
            text = text.split(asked["stop"][0])[0] + (asked["stop"][0] if includes else "")
        choice = {
            "finish_reason": "stop",
            "message": {"content": text},
            "logprobs": {"content": [{}]} if asked.get("logprobs") else None,
        }
        usage = {"prompt_tokens": 5, "completion_tokens": 5} if counts else None
        return 200, {}, json.dumps({"choices": [choice] * asked.get("n", 1), "usage": usage}).encode()

    return ChatServer(behave=behave)


def found(tmp_path, server, **fields):
    with server, Ledger(tmp_path / "l.sqlite") as ledger:
        return find_capabilities(Endpoint(base_url=server.url, identity="test", **fields), ledger)


def test_a_server_with_all_capabilities(tmp_path):
    can = found(tmp_path, server_with())
    assert (
        can.images,
        can.max_images,
        can.stop,
        can.stop_included,
        can.seed,
        can.several,
        can.logprobs,
        can.usage,
    ) == (
        True,
        128,
        True,
        False,
        True,
        True,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("server", "field", "value"),
    [
        ({"images": 0}, "images", False),
        ({"images": 20}, "max_images", 20),
        ({"images": 127}, "max_images", 127),
        ({"images": 1}, "max_images", 1),
        ({"honours_stop": False}, "stop", False),
        ({"includes": True}, "stop_included", True),
        ({"refuses": ("n",)}, "several", False),
        ({"refuses": ("logprobs",)}, "logprobs", False),
        ({"counts": False}, "usage", False),
    ],
)
def test_missing_capabilities_are_found(tmp_path, server, field, value):
    assert getattr(found(tmp_path, server_with(**server)), field) == value


def test_rejected_parameters_are_left_out_of_the_run(tmp_path):
    with (
        ChatServer(refuses=("seed", "stop")) as server,
        FrameStore(tmp_path / "f.sqlite") as store,
        Ledger(tmp_path / "l.sqlite") as ledger,
    ):
        chosen = Endpoint(base_url=server.url, identity="test")
        can = find_capabilities(chosen, ledger)
        assert (can.seed, can.stop) == (False, False)
        jobs = exemplar_jobs(make_items(store, 2), DistillSettings(samples=1))
        rows = EpisodeRunner(
            ChatPlayer(chosen, ledger, store), frames_at, store, Protocol(), load_prompts("v1")
        ).play_all(jobs)
        assert all(row["well_formed"] for row in rows)
    assert {entry.outcome for entry in read_entries(tmp_path / "l.sqlite")} == {"ok"}


def test_a_call_with_too_many_frames_is_not_sent(tmp_path):
    with ChatServer() as server, FrameStore(tmp_path / "f.sqlite") as store, Ledger(tmp_path / "l.sqlite") as ledger:
        jobs = list(exemplar_jobs(make_items(store, 2), DistillSettings(samples=1)))
        outcomes = []
        for limit in (4, 8):
            player = ChatPlayer(Endpoint(base_url=server.url, identity="test", max_images=limit), ledger, store)
            rows = EpisodeRunner(player, frames_at, store, Protocol(), load_prompts("v1")).play_all(jobs)
            outcomes.append(
                ([row["failure"] for row in rows], [len(row["turns"]) for row in rows], server.counts["calls"])
            )
        # An overview of four frames fits into four, the zoom after it does not; what was answered is not asked again.
        assert outcomes == [(["too_large"] * 2, [1, 1], 2), ([None] * 2, [2, 2], 4)]
    with pytest.raises(ValueError, match="takes 20 images a request"):
        recipe(teacher=Endpoint(base_url="http://x/v1", max_images=20))


def test_a_model_that_takes_no_images_stops_the_step(tmp_path):
    with (
        server_with(images=0) as server,
        FrameStore(tmp_path / "f.sqlite") as store,
        Ledger(tmp_path / "l.sqlite") as ledger,
    ):
        chosen = Endpoint(base_url=server.url, identity="test", model="m")
        find_capabilities(chosen, ledger)
        with pytest.raises(EndpointDown, match="takes no images"):
            EpisodeRunner(ChatPlayer(chosen, ledger, store), frames_at, store, Protocol(), load_prompts("v1")).play_all(
                []
            )


def test_a_server_that_rejects_a_plain_question_fails_its_probe(tmp_path):
    with pytest.raises(EndpointDown, match="rejects a plain question"):
        found(tmp_path, ChatServer(behave=lambda number, body: "400"))


def recipe(**fields):
    teacher = Endpoint(
        base_url="http://x", model="m", max_tokens=300, prices=Prices(input_per_million=1, output_per_million=4)
    )
    source = {"name": "s", "videos": "v", "questions": "q"}
    return Recipe(**({"name": "r", "home": "h", "sources": [source], "teacher": teacher} | fields))


def test_a_run_uses_what_a_probe_found(tmp_path):
    written = tmp_path / "recipe.yaml"
    with server_with(refuses=("stop",), images=9) as server:
        teacher = {"base_url": server.url, "model": "m"}
        sources = [{"name": "films", "videos": str(tmp_path), "questions": str(tmp_path / "q.jsonl")}]
        written.write_text(
            json.dumps({"name": "probed", "home": str(tmp_path / "run"), "sources": sources, "teacher": teacher})
        )
        result = CliRunner().invoke(app, ["probe", "--recipe", str(written)])
    assert result.exit_code == 0 and "servers.sqlite" in result.output, result.output
    workspace = Workspace(load_recipe(written))
    with Ledger(workspace.ledger("exemplars", "films-0000")) as ledger:
        ledger.set_fact(server.url, "refuses:m", "seed")
    with workspace.open_ledger("exemplars", "films-0000") as ledger:
        assert ledger.fact(server.url, "images:m") == "9"
        assert ledger.fact(server.url, "refuses:m") == "seed", "what a run found itself stays"
    with workspace.open_ledger("exemplars", "films-0001") as ledger:
        assert ledger.fact(server.url, "refuses:m") == "stop"


def test_a_probe_reports_missing_arguments_and_servers_that_are_down(tmp_path):
    run = CliRunner().invoke
    assert run(app, ["probe"]).exit_code == 1
    assert run(app, ["probe", "--recipe", str(tmp_path / "none.yaml")]).exit_code == 1
    assert run(app, ["probe", "http://127.0.0.1:9/v1", "--model", "m"]).exit_code == 1
