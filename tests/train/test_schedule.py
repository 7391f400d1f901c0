"""Order and learning rate are functions of the step, and every trajectory is seen as often as another."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.collate import DataError, Sample
from train.schedule import Order, accumulation, learning_rate, parts
from train.tokens import Tokens


def samples(count: int) -> list[Sample]:
    return [Sample(f"t{index}", Tokens([0] * (index % 7 + 1), [1.0] * (index % 7 + 1), ())) for index in range(count)]


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 5))
def test_whole_epochs_see_every_trajectory_equally_often(count, batch_size, seed):
    order = Order(samples(count), batch_size, seed)
    seen = Counter(sample.row_id for step in range(count) for sample in order.of_step(step))
    assert set(seen.values()) == {batch_size} and len(seen) == count
    assert order.of_step(3) == Order(samples(count), batch_size, seed).of_step(3)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_processes_share_a_step_without_overlap(size, world, times):
    chosen = samples(size * world * times)
    shares = [parts(chosen, size, rank, world) for rank in range(world)]
    assert {len(share) for share in shares} == {accumulation(len(chosen), size, world)}
    assert sorted(s.row_id for share in shares for part in share for s in part) == sorted(s.row_id for s in chosen)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(DataError, match="multiple"):
        accumulation(10, 2, 3)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_rate_rises_to_its_peak_and_falls(steps, warmup):
    rates = [learning_rate(step, steps, 1.0, warmup) for step in range(steps)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)
