"""Rewards at the end of an episode."""

import pytest

from train.rl.rewards import evidence_reward, group_rewards, paper_reward
from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.evidence import Window
from videozoomer.settings.model import RlSettings

EVIDENCE = (Window(5.0, 6.0),)


def played(*zooms: tuple[float, float, float], overview=(0.0, 10.0, 20.0), answer: bool = True) -> Episode:
    frames = [FrameRef(f"o{time}", time) for time in overview]
    episode = Episode(Task("What?", (), "text", 30.0), frames, Protocol(), load_prompts())
    for start, end, fps in zooms:
        times = episode.step(f'<think>a</think><video_zoom>{{"segment": [{start}, {end}], "fps": {fps}}}</video_zoom>')
        episode.show([FrameRef(f"z{time}", time) for time in times])
    episode.step("<think>b</think><answer>red</answer>" if answer else "no answer")
    return episode


HIT, MISS, SPARSE, DIRECT = played((4, 8, 2)), played((20, 24, 2)), played((0, 30, 0.1)), played()


def test_the_paper_rewards_any_zoom_before_a_right_answer():
    settings = RlSettings(reward="paper")
    assert [paper_reward(e, True, settings).total for e in (HIT, MISS, DIRECT)] == pytest.approx([1.5, 1.5, 1.0])
    assert [paper_reward(e, False, settings).total for e in (HIT, DIRECT)] == pytest.approx([0.1, 0.1])
    assert paper_reward(played((4, 8, 2), answer=False), False, settings).total == 0


def test_only_a_zoom_that_shows_the_evidence_is_rewarded():
    settings = RlSettings(needless_frame_cost=0.01)
    worth = {
        name: evidence_reward(episode, True, EVIDENCE, False, settings).total
        for name, episode in (("hit", HIT), ("miss", MISS), ("sparse", SPARSE), ("direct", DIRECT))
    }
    assert worth["hit"] == pytest.approx(1.5)
    assert worth["miss"] == pytest.approx(1.0 - 8 * 0.01)
    # A segment over the whole video overlaps the evidence, but none of its frames shows it.
    assert worth["sparse"] == pytest.approx(1.0 - 3 * 0.01)
    assert worth["direct"] == pytest.approx(1.0)
    assert evidence_reward(HIT, False, EVIDENCE, False, settings).tool == 0


def test_zooming_is_never_rewarded_where_the_overview_suffices():
    settings = RlSettings(needless_frame_cost=0.01)
    seen = [played((4, 8, 2), overview=(0.0, 5.5)), played(overview=(0.0, 5.5))]
    zoomed, direct = group_rewards(seen, [True, True], EVIDENCE, settings)
    assert (zoomed.tool, direct.tool) == (0, 0) and direct.total > zoomed.total


@pytest.mark.parametrize(("direct_is_right", "tool"), [(True, 0.0), (False, 0.5)])
def test_without_known_evidence_the_group_decides_whether_a_zoom_was_needed(direct_is_right, tool):
    rewards = group_rewards([HIT, DIRECT], [True, direct_is_right], (), RlSettings())
    assert rewards[0].tool == tool


def test_a_found_window_pays_for_its_frames_and_says_nothing_about_the_overview():
    """An overview frame inside the zoom that sufficed is one at a far lower rate."""
    found, settings = (Window(4.0, 12.0),), RlSettings()
    given = group_rewards([HIT, MISS], [True, True], found, settings)
    assert [reward.tool for reward in given] == [0, 0]
    rewards = group_rewards([HIT, MISS, SPARSE], [True, True, True], found, settings, evidence_found=True)
    assert [reward.tool for reward in rewards] == [0.5, 0, 0.5]
    direct = group_rewards([HIT, DIRECT], [True, True], found, settings, evidence_found=True)
    assert [reward.tool for reward in direct] == [0, 0], "the group's own answers show that no zoom was needed"


@pytest.mark.parametrize(("direct_answers", "tool"), [((True, False), 0.5), ((True, True, False), 0.0), ((), 0.5)])
def test_without_known_evidence_half_of_the_direct_answers_are_not_most(direct_answers, tool):
    """A zoom is needless only where more than half of the answers without a zoom are right."""
    rewards = group_rewards([HIT, *[DIRECT] * len(direct_answers)], [True, *direct_answers], (), RlSettings())
    assert rewards[0].tool == tool
