"""Order and learning rate depend on the step alone, and all trajectories are used equally often."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.policy.chat_tokens import Tokens
from train.policy.collate import DataError, Sample
from train.sft.packing import packed_rows
from train.sft.schedule import Order, check_sizes, learning_rate, micro_batches, step_count


def samples(count: int) -> list[Sample]:
    return [Sample(f"t{index}", Tokens([0] * (index % 7 + 1), [1.0] * (index % 7 + 1), ())) for index in range(count)]


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 5), st.integers(1, 9))
def test_full_epochs_use_every_trajectory_equally_often(count, batch_size, seed, window):
    order = Order(samples(count), batch_size, seed, count, window)
    seen = Counter(sample.row_id for step in range(count) for sample in order.of_step(step))
    assert set(seen.values()) == {batch_size} and len(seen) == count
    last = count - 1
    assert order.of_step(last) == Order(samples(count), batch_size, seed, count, window).of_step(last)


def test_steps_of_a_window_have_samples_of_similar_length_in_random_order():
    given_samples = samples(70)
    spread = {}
    for window in (1, 8):
        steps = [[len(sample) for sample in Order(given_samples, 7, 0, 10, window).of_step(step)] for step in range(10)]
        assert all(len(step) == 7 for step in steps)
        spread[window] = sum(max(step) - min(step) for step in steps)
        shortest = [min(step) for step in steps[:8]]
    assert spread[8] < spread[1] / 2
    assert shortest != sorted(shortest)


@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 5))
def test_processes_share_a_step_without_overlap(count, size, world):
    chosen = samples(count)
    for share_of in (
        lambda rank: micro_batches(chosen, size, rank, world),
        lambda rank: packed_rows(chosen, 10, rank, world),
    ):
        shares = [share_of(rank) for rank in range(world)]
        assert len({len(share) for share in shares}) == 1
        assert sorted(s.row_id for share in shares for part in share for s in part) == sorted(s.row_id for s in chosen)
    assert all(sum(map(len, row)) <= 10 for row in packed_rows(chosen, 10, 0, world))


def test_packing_needs_as_few_rows_as_possible():
    rows = packed_rows(samples(70), 28, 0, 1)
    assert sum(sum(map(len, row)) for row in rows) == 280 and len(rows) == 10


def test_the_last_step_completes_the_epoch():
    assert [step_count(10, 4, 1, None), step_count(10, 4, 2, None), step_count(10, 4, 2, 3)] == [3, 5, 3]


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(DataError, match="multiple"):
        check_sizes(10, 2, 3)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_rate_rises_to_its_peak_and_falls(steps, warmup):
    rates = [learning_rate(step, steps, 1.0, warmup) for step in range(steps)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)
