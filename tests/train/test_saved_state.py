"""Runs resume from states that earlier releases saved."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from train.rl.training import RlProgress
from train.run.process_group import ProcessInfo
from train.run.saved_state import Progress, SavedState
from train.sft.training import SftProgress

SFT_SAVED = {
    "step": 6,
    "tokens": 900,
    "cells": 1000.0,
    "seconds": 3.5,
    "flops": 1e9,
    "phases": {"loading": 0.5, "vision": 0.5, "forward": 1.0, "backward": 1.0, "optimiser": 0.5},
    "loss_before": 6.2,
    "loss": 4.5,
    "best_step": 5,
    "best_loss": 4.4,
}
RL_SAVED = {
    "step": 2,
    "position": 6,
    "tokens": 900.0,
    "seconds": 3.5,
    "first": {"reward": 0.8, "accuracy": 0.5, "zoom_rate": 1.0, "hit_rate": None},
    "phases": {"generation": 3.0, "rows": 0.5},
}


class RecordedEngine:
    """DeepSpeed's engine, as far as saving and loading of progress goes."""

    def __init__(self, saved: dict) -> None:
        self.saved = saved

    def load_checkpoint(self, folder: str) -> tuple[str, dict]:
        # DeepSpeed mixes its own entries with those of the run.
        return folder, self.saved | {"ds_version": "0.19", "global_steps": 6}


def state_of(folder: Path, saved: dict, stamp: str = "stamp") -> SavedState:
    folder.mkdir(exist_ok=True)
    (folder / "stamp").write_text("stamp")
    (folder / "latest").write_text("step6")
    return SavedState(RecordedEngine(saved), folder, stamp, 0, ProcessInfo(0, 1, torch.device("cpu"), False))


@pytest.mark.parametrize(("kind", "saved"), [(SftProgress, SFT_SAVED), (RlProgress, RL_SAVED)])
def test_progress_saved_as_a_dictionary_is_read(kind: type[Progress], saved: dict, tmp_path):
    """The dictionaries that runs saved before `Progress` was a dataclass; its fields are still their keys."""
    beginning = kind(phases=dict.fromkeys(saved["phases"], 0.0))
    resumed = state_of(tmp_path / "state", saved).resume(beginning)
    assert asdict(resumed) == saved
    assert asdict(beginning).keys() == saved.keys()


def test_the_state_of_another_run_is_ignored(tmp_path):
    beginning = SftProgress(phases={})
    assert state_of(tmp_path / "state", SFT_SAVED, stamp="other").resume(beginning) is beginning
