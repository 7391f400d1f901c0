"""The section `protocol`: the numbers that every episode is played by."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from videozoomer.protocol.prompts import load_prompts
from videozoomer.protocol.protocol import Protocol
from videozoomer.settings.base import Count, Positive, Settings

PAPER = Protocol()
"""The paper's numbers, which are the defaults."""


class ProtocolSettings(Settings):
    overview_fps: Annotated[float, Field(gt=0)] = PAPER.overview_fps
    """Frames per second of the overview, for videos short enough that they fit into overview_frames; the paper's
    0.5."""
    overview_frames: Positive = PAPER.overview_frames
    """Maximum frames of the overview; a longer video gets this many, evenly spaced. The paper's is 64."""
    zoom_frames: Positive = PAPER.zoom_frames
    """Maximum frames of one zoom; a call that asks for more is answered with an error. The paper's is 16."""
    max_zooms: Count = PAPER.max_zooms
    """Maximum zooms of an episode, before the turn that answers; the paper's is 4."""
    min_pixels: Positive = PAPER.min_pixels
    """Minimum pixels of a frame, keeping its aspect ratio; the paper's is 32 visual tokens of 28 by 28 pixels."""
    max_pixels: Positive = PAPER.max_pixels
    """Maximum pixels of a frame, keeping its aspect ratio; the paper's is 128 visual tokens of 28 by 28 pixels."""
    prompts: str = "v1"
    """Version of the prompt texts: the name of a folder in videozoomer/protocol/prompts."""

    @field_validator("prompts")
    @classmethod
    def _there_are_such_prompts(cls, version: str) -> str:
        try:
            load_prompts(version)
        except FileNotFoundError as error:
            raise ValueError(str(error)) from None
        return version

    def to_protocol(self) -> Protocol:
        """The numbers that episodes are played by."""
        return Protocol(**self.model_dump(exclude={"prompts"}))
