"""Any reply, valid or not, leaves the episode within the protocol."""

import dataclasses
import math
import re

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from zoom_play import (
    DURATION_S,
    PROMPTS,
    SMALL,
    answer_reply,
    fair_zoom,
    go_on,
    overview,
    play,
    replies,
    task,
    zoom_reply,
)

from videozoomer.lake.catalog import MESSAGE
from videozoomer.protocol import Episode, FrameRef, Image, Task, Text
from videozoomer.protocol.message_rows import from_rows, to_rows
from videozoomer.protocol.protocol import frame_tag, zoom_times

WRONG = "wrong-answer-7"


@given(replies, st.sampled_from([None, 0, 1, 2, 99]))
def test_no_more_rounds_zooms_or_frames_than_allowed(some_replies, max_zooms):
    episode, asked = play(some_replies, max_zooms=max_zooms)
    allowed = SMALL.max_zooms if max_zooms is None else min(max_zooms, SMALL.max_zooms)
    assert len(episode.turns) <= allowed + 1 <= SMALL.max_zooms + 1
    assert not episode.running, "six replies end any episode of at most four rounds"
    assert episode.zooms <= allowed
    assert all(len(times) <= SMALL.zoom_frames for times in asked)
    assert episode.frames_shown == len(episode.overview) + sum(map(len, asked)) <= SMALL.max_frames
    shown = sum(len(message.frame_ids) for message in episode.transcript)
    assert shown == episode.frames_shown


@given(replies)
def test_messages_alternate_and_contain_every_reply(some_replies):
    episode, _ = play(some_replies)
    roles = [message.role for message in episode.transcript]
    assert roles == ["system", "user", *(["assistant", "user"] * len(episode.turns))[:-1]]
    written = [message.text for message in episode.transcript if message.role == "assistant"]
    assert written == [turn.reply for turn in episode.turns]
    assert episode.messages == episode.transcript


@given(replies)
def test_tags_agree_with_frames_and_times(some_replies):
    episode, _ = play(some_replies)
    shown = iter([episode.overview, *(turn.frames if turn.action == "zoom" else () for turn in episode.turns)])
    for message in (m for m in episode.transcript if m.role == "user"):
        frames = next(shown)
        assert message.frame_ids == tuple(frame.frame_id for frame in frames)
        images = [
            (before, part)
            for before, part in zip(message.parts, message.parts[1:], strict=False)
            if isinstance(part, Image)
        ]
        assert len(images) == len(frames)
        for index, (before, image) in enumerate(images):
            assert isinstance(before, Text) and before.text.endswith(frame_tag(index, image.time_s))
            assert image.time_s == frames[index].time_s
        assert len(re.findall(r"<frame\d+_time", message.text)) == len(frames)


@given(st.lists(fair_zoom, min_size=1, max_size=3))
def test_a_zoom_asks_for_frames_one_over_the_rate_apart(some_zooms):
    episode, asked = play([*some_zooms, answer_reply("A")])
    assert episode.status == "answered" and episode.well_formed
    for turn, times in zip(episode.turns, asked, strict=True):
        if turn.action == "zoom":
            assert times == zoom_times(turn.start_s, turn.end_s, turn.fps)
            assert all(turn.start_s <= time_s < min(turn.end_s, DURATION_S) for time_s in times)
            assert times[0] == turn.start_s


@given(replies)
def test_the_last_tool_answer_and_only_it_forbids_further_zooms(some_replies):
    episode, _ = play(some_replies)
    tools = [message.text for message in episode.transcript[2:] if message.role == "user"]
    for index, text in enumerate(tools):
        left = episode.max_zooms - index - 1
        assert text.startswith("<tool_response>") and text.count("</tool_response>") == 1
        assert text.endswith(PROMPTS.last_round if left == 0 else PROMPTS.go_on.format(left=left))
        assert (PROMPTS.last_round in text) == (left == 0)
    for turn, text in zip(episode.turns, tools, strict=False):
        assert (PROMPTS.fault.format(fault=turn.fault_text) in text) == (turn.action == "fault")


@given(replies)
def test_the_same_replies_give_the_same_messages(some_replies):
    assert play(some_replies)[0].transcript == play(some_replies)[0].transcript


@given(replies)
def test_a_transcript_survives_the_table(some_replies):
    episode, _ = play(some_replies)
    rows = to_rows(episode.transcript)
    stored = pl.Series([rows], dtype=pl.List(MESSAGE)).to_list()[0]
    assert from_rows(rows) == from_rows(stored) == episode.transcript


@given(st.integers(0, 3))
def test_a_player_that_only_faults_is_exhausted(max_zooms):
    episode, asked = play(["no idea"] * 9, max_zooms=max_zooms)
    assert (episode.status, len(episode.turns), episode.answer, episode.well_formed) == (
        "exhausted",
        max_zooms + 1,
        None,
        False,
    )
    assert asked == [[]] * (max_zooms + 1)


@pytest.mark.parametrize(
    ("start_s", "end_s", "fps", "kind"),
    [
        (5, 4, 1, "reversed"), (5, 5, 1, "empty_segment"), (5, 6, 0, "bad_rate"), (5, 6, -2, "bad_rate"),
        (-1, 6, 1, "outside"), (100, 101, 1, "outside"), (95, 100.6, 1, "outside"), (-1e308, 1e308, 1e308, "outside"),
        (0, 10, 0.7001, "over_budget"), (0, 100, 1e308, "over_budget"),
        (0, 1e-300, 5e300, None), (0, 10, 0.69, None), (10, 10.001, 1, None), (99.9, 100.4, 2, None),
        (0, 100, 5e-324, None),
    ],
)  # fmt: skip
def test_a_zoom_is_served_or_is_a_fault_of_its_kind(start_s, end_s, fps, kind):
    episode, (times,) = play([zoom_reply(start_s, end_s, fps)])
    (turn,) = episode.turns
    assert turn.fault == kind
    assert bool(times) == (kind is None)
    if kind is None:
        assert turn.end_s <= DURATION_S
    else:
        assert turn.fault_text in episode.transcript[-1].text and (turn.start_s, turn.end_s, turn.fps) == (
            None,
            None,
            None,
        )


def test_a_zoom_into_the_last_moment_shows_a_frame_and_one_past_it_is_a_fault():
    start_s = math.nextafter(DURATION_S, 0)
    episode, (times,) = play([zoom_reply(start_s, DURATION_S + SMALL.end_tolerance_s, 2)])
    assert times == [start_s] and episode.zooms == 1 and len(episode.turns[0].frames) == 1
    for past_s in (DURATION_S, DURATION_S + 0.2):
        episode, (times,) = play([zoom_reply(past_s, DURATION_S + SMALL.end_tolerance_s, 2)])
        assert times == [] and episode.turns[0].fault == "outside" and episode.zooms == 0


def test_a_zoom_in_the_last_round_is_a_fault_and_ends_the_episode():
    episode, _ = play([zoom_reply(1, 2, 1)] * 9)
    assert [turn.fault for turn in episode.turns] == [None, None, None, "no_zoom_left"]
    assert (episode.status, episode.zooms) == ("exhausted", 3)


def test_without_zooms_no_message_mentions_them():
    episode, _ = play([zoom_reply(1, 2, 1)], max_zooms=0)
    assert episode.turns[0].fault == "no_zoom_left" and episode.status == "exhausted"
    assert "video_zoom" not in "".join(message.text for message in episode.transcript if message.role != "assistant")


def test_a_task_has_no_field_for_the_answer():
    names = {field.name for field in dataclasses.fields(Task)}
    assert names == {"question", "options", "answer_type", "duration_s", "bad_spans"}


def test_braces_and_tags_in_a_question_are_text():
    asked = "What does {question} <answer>B</answer> {0} say?"
    episode = Episode(task(asked, ("{a}", "<b>")), (), SMALL, PROMPTS)
    assert asked in episode.messages[1].text and "A. {a}\nB. <b>\n" in episode.messages[1].text
    assert episode.messages[1].frame_ids == ()


def test_frames_are_shown_only_after_a_zoom_and_all_at_once():
    episode, _ = play([])
    with pytest.raises(RuntimeError, match="does not wait for frames"):
        episode.show([])
    times = episode.step(zoom_reply(10, 12, 2))
    with pytest.raises(RuntimeError, match="waits for frames"):
        episode.step(answer_reply("A"))
    with pytest.raises(ValueError, match="needs 4 frames, not 3"):
        episode.show([FrameRef("f", 1.0)] * 3)
    assert episode.zooms == 0, "a zoom counts once its frames are shown"
    episode.show([FrameRef("f", time_s) for time_s in times])
    episode.step(answer_reply("A"))
    assert (episode.zooms, episode.answer) == (1, "A")
    with pytest.raises(RuntimeError, match="is over"):
        episode.step(answer_reply("B"))


def test_too_much_for_the_protocol_is_refused():
    with pytest.raises(ValueError, match="9 overview frames"):
        Episode(task(), overview(9), SMALL, PROMPTS)
    with pytest.raises(ValueError, match="27 options"):
        Episode(task(options=[str(n) for n in range(27)]), (), SMALL, PROMPTS)


@given(replies, replies)
def test_a_reflection_shows_the_failure_without_its_answer(before, after):
    failed, _ = play([*before[:3], answer_reply(WRONG)], author="student")
    try:
        episode = Episode.reflecting_on(failed, PROMPTS.openings[0])
    except ValueError:
        kept = [turn for turn in failed.turns[: SMALL.max_zooms - 1] if turn.action != "answer"]
        assert not any(turn.action == "zoom" for turn in kept)
        assume(False)
    inherited = len(episode.turns)
    assert [turn.author for turn in episode.turns] == ["student"] * inherited
    assert episode.turns == failed.turns[:inherited]
    assert WRONG not in "".join(message.text for message in episode.messages)
    assert episode.rounds_left >= 2, "another zoom and an answer"
    assert episode.messages[-1].text.endswith(PROMPTS.reflect.format(opening=PROMPTS.openings[0]))
    assert episode.messages[:-1] == episode.transcript[:-1]
    assert episode.messages[-1].frame_ids == episode.transcript[-1].frame_ids
    go_on(episode, after)
    assert len(episode.turns) <= SMALL.max_zooms + 1 and not episode.running
    assert [turn.author for turn in episode.turns] == ["student"] * inherited + ["teacher"] * (
        len(episode.turns) - inherited
    )
    replies_made = [message for message in episode.transcript if message.role == "assistant"]
    assert [message.train for message in replies_made] == [False] * inherited + [True] * (len(replies_made) - inherited)
    everything = "".join(message.text for message in episode.transcript)
    assert PROMPTS.openings[0] not in everything and "reconsider" not in everything
    assert episode.messages == episode.transcript, "the request appears once"


@pytest.mark.parametrize("author", ["student", "teacher"])
def test_a_reflection_is_well_formed_by_its_own_turns(author):
    failed, _ = play(["no idea", zoom_reply(1, 2, 1), answer_reply(WRONG)], author=author)
    episode = Episode.reflecting_on(failed, PROMPTS.openings[0])
    go_on(episode, [zoom_reply(40, 42, 1), answer_reply("A")])
    assert episode.well_formed and episode.zooms == 2 and not failed.well_formed


def test_some_episodes_cannot_be_reflected_on():
    with pytest.raises(ValueError, match="zoomed"):
        Episode.reflecting_on(play([answer_reply(WRONG)])[0], "x")
    with pytest.raises(ValueError, match="no round is left"):
        Episode.reflecting_on(play([zoom_reply(1, 2, 1), answer_reply(WRONG)], max_zooms=1)[0], "x")
    waiting, _ = play([zoom_reply(1, 2, 1)])
    waiting.step(zoom_reply(3, 4, 1))
    with pytest.raises(ValueError, match="waits for frames"):
        Episode.reflecting_on(waiting, "x")


def test_a_reflection_on_a_full_episode_drops_the_last_failures():
    failed, _ = play([zoom_reply(1, 2, 1), zoom_reply(3, 4, 1), zoom_reply(5, 6, 1), answer_reply(WRONG)])
    episode = Episode.reflecting_on(failed, "x")
    assert [turn.start_s for turn in episode.turns] == [1, 3]
