"""Helper threads stand back; the thread that made them does not."""

import os

import pytest

from distill.threads import helpers


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="only Linux has it")
def test_helpers_stand_back_and_nobody_else():
    before = os.sched_getscheduler(0)
    with helpers(1, "aside") as pool:
        standing, forbidden = pool.submit(os.sched_getscheduler, 0).result(), pool.submit(_forbidden).result()
    assert standing == (before if forbidden else os.SCHED_BATCH)
    assert os.sched_getscheduler(0) == before


def _forbidden():
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except OSError:
        return True
