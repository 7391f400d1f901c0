"""Guessing: its chance, the binomial tail, and the sequential test's error rates, computed exactly."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.protocol.chance import SequentialTest, chance_of, tail

BLIND = SequentialTest(0.25, 0.6, 0.05, 0.1, 16)
FRAMES = SequentialTest(0.25, 0.8, 0.05, 0.1, 16)


def share_right(test: SequentialTest, skill: float) -> tuple[float, float]:
    """Probability that a player of this skill counts as right, and the mean number of answers, over all courses."""
    alive, right, answers = {(0, 0): 1.0}, 0.0, 0.0
    for _ in range(test.max_samples):
        following: dict[tuple[int, int], float] = {}
        for (correct, valid), weight in alive.items():
            answers += weight
            for more, share in ((1, skill), (0, 1 - skill)):
                state = correct + more, valid + 1
                if test.settled(*state):
                    right += weight * share * bool(test.right(*state))
                else:
                    following[state] = following.get(state, 0.0) + weight * share
        alive = following
    return right + sum(weight * bool(test.right(*state)) for state, weight in alive.items()), answers


@pytest.mark.parametrize(
    "answer_type, options, chance", [("choice", 4, 0.25), ("choice", 2, 0.5), ("yes_no", 0, 0.5), ("text", 0, 0.07)]
)
def test_the_chance_of_a_guess(answer_type, options, chance):
    assert chance_of(answer_type, options, 0.07) == chance


@given(valid=st.integers(0, 9), correct=st.integers(0, 9), chance=st.sampled_from([0.05, 0.25, 0.5]))
def test_the_tail_counts_all_courses(valid, correct, chance):
    courses = itertools.product((True, False), repeat=valid)
    exact = sum(chance ** sum(c) * (1 - chance) ** (valid - sum(c)) for c in courses if sum(c) >= correct)
    assert tail(correct, valid, chance) == pytest.approx(exact)


def test_a_question_solved_at_seven_of_ten_without_frames_is_found():
    """Two samples that must both be right find it 49% of the time."""
    found, answers = share_right(BLIND, 0.7)
    assert found > 0.93 and answers < 8
    assert share_right(BLIND, 0.9)[0] > 0.999


@pytest.mark.parametrize("test", [BLIND, FRAMES])
def test_few_guessers_count_as_right_and_few_players_who_see_as_guessers(test):
    assert share_right(test, test.chance)[0] < 0.05
    assert share_right(test, test.rate)[0] > 0.77 and share_right(test, 0.95)[0] > 0.99
    assert share_right(test, 0.1)[0] < 0.005


def test_a_clear_answer_takes_few_samples():
    assert FRAMES.needed(0, 0) == 2, "two wrong answers decide"
    assert FRAMES.needed(2, 2) == 1 and FRAMES.needed(3, 3) == 0
    assert share_right(FRAMES, 0.97)[1] < 3.5


@given(st.integers(0, 12), st.integers(0, 12))
def test_no_answer_is_asked_for_once_it_is_settled(correct, wrong):
    needed, settled = FRAMES.needed(correct, correct + wrong), FRAMES.settled(correct, correct + wrong)
    assert (needed == 0) == settled
    if not settled and needed < FRAMES.max_samples:
        valid = correct + wrong + needed
        assert FRAMES.settled(correct + needed, valid) or FRAMES.settled(correct, valid)


def test_what_cannot_be_told_from_guessing_is_not_asked():
    assert (
        not SequentialTest(0.5, 0.5, 0.05, 0.1, 12).decides
        and SequentialTest(1.0, 0.8, 0.05, 0.1, 12).needed(0, 0) == 0
    )
    assert FRAMES.right(0, 0) is None
    assert math.isclose(FRAMES.upper, math.log(18)) and FRAMES.lower < 0
