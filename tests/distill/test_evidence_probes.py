"""Probes of evidence: what they show, and how players who see, guess or love a letter come out of them."""

import hashlib
import re
from dataclasses import replace

import pytest
from builders import frames_at
from distill_world import make_items
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.client.calls import Reply
from distill.evidence import (
    NO_ROOM,
    REFER_TO_OTHERS,
    Probe,
    Subject,
    Zoom,
    elsewhere,
    probes_of,
    rotated,
    shown,
    subject_of,
)
from distill.exemplars import play_exemplars
from distill.probing import UNREADABLE, Probing
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from videozoomer.protocol import FrameRef, Protocol, load_prompts
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.options import letter_of
from videozoomer.settings.evidence import EvidenceSettings
from videozoomer.settings.model import DistillSettings
from videozoomer.video.types import FrameError

OPTIONS = ("wrong one", "right one", "wrong two", "wrong three")
EVENT = Window(20.0, 22.0)
"""Where the answer is seen."""


class Player:
    """Sees the answer in frames of the event, and guesses otherwise; its skills can be taken away."""

    def __init__(self, *, sees: bool = True, knows: float = 0.0, letter: str | None = None):
        self.name, self.sees, self.knows, self.letter = "player", sees, knows, letter
        self.asked: list = []

    async def reply(self, messages, *, sample, temperature):
        self.asked.append(messages)
        options = re.findall(r"^([A-D])\. (.+)$", messages[1].text, re.M)
        right = next(letter for letter, text in options if text == "right one")
        times = [part.time_s for part in messages[1].parts if hasattr(part, "frame_id")]
        dice = int.from_bytes(hashlib.sha256(f"{messages[1].text} {sample}".encode()).digest()[:6], "big")
        if (self.sees and any(EVENT.covers(time) for time in times)) or dice % 1000 < 1000 * self.knows:
            answer = right
        else:
            answer = self.letter or options[dice // 1000 % len(options)][0]
        return Reply(f"<think>I answer.</think><answer>{answer}</answer>", "stop")


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def subjects(store, count=1, zooms=((18.0, 24.0, 2.0),)) -> list[Subject]:
    """Trajectories that zoomed and were right."""
    found = []
    for item in make_items(store, count):
        item = replace(item, options=OPTIONS)
        looks = []
        for start, end, fps in zooms:
            frames = frames_at(item.video_uri, [start + n / fps for n in range(int((end - start) * fps))])
            store.put(frames, item.video_id)
            looks.append(Zoom(Window(start, end), fps, tuple(FrameRef(f.frame_id, f.time_s) for f in frames)))
        found.append(Subject(f"t-{item.question_id}", item, tuple(looks)))
    return found


def probing(store, player, read=frames_at, **chosen) -> Probing:
    runner = EpisodeRunner(player, read, store, Protocol(), load_prompts("v1"))

    def verdicts(rows, moved):
        letters = [letter_of((1 - moved[row["trajectory_id"]]) % 4) for row in rows]
        return ["correct" if row["answer"] == letter else "wrong" for row, letter in zip(rows, letters, strict=True)]

    return Probing(runner, EvidenceSettings(**chosen), 1.0, verdicts)


def outcomes(store, player, zooms=((18.0, 24.0, 2.0),), count=1, **chosen) -> list[dict]:
    asked = probing(store, player, **chosen)
    asked.trajectories(subjects(store, count, zooms))
    return [one.row() for one in asked.asked]


def test_a_trajectory_that_rests_on_its_frames_passes_every_probe(store):
    player = Player()
    rows = {row["probe"]: row for row in outcomes(store, player)}
    assert list(rows) == ["sufficiency", "shuffled", "elsewhere"]
    assert [row["stays_right"] for row in rows.values()] == [True, True, False]
    first = rows["sufficiency"]
    assert (first["asked"], first["valid"], first["correct"], first["chance"]) == (3, 3, 3, 0.25)
    assert first["settled"] and first["log_ratio"] >= first["upper"] > 0 > first["lower"]
    assert first["windows"] == [{"start_s": 18.0, "end_s": 24.0}]
    assert all("an overview" not in messages[0].text for messages in player.asked)


def test_a_player_who_does_not_see_fails_the_first_probe_and_is_asked_no_more(store):
    rows = outcomes(store, Player(sees=False, letter="A"))
    assert [(row["probe"], row["stays_right"], row["asked"]) for row in rows] == [("sufficiency", False, 2)]


def test_a_player_who_loves_the_right_letter_is_found_by_shuffling(store):
    rows = outcomes(store, Player(sees=False, letter="B"))
    assert [(row["probe"], row["stays_right"]) for row in rows] == [("sufficiency", True), ("shuffled", False)]


def test_a_player_who_knows_the_answer_is_found_elsewhere(store):
    rows = outcomes(store, Player(knows=1.0))
    assert [(row["probe"], row["stays_right"]) for row in rows][-1] == ("elsewhere", True)


def test_leaving_zooms_out_shows_which_one_carried_the_answer(store):
    rows = outcomes(store, Player(letter="A"), zooms=((40.0, 44.0, 2.0), (18.0, 24.0, 2.0), (50.0, 53.0, 2.0)))
    carried = {row["zoom"]: row["stays_right"] for row in rows if row["probe"] == "leave_one_out"}
    assert carried == {1: True, 2: False, 3: True}


def test_a_question_is_asked_blind_until_it_is_decided(store):
    asked = probing(store, Player(knows=1.0, sees=False))
    questions = [replace(one, trajectory_id="", zooms=()) for one in subjects(store, 2)]
    first, second = (one.item.question_id for one in questions)
    left = asked.blind(questions, {first: (2, 2, 2), second: (2, 2, 0)})
    rows = {row["item"]: row for row in (one.row() for one in asked.asked)}
    assert left == set() and rows[first]["correct"] == rows[first]["asked"] == 4, "two were asked before"
    assert [row["sample"] for row in asked.rows if row["question_id"] == first] == [2, 3]
    assert all(row["frames_shown"] == 0 and row["kind"] == "evidence" for row in asked.rows)

    asked = probing(store, Player(sees=False, letter="A"))
    assert asked.blind(questions, {}) == {first, second} and all(one.stays_right is False for one in asked.asked)


def test_a_rerun_asks_the_same(store):
    zooms = ((40.0, 44.0, 2.0), (18.0, 24.0, 2.0))
    players = [Player(), Player()]
    runs = [outcomes(store, player, zooms, count=3) for player in players]
    assert runs[0] == runs[1] and [len(player.asked) for player in players] == [len(players[0].asked)] * 2
    assert sorted(map(repr, players[0].asked)) == sorted(map(repr, players[1].asked))


def test_ids_of_probes_differ(store):
    asked = probing(store, Player())
    asked.trajectories(subjects(store, 2, ((40.0, 44.0, 2.0), (18.0, 24.0, 2.0))))
    ids = [row["trajectory_id"] for row in asked.rows]
    assert len(set(ids)) == len(ids) and {row["parent_id"] for row in asked.rows} == {"t-q00000", "t-q00001"}


def test_what_cannot_be_asked_speaks_against_nothing(store):
    rows = {row["probe"]: row for row in outcomes(store, Player(), zooms=((0.0, 60.0, 0.25),))}
    assert rows["elsewhere"]["detail"] == NO_ROOM and rows["elsewhere"]["stays_right"] is None

    [subject] = subjects(store)
    last = replace(subject.item, options=(*OPTIONS[:3], "All of the above"))
    assert shown(Probe("shuffled", replace(subject, item=last)), 0, 1.0) == REFER_TO_OTHERS

    def broken(uri, times):
        raise FrameError(uri, times[0], "damaged")

    asked = probing(store, Player(), read=broken)
    asked.trajectories([subject])
    assert [one.row()["detail"] for one in asked.asked] == [None, None, UNREADABLE]


def test_an_answer_that_nobody_can_judge_is_asked_at_most_max_samples_times(store):
    asked = probing(store, Player(), max_samples=5)
    asked.verdicts = lambda rows, moved: ["unknown"] * len(rows)
    asked.trajectories(subjects(store))
    assert [(row["asked"], row["valid"], row["stays_right"]) for row in (one.row() for one in asked.asked)] == [
        (5, 0, None),
        (5, 0, None),
        (5, 0, None),
    ]


def test_only_zoomed_frames_are_shown_without_the_overview(store):
    [subject] = subjects(store, zooms=((40.0, 44.0, 2.0), (18.0, 24.0, 2.0)))
    seen = shown(Probe("sufficiency", subject), 0, 1.0).job.item.overview
    assert [frame.time_s for frame in seen] == sorted(frame.time_s for frame in seen) and len(seen) == 20
    assert not {frame.frame_id for frame in seen} & {frame.frame_id for frame in subject.item.overview}
    direct = replace(subject, zooms=())
    assert (
        probes_of(direct, "sufficiency") == probes_of(direct, "elsewhere") == probes_of(direct, "leave_one_out") == []
    )
    shuffled = shown(probes_of(direct, "shuffled")[0], 0, 1.0)
    assert shuffled.job.item.overview == direct.item.overview and not shuffled.job.frames_alone


def test_shuffling_moves_every_option(store):
    [subject] = subjects(store)
    places = [shown(Probe("shuffled", subject), sample, 1.0) for sample in range(6)]
    assert {one.rotation for one in places} == {1, 2, 3}
    for one in places:
        assert sorted(one.job.item.options) == sorted(OPTIONS)
        assert all(moved != option for moved, option in zip(one.job.item.options, OPTIONS, strict=True))
        assert one.job.item.options == rotated(OPTIONS, one.rotation)


@settings(max_examples=150)
@given(data=st.data(), duration_s=st.floats(20, 4000), sample=st.integers(0, 11))
def test_frames_from_elsewhere_are_as_many_at_the_same_rate_and_away_from_everything_known(data, duration_s, sample):
    zooms = []
    for number in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.floats(0, duration_s * 0.9))
        fps, frames = data.draw(st.sampled_from([0.5, 1.0, 2.0, 4.0])), data.draw(st.integers(1, 16))
        end = min(start + frames / fps, duration_s)
        zooms.append(Zoom(Window(start, end), fps, tuple(FrameRef(f"{number} {n}", start) for n in range(frames))))
    [item] = _items()
    item = replace(item, duration_s=duration_s, bad_spans=(Window(5.0, 6.0),))
    subject = Subject("t", item, tuple(zooms), (Window(10.0, 12.0),))
    places = elsewhere(subject, sample)
    assert places == elsewhere(subject, sample)
    if places is None:
        assert sum(len(zoom.frames) / zoom.fps + zoom.segment.end_s - zoom.segment.start_s for zoom in zooms) > 5
        return
    taken = [*(zoom.segment for zoom in zooms), *subject.evidence, *item.bad_spans]
    for number, (place, zoom) in enumerate(zip(places, zooms, strict=True)):
        times = [place.start_s + n / zoom.fps for n in range(len(zoom.frames))]
        assert place.start_s >= 0 and place.end_s <= duration_s + 0.002
        others = [*taken, *places[:number], *places[number + 1 :]]
        assert not any(window.covers(time) for window in others for time in times)


def _items():
    from videozoomer.protocol.question import QuestionItem

    return [QuestionItem("q", "v", "v.mp4", "b", "What?", OPTIONS, "choice", 60.0, ())]


def test_rows_become_subjects_with_the_zooms_that_returned_frames():
    turn = {
        "action": "zoom",
        "start_s": 1.0,
        "end_s": 2.0,
        "fps": 2.0,
        "frame_ids": ["a", "b"],
        "frame_times_s": [1.0, 1.5],
    }
    empty = turn | {"frame_ids": [], "frame_times_s": []}
    [item] = _items()
    subject = subject_of({"trajectory_id": "t", "turns": [turn, empty]}, item)
    assert subject.zooms == (Zoom(Window(1.0, 2.0), 2.0, (FrameRef("a", 1.0), FrameRef("b", 1.5))),)


def test_more_exemplars_are_played_only_where_luck_is_left(store):
    """Sample n of question q is right from n = q on: 0 is soon clear, 1 is played on, the last has no right answer."""

    class Late:
        name = "late"

        async def reply(self, messages, *, sample, temperature):
            number = int(re.search(r"number (\d+)", messages[1].text)[1])
            return Reply(f"<think>x</think><answer>{'A' if sample >= number else 'B'}</answer>", "stop")

    runner = EpisodeRunner(Late(), frames_at, store, Protocol(), load_prompts("v1"))
    items = [replace(item, options=OPTIONS) for item in make_items(store, 4)]
    asked = []

    def may_be_luck(item, correct, valid):
        asked.append((item.question_id, correct, valid))
        return correct < 3

    rows = play_exemplars(
        items,
        DistillSettings(samples=2, max_samples=4),
        runner,
        is_correct=lambda row: row["answer"] == "A",
        may_be_luck=may_be_luck,
    )
    played = {item.question_id: sum(row["question_id"] == item.question_id for row in rows) for item in items}
    assert played == {"q00000": 3, "q00001": 4, "q00002": 2, "q00003": 2}
    assert [row["sample"] for row in rows] == sorted(row["sample"] for row in rows)
