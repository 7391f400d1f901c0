"""Writes the trajectory browser: one offline HTML file that contains its data, pictures, style and script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.viewer import data
from eval.viewer.select import choose, summaries
from videozoomer.lake.atomic import write_text
from videozoomer.lake.lake import Lake
from videozoomer.protocol.evidence import EDGE_S
from videozoomer.protocol.options import LETTERS

FOLDER = Path(__file__).parent
KINDS = ("exemplar", "student", "reflection", "probe", "evidence", "evaluation", "rollout")
"""Kinds in the order in which a run makes them."""
MAX_TRAJECTORIES = 240
MAX_BYTES = 48_000_000
"""Maximum bytes of pictures in base64: about as much as a browser opens from disk without a pause."""


def write_viewer(
    lake: Lake,
    target: Path,
    *,
    max_trajectories: int = MAX_TRAJECTORIES,
    max_bytes: int = MAX_BYTES,
    prefer: Sequence[str] = (),
) -> Path:
    """Write the page to `target` atomically and return its path.

    If not all trajectories fit, those that `prefer` names come first (ids, kinds, verdicts, outcomes, reasons; see
    `eval.viewer.select.choose`), and the page says how many were left out.
    """
    return write_text(target, render(gather(lake, max_trajectories, max_bytes, prefer)))


def gather(lake: Lake, max_trajectories: int, max_bytes: int, prefer: Sequence[str]) -> dict[str, Any]:
    """Everything that the page shows, as JSON values."""
    known = summaries(lake)
    shown = data.trajectories(lake, choose(known, max_trajectories, prefer))
    sizes = data.frame_sizes(lake, (frame_id for trajectory in shown for frame_id in data.frame_ids(trajectory)))
    shown, needed = _that_fit(shown, sizes, max_bytes)
    # All attempts at a question appear next to each other.
    shown.sort(
        key=lambda t: (t["question_id"], KINDS.index(t["kind"]), t["player"], t["condition"], t["sample"], t["id"])
    )
    return {
        "trajectories": shown,
        "questions": data.questions(lake, (t["question_id"] for t in shown)),
        "videos": data.videos(lake, (t["video_id"] for t in shown)),
        "frames": data.frames(lake, needed),
        "reasons": data.reasons(reason for t in shown for reason in t["reasons"]),
        "evidence_edge_s": EDGE_S,
        "letters": LETTERS,
        "note": _note(known.height, len(shown), len(needed - set(sizes)), max_trajectories, max_bytes),
    }


def _that_fit(shown: list[dict], sizes: dict[str, int], max_bytes: int) -> tuple[list[dict], set[str]]:
    """The first trajectories whose distinct frames stay within the limit, and the ids of those frames."""
    needed: set[str] = set()
    total = 0
    for number, trajectory in enumerate(shown):
        new = set(data.frame_ids(trajectory)) - needed
        total += sum(sizes.get(frame_id, 0) * 4 // 3 for frame_id in new)
        if total > max_bytes:
            return shown[:number], needed
        needed |= new
    return shown, needed


def _note(known: int, shown: int, missing: int, max_trajectories: int, max_bytes: int) -> str:
    parts = []
    if shown < known:
        parts.append(
            f"The page shows {shown:,} of {known:,} trajectories; it is limited to {max_trajectories:,} of them and to "
            f"{max_bytes / 1e6:.0f} MB of pictures. To see another one, run `videozoomer trajectories show ID`. For a "
            "larger page, call eval.viewer.page.write_viewer(lake, target, max_trajectories=..., max_bytes=...)."
        )
    if missing:
        parts.append(f"{missing:,} frames of these trajectories are not stored in table `frames` and cannot be shown.")
    return " ".join(parts)


def render(gathered: dict[str, Any]) -> str:
    """The page with its data. Every `<` in the data is escaped, so no text can end the script element."""
    inline = json.dumps(gathered, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    inline = inline.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    for mark, names in (("/*style*/", ["page.css"]), ("/*script*/", ["drawing.js", "page.js"])):
        page = page.replace(mark, "".join((FOLDER / name).read_text(encoding="utf-8") for name in names))
    return page.replace("/*data*/", inline)
