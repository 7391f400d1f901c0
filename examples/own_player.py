"""A player of your own: anything that replies to a conversation, played by the real protocol and graded.

    python examples/own_player.py runs/own-videos        # after examples/own_videos.py, or any finished home

The player here is a stand-in for yours: it zooms where neighbouring overview frames differ most, then guesses. Replace
`Contrast.reply` with a call to your model. It receives the conversation with frames by id and never the answer; the
frames' JPEGs come from the store.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from assets.items import playable, put_overview_frames
from distill.client.calls import Reply
from distill.items import EpisodeJob
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from eval.metrics import summarise
from filters.grading import grade_rows
from videozoomer.lake import Lake
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import QuestionRow
from videozoomer.protocol import Image, Message, Protocol, load_prompts
from videozoomer.video.reader import ReaderPool


class Contrast:
    """Zooms once, around the greatest change between two overview frames, then guesses."""

    name = "contrast"

    def __init__(self, store: FrameStore) -> None:
        self._store = store

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        if any(message.role == "assistant" for message in messages):
            return Reply("<think>I cannot tell, so I guess.</think><answer>A</answer>")
        frames = [part for message in messages for part in message.parts if isinstance(part, Image)]
        light = [self._light(frame.frame_id) for frame in frames]
        changes = [float(np.abs(one - two).mean()) for one, two in pairwise(light)]
        after = int(np.argmax(changes)) if changes else 0
        start_s = frames[after].time_s
        return Reply(
            f"<think>Something changes after {start_s:.2f} s.</think>"
            f'<video_zoom>{{"segment": [{start_s}, {start_s + 2}], "fps": 4}}</video_zoom>'
        )

    def _light(self, frame_id: str) -> np.ndarray:
        picture = Picture.open(io.BytesIO(self._store.jpeg(frame_id))).convert("L").resize((32, 18))
        return np.asarray(picture, dtype=float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="home of a finished run")
    given = parser.parse_args()
    # The default numbers, as in own_videos.py. A recipe of yours may have others: `recipe.protocol.to_protocol()`.
    lake, protocol = Lake(given.home / "tables"), Protocol()
    batches = lake.partitions("files")
    if not batches:
        parser.error(f"{given.home} holds no finished run; run examples/own_videos.py first and give its home")
    with (
        tempfile.TemporaryDirectory() as scratch,
        FrameStore(Path(scratch) / "frames.sqlite") as store,
        ReaderPool(protocol.min_pixels, protocol.max_pixels) as readers,
    ):
        for batch in batches:
            put_overview_frames(lake, batch, store)
        items = [item for batch in batches for item in playable(lake, batch)]
        runner = EpisodeRunner(Contrast(store), readers.frames_at, store, protocol, load_prompts())
        rows = runner.play_all([EpisodeJob(item, "evaluation", temperature=0.0) for item in items])
    questions = rows_as(QuestionRow, lake.read("questions"))
    grades = grade_rows(rows, questions)
    for figure in summarise(rows, grades, questions):
        if figure["metric"] in ("accuracy", "hit_rate") and figure["slice"] == "all" and figure["value"] is not None:
            print(
                f"{figure['metric']:9} {figure['value']:.0%} [{figure['low']:.0%}, {figure['high']:.0%}] "
                f"of {figure['questions']} questions"
            )


if __name__ == "__main__":
    main()
