"""Every episode becomes a row, even when it fails, and a stored row replays to the same episode."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from builders import frames_at
from distill_world import make_items

from distill.client.calls import Reply
from distill.exemplars import exemplar_jobs
from distill.items import EpisodeJob
from distill.probes import probe_jobs
from distill.records import RecordError, to_episode
from distill.reflections import chosen_openings, reflection_jobs
from distill.rollouts import LOOKAHEAD, EpisodeRunner
from distill.storage.frames import FrameStore
from videozoomer.lake.catalog import CATALOG
from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings.model import DistillSettings, FilterSettings
from videozoomer.video.types import FrameError

PROTOCOL, PROMPTS = Protocol(), load_prompts("v1")
ZOOM = '<think>look</think><video_zoom>{"segment": [4, 6], "fps": 2}</video_zoom>'
ELSEWHERE = '<think>it was too early</think><video_zoom>{"segment": [14, 16], "fps": 2}</video_zoom>'
ANSWER = "<think>seen</think><answer>A</answer>"


class Scripted:
    """Plays fixed replies, by the number of turns already taken."""

    name = "scripted"

    def __init__(self, *replies):
        self.replies, self.asked = replies, []

    async def reply(self, messages, *, sample, temperature):
        self.asked.append(messages)
        turn = sum(message.role == "assistant" for message in messages)
        return Reply(self.replies[min(turn, len(self.replies) - 1)], "stop", 10, 5, 0.25, f"key{turn}")


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def play(jobs, player, store, reader=frames_at, **kw):
    return EpisodeRunner(player, reader, store, PROTOCOL, PROMPTS, **kw).play_all(jobs)


def test_a_row_describes_the_episode(store):
    done = []
    (row,) = play(
        exemplar_jobs(make_items(store, 1), DistillSettings(samples=1)),
        Scripted(ZOOM, ANSWER),
        store,
        on_done=done.append,
    )
    assert done == [row]
    assert (row["status"], row["answer"], row["zooms"], row["frames_shown"]) == ("answered", "A", 1, 8)
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (20, 10, 0.5)
    assert [turn["author"] for turn in row["turns"]] == ["teacher"] * 2 and row["turns"][0]["frame_times_s"] == [
        4,
        4.5,
        5,
        5.5,
    ]
    assert {frame["frame_id"] for frame in store.rows(row["turns"][0]["frame_ids"])} == set(
        row["turns"][0]["frame_ids"]
    )


def test_a_frame_that_cannot_be_read_fails_its_episode_alone(store):
    def reader(uri, times):
        if uri == "video1":
            raise FrameError(uri, times[0], "damaged")
        return frames_at(uri, times)

    rows = play(exemplar_jobs(make_items(store, 4), DistillSettings(samples=1)), Scripted(ZOOM, ANSWER), store, reader)
    assert [row["failure"] for row in rows] == [None, "frame_unreadable"] * 2
    assert rows[1]["turns"][0]["action"] == "zoom" and rows[1]["input_tokens"] == 10
    assert CATALOG["trajectories"].conform(rows).height == 4


def test_an_unexpected_error_becomes_a_failed_row(store):
    def reader(uri, times):
        raise ZeroDivisionError

    rows = play(exemplar_jobs(make_items(store, 2), DistillSettings(samples=1)), Scripted(ZOOM, ANSWER), store, reader)
    assert [row["failure"] for row in rows] == ["unexpected"] * 2


def test_frames_of_a_read_are_decoded_once(store):
    reads = []

    def reader(uri, times):
        reads.append(uri)
        return frames_at(uri, times)

    items = make_items(store, 1)
    rows = play(exemplar_jobs(items, DistillSettings(samples=3)), Scripted(ZOOM, ANSWER), store, reader, concurrency=1)
    assert len(reads) == 1 and len({tuple(row["turns"][0]["frame_ids"]) for row in rows}) == 1


def test_players_prepare_frames_whether_read_now_or_before(store):
    class Warmed(Scripted):
        def warm(self, frame_ids):
            self.warmed = list(frame_ids)

    items = make_items(store, 1)
    for _ in range(2):
        player = Warmed(ZOOM, ANSWER)
        (row,) = play(exemplar_jobs(items, DistillSettings(samples=1)), player, store)
        assert player.warmed == row["turns"][0]["frame_ids"]


def test_probes_are_blind_and_have_ids_of_their_own(store):
    item = make_items(store, 1)[0]
    player = Scripted(ANSWER)
    rows = play(probe_jobs([item], FilterSettings(probe_samples=2)), player, store)
    assert [row["frames_shown"] for row in rows] == [0, 0] and not any(
        m.frame_ids for asked in player.asked for m in asked
    )
    assert {row["max_zooms"] for row in rows} == {0}
    assert not list(probe_jobs([item], FilterSettings(probe_without_video=False)))
    jobs = [EpisodeJob(item, "evaluation", max_zooms=zooms) for zooms in (0, 4)]
    assert len({row["trajectory_id"] for row in play(jobs, Scripted(ANSWER), store)}) == 2


def test_reflections_continue_the_failure_without_its_answer(store):
    items, settings = make_items(store, 2), DistillSettings(samples=1, reflections=2)
    failed = play(exemplar_jobs(items, settings), Scripted(ZOOM, ANSWER), store)
    player = Scripted(ZOOM, ELSEWHERE, "<think>now I see</think><answer>B</answer>")
    jobs = list(reflection_jobs(items, failed, settings, PROMPTS))
    assert len(jobs) == 4 and len({(job.parent_row["trajectory_id"], job.opening) for job in jobs}) == 4
    rows = play(jobs, player, store)
    assert CATALOG["trajectories"].conform(rows).height == 4
    for row, job in zip(rows, jobs, strict=True):
        assert (
            row["parent_id"] == job.parent_row["trajectory_id"] and row["kind"] == "reflection" and row["answer"] == "B"
        )
        assert [turn["author"] for turn in row["turns"]] == ["student", "teacher", "teacher"]
        assert [message["train"] for message in row["messages"] if message["role"] == "assistant"] == [
            False,
            True,
            True,
        ]
        text = "".join(part["text"] or "" for message in row["messages"] for part in message["parts"])
        assert job.opening not in text and "<answer>A</answer>" not in text
    assert all(
        job.opening in asked[-1].text for job, asked in zip(jobs, [a for a in player.asked if len(a) == 4], strict=True)
    )


def test_reflections_skip_episodes_without_a_zoom_and_respect_the_limit(store):
    items = make_items(store, 1)
    plain = play(exemplar_jobs(items, DistillSettings(samples=4)), Scripted(ANSWER), store)
    zoomed = play(exemplar_jobs(items, DistillSettings(samples=4)), Scripted(ZOOM, ANSWER), store)
    settings = DistillSettings(reflect_per_question=2)
    assert not list(reflection_jobs(items, plain, settings, PROMPTS))
    assert [job.parent_row["sample"] for job in reflection_jobs(items, zoomed[::-1], settings, PROMPTS)] == [0, 1]


def test_a_parent_without_a_round_left_becomes_a_failed_row(store):
    items = make_items(store, 1)
    protocol = Protocol(max_zooms=1)
    first = EpisodeRunner(Scripted(ZOOM, ANSWER), frames_at, store, protocol, PROMPTS)
    (failed,) = first.play_all(exemplar_jobs(items, DistillSettings(samples=1)))
    second = EpisodeRunner(Scripted(ANSWER), frames_at, store, protocol, PROMPTS)
    rows = second.play_all(reflection_jobs(items, [failed], DistillSettings(), PROMPTS))
    assert [row["failure"] for row in rows] == ["parent_unusable"]
    assert CATALOG["trajectories"].conform(rows).height == 1


def test_openings_are_the_same_in_every_run_and_vary():
    drawn = {chosen_openings(f"t{index}", PROMPTS, 1)[0] for index in range(60)}
    assert len(drawn) == len(PROMPTS.openings)
    assert (
        chosen_openings("t1", PROMPTS, 3) == chosen_openings("t1", PROMPTS, 3)
        and len(set(chosen_openings("t1", PROMPTS, 3))) == 3
    )


def test_a_stored_row_can_be_replayed(store):
    item = make_items(store, 1)[0]
    (row,) = play([EpisodeJob(item, "student")], Scripted(ZOOM, "no call here", ANSWER), store)
    episode = to_episode(row, item.task, PROTOCOL, PROMPTS)
    assert (episode.status, episode.answer, episode.zooms, len(episode.turns)) == ("answered", "A", 1, 3)
    with pytest.raises(RecordError, match="play it again"):
        to_episode(row | {"prompt_version": "v0"}, item.task, PROTOCOL, PROMPTS)


def test_jobs_are_taken_only_when_they_can_start(store):
    items, taken, done = make_items(store, 30), [], []

    def lazily():
        for job in exemplar_jobs(items, DistillSettings(samples=1)):
            taken.append(len(done))
            yield job

    play(lazily(), Scripted(ANSWER), store, concurrency=4, on_done=done.append)
    assert all(number - finished <= 5 for number, finished in enumerate(taken))


def test_overviews_of_coming_jobs_are_prepared_while_others_play(store):
    items, taken, done, told, ready = make_items(store, 100, videos=50), [], [], [], threading.Event()

    class Warmed(Scripted):
        def warm(self, frame_ids):
            told.append(tuple(frame_ids))
            if len(told) == 5:
                ready.set()

        async def reply(self, messages, *, sample, temperature):
            # The first reply comes only when an overview beyond those under way was made ready.
            assert await asyncio.to_thread(ready.wait, 10)
            return await super().reply(messages, sample=sample, temperature=temperature)

    def lazily():
        for job in exemplar_jobs(items, DistillSettings(samples=1)):
            taken.append(len(done))
            yield job

    rows = play(lazily(), Warmed(ANSWER), store, concurrency=4, on_done=done.append)
    assert [(row["question_id"], row["status"]) for row in rows] == [(item.question_id, "answered") for item in items]
    assert told == [tuple(frame.frame_id for frame in item.overview) for item in items][: len(told)]
    assert max(number - finished for number, finished in enumerate(taken)) <= 4 + LOOKAHEAD + 1


def test_overlapping_runs_leave_the_garbage_collector_as_it_was(store):
    before = gc.get_threshold(), gc.get_freeze_count()
    both_playing = threading.Barrier(2)

    class Slow(Scripted):
        async def reply(self, messages, *, sample, temperature):
            if sum(message.role == "assistant" for message in messages) == 0:
                await asyncio.to_thread(both_playing.wait, 10)
            return await super().reply(messages, sample=sample, temperature=temperature)

    items = make_items(store, 1)
    with ThreadPoolExecutor(2) as threads:
        runs = [
            threads.submit(
                play, exemplar_jobs(items, DistillSettings(samples=count)), Slow(ANSWER), store, concurrency=1
            )
            for count in (1, 1)
        ]
        rows = [run.result() for run in runs]
    assert [len(found) for found in rows] == [1, 1]
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


LOOSE = (
    '<think>look</think><tool_call>{"name": "video_zoom", "arguments": {"segment": ["0:04", "0:06"], "fps": "2"}}'
    "</tool_call>"
)


def test_a_call_as_meant_is_played_and_stored_to_the_letter_with_the_reply_as_written(store):
    item = make_items(store, 1)[0]
    jobs = [EpisodeJob(item, "exemplar")]
    (strict,) = play(jobs, Scripted(LOOSE, ZOOM, ANSWER), store)
    assert (strict["turns"][0]["fault"], strict["as_written"]) == ("nothing", None)
    (row,) = play(jobs, Scripted(LOOSE, ANSWER), store, read_as_meant=True)
    (same,) = play(jobs, Scripted(to_the_letter := row["turns"][0]["reply"], ANSWER), store)
    assert row["as_written"] == [LOOSE, ""] and same == row | {"as_written": None}
    assert row["well_formed"] and row["zooms"] == 1 and to_the_letter != LOOSE
    assert not any("tool_call" in part["text"] for m in row["messages"] for part in m["parts"] if part["text"])
    episode = to_episode(row, item.task, PROTOCOL, PROMPTS)
    assert [turn.as_written for turn in episode.turns] == [LOOSE, None]
    table = CATALOG["trajectories"].conform([row, same | {"trajectory_id": "other"}])
    assert table["as_written"].to_list() == [[LOOSE, ""], None]


def test_a_reflection_keeps_what_its_parent_wrote_and_is_read_as_meant_too(store):
    items = make_items(store, 1)
    (failed,) = play(
        exemplar_jobs(items, DistillSettings(samples=1)), Scripted(LOOSE, ANSWER), store, read_as_meant=True
    )
    jobs = list(reflection_jobs(items, [failed], DistillSettings(), PROMPTS))
    elsewhere = LOOSE.replace("0:0", "0:2")
    (row,) = play(jobs, Scripted("never", elsewhere, ANSWER), store, read_as_meant=True)
    assert row["as_written"] == [LOOSE, elsewhere, ""] and row["well_formed"]
