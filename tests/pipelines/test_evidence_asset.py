"""The asset of probes without Dagster and servers: what the first filter leaves, and what is written."""

from pathlib import Path

from builders import frames_at, row

from assets.evidence import _play, first_filter
from assets.playing import stage_partition
from assets.workspace import Workspace
from distill.client.calls import Reply
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from videozoomer.protocol import FrameRef, Protocol, load_prompts
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import DistillSettings, Endpoint, EvidenceSettings, FilterSettings, Recipe, Source

BATCH = "films-0001"
OPTIONS = ("wrong", "right", "false", "not so")
EVENT = Window(20.0, 22.0)


class Sees:
    """Right where it sees the event; else it takes the last option."""

    name = "sees"

    async def reply(self, messages, *, sample, temperature):
        lines = dict(reversed(line.split(". ", 1)) for line in messages[1].text.splitlines() if line[1:2] == ".")
        times = [part.time_s for part in messages[1].parts if hasattr(part, "frame_id")]
        answer = lines["right"] if any(EVENT.covers(time) for time in times) else "D"
        return Reply(f"<think>I have looked.</think><answer>{answer}</answer>", "stop")


def turn(action: str, reply: str, **values) -> dict:
    names = ("start_s", "end_s", "fps", "answer", "fault", "fault_text", "finish_reason", "call_key")
    empty = {"frame_ids": [], "frame_times_s": [], "author": "teacher", "well_formed": True}
    return dict.fromkeys(names) | empty | {"action": action, "reply": reply} | values


def trajectory(name: str, start_s: float, verdict: str) -> tuple[dict, dict]:
    """A row of `trajectories` that zoomed for six seconds, and its grade."""
    frames = frames_at("film.mp4", [start_s + n / 2 for n in range(12)])
    zoom = turn(
        "zoom", "<think>I look closer there.</think>", start_s=start_s, end_s=start_s + 6, fps=2.0,
        frame_ids=[f.frame_id for f in frames], frame_times_s=[f.time_s for f in frames],
    )  # fmt: skip
    answer = turn("answer", "<think>That shows the answer.</think><answer>B</answer>", answer="B")
    values = {
        "trajectory_id": name, "question_id": "q", "video_id": "v", "batch": BATCH, "kind": "exemplar", "player": "p",
        "sample": 0, "temperature": 1.0, "max_zooms": 4, "status": "answered", "answer": "B", "turns": [zoom, answer],
        "messages": [], "zooms": 1, "frames_shown": 16, "well_formed": True, "input_tokens": 1, "output_tokens": 1,
        "cost_usd": 0.0, "protocol_version": "1", "prompt_version": "v1",
    }  # fmt: skip
    grade = row("grades", trajectory_id=name, question_id="q", batch=BATCH, verdict=verdict, grader="choice-1")
    return row("trajectories", **values), grade


def written(home: Path) -> tuple[Workspace, QuestionItem]:
    """A home with one film, one question without evidence, and three graded exemplars."""
    source = Source(name="films", videos="films", questions="questions.jsonl")
    recipe = Recipe(
        name="r", home=str(home), sources=(source,), teacher=Endpoint(base_url="http://127.0.0.1:9"),
        filters=FilterSettings(evidence=EvidenceSettings()), distill=DistillSettings(samples=3),
    )  # fmt: skip
    workspace = Workspace(recipe)
    question = row(
        "questions", question_id="q", source="films", video_uri="film.mp4", split="train", question="Which one is it?",
        options=list(OPTIONS), answer="B", answer_type="choice", evidence=[], status="ok",
    )  # fmt: skip
    film = row("videos", uri="film.mp4", video_id="v", source="films", batch=BATCH, status="ok", duration_s=120.0)
    workspace.lake.write("questions", [question], BATCH)
    workspace.lake.write("videos", [film], BATCH)
    made = [trajectory("sees", 18.0, "correct"), trajectory("luck", 60.0, "correct"), trajectory("bad", 80.0, "wrong")]
    partition = stage_partition("exemplars", BATCH)
    workspace.lake.write("trajectories", [one for one, _ in made], partition)
    workspace.lake.write("grades", [grade for _, grade in made], partition)
    overview = tuple(FrameRef(f.frame_id, f.time_s) for f in frames_at("film.mp4", [0.0, 40.0, 80.0]))
    return workspace, QuestionItem(
        "q", "v", "film.mp4", BATCH, question["question"], OPTIONS, "choice", 120.0, overview
    )


def test_what_the_first_filter_leaves_is_probed_and_written(tmp_path):
    workspace, item = written(tmp_path / "home")
    asked, kept = first_filter(workspace, BATCH)
    assert (asked, sorted(kept)) == (["q"], ["luck", "sees"]), "a wrong answer is not probed"
    with FrameStore(tmp_path / "frames.sqlite") as store:
        for start_s in (18.0, 60.0):
            store.put(frames_at("film.mp4", [start_s + n / 2 for n in range(12)]), "v")
        runner = EpisodeRunner(Sees(), frames_at, store, Protocol(), load_prompts("v1"))
        settings = workspace.recipe.filters.evidence
        rows = _play(workspace, BATCH, settings, [item], runner, asked, kept, 1.0)
    lake, partition = workspace.lake, stage_partition("evidence_probes", BATCH)
    found = {(one["item"], one["probe"]): one["stays_right"] for one in lake.read("evidence", [partition]).to_dicts()}
    assert found == {
        ("q", "blind"): False,
        ("sees", "sufficiency"): True,
        ("sees", "shuffled"): True,
        ("sees", "elsewhere"): False,
        ("luck", "sufficiency"): False,
    }
    grades = lake.read("grades", [partition])
    assert grades.height == len(rows) == sum(lake.read("evidence", [partition])["asked"])
    assert grades["hit"].null_count() == grades.height and {one["kind"] for one in rows} == {"evidence"}
    assert len({one["trajectory_id"] for one in rows}) == len(rows)
