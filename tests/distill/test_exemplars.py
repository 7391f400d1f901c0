"""Which samples are played: early stop, temperatures, several teachers."""

import re
from collections import Counter
from dataclasses import replace

import pytest
from builders import frames_at
from distill_world import make_items

from distill.client.calls import Reply
from distill.exemplars import exemplar_jobs, play_exemplars
from distill.items import EpisodeJob
from distill.player import PlayerPool
from distill.probes import overview_probe_jobs
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.teachers import TeacherPool
from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings.model import DistillSettings

PROTOCOL, PROMPTS = Protocol(), load_prompts("v1")


class Fixed:
    """Answers A to question n from its sample n on."""

    def __init__(self, name="fixed"):
        self.name, self.temperatures, self.started, self.finished = name, [], 0, 0

    async def start(self):
        self.started += 1

    async def finish(self):
        self.finished += 1

    async def reply(self, messages, *, sample, temperature):
        self.temperatures.append((sample, temperature))
        number = int(re.search(r"number (\d+)", messages[1].text)[1])
        return Reply(f"<think>x</think><answer>{'A' if sample >= number else 'B'}</answer>", "stop")


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def exemplars(items, settings, player, store, **kw):
    runner = EpisodeRunner(player, frames_at, store, PROTOCOL, PROMPTS, **kw)
    return play_exemplars(items, settings, runner, is_correct=lambda row: row["answer"] == "A")


def test_a_question_is_played_until_enough_samples_are_correct(store):
    items, done = make_items(store, 4), []
    rows = exemplars(
        items, DistillSettings(samples=4, enough_correct=2), Fixed(), store, concurrency=3, on_done=done.append
    )
    asked = {
        item.question_id: [row["sample"] for row in rows if row["question_id"] == item.question_id] for item in items
    }
    assert list(asked.values()) == [[0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert [row["sample"] for row in rows] == sorted(row["sample"] for row in rows) and len(done) == len(rows)


def test_without_a_limit_every_sample_is_played(store):
    items = make_items(store, 3)
    assert len(exemplars(items, DistillSettings(samples=3), Fixed(), store)) == 9


def test_undecided_samples_do_not_count_as_correct(store):
    runner = EpisodeRunner(Fixed(), frames_at, store, PROTOCOL, PROMPTS)
    settings = DistillSettings(samples=3, enough_correct=1)
    rows = play_exemplars(make_items(store, 1), settings, runner, is_correct=lambda row: None)
    assert len(rows) == 3


def test_temperatures_follow_the_list(store):
    items, player = make_items(store, 1), Fixed()
    rows = exemplars(items, DistillSettings(samples=4, temperatures=(0.2, 0.7)), player, store)
    assert [row["temperature"] for row in rows] == [0.2, 0.7, 0.7, 0.7] and sorted(player.temperatures) == [
        (0, 0.2),
        (1, 0.7),
        (2, 0.7),
        (3, 0.7),
    ]
    assert {job.temperature for job in exemplar_jobs(items, DistillSettings(), temperature=0.4)} == {0.4}


def test_teachers_share_the_samples(store):
    items = make_items(store, 100)
    one, two = Fixed("one"), Fixed("two")
    jobs = list(exemplar_jobs(items, DistillSettings(samples=4)))
    rows = EpisodeRunner(TeacherPool([(one, 1), (two, 3)]), frames_at, store, PROTOCOL, PROMPTS).play_all(jobs)
    played = Counter(row["player"] for row in rows)
    assert played["two"] / len(rows) == pytest.approx(0.75, abs=0.06) and played.total() == 400
    again = EpisodeRunner(TeacherPool([(one, 1), (two, 3)]), frames_at, store, PROTOCOL, PROMPTS).play_all(jobs)
    assert [row["trajectory_id"] for row in again] == [row["trajectory_id"] for row in rows]
    assert one.started == one.finished == two.started == 2
    with pytest.raises(ValueError, match="share above 0"):
        TeacherPool([(one, 0)])


def test_three_teachers_get_their_shares_and_the_same_jobs_in_every_run(store):
    players = [Fixed(name) for name in ("one", "two", "three")]
    jobs = [
        EpisodeJob(replace(item, question_id=f"q{index}"), "exemplar")
        for index, item in enumerate(make_items(store, 1) * 4000)
    ]
    pool = TeacherPool(list(zip(players, (1, 2, 5), strict=True)))
    dealt = Counter(pool.for_job(job).name for job in jobs)
    assert [dealt[player.name] / len(jobs) for player in players] == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.03)
    assert pool.players == tuple(players) and isinstance(pool, PlayerPool)
    assert all(
        pool.for_job(job) is TeacherPool([(p, s) for p, s in zip(players, (1, 2, 5), strict=True)]).for_job(job)
        for job in jobs[:50]
    )


def test_overview_probes_see_the_overview_and_cannot_zoom(store):
    item = make_items(store, 1)[0]
    (row,) = EpisodeRunner(Fixed(), frames_at, store, PROTOCOL, PROMPTS).play_all(overview_probe_jobs([item], 1))
    assert (row["kind"], row["max_zooms"], row["frames_shown"]) == ("probe", 0, 4)
