"""Replies of every kind, and a player that sends them."""

from __future__ import annotations

from builders import answer_reply, zoom_reply
from hypothesis import strategies as st

from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.parsing import ANSWER, THINK, ZOOM

PROMPTS = load_prompts("v1")
SMALL = Protocol(overview_frames=8, zoom_frames=6, max_zooms=3)
DURATION_S = 100.0

TAGS = [f"<{slash}{name}>" for name in (THINK, ZOOM, ANSWER) for slash in ("", "/")]
PIECES = [
    *TAGS, *TAGS, "", " ", "\n", "B", "\\boxed{", "}", "{", "[]", "null", "<tool_response>",
    '{"segment": [1, 3], "fps": 2}', '{"segment": [3, 1], "fps": 2}', '{"segment": "x"}',
    '{"segment": [1, NaN], "fps": Infinity}', '{"segment": [1e999, 2], "fps": -1}',
]  # fmt: skip
broken = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=14).map("".join)
any_number = st.one_of(
    st.floats(0, DURATION_S * 1.1),
    st.integers(0, int(DURATION_S)),
    st.floats(),
    st.integers(-(10**400), 10**400),
    st.sampled_from([0, 1e308, 5e-324]),
)
thought = st.text(alphabet=st.characters(exclude_characters="<>", exclude_categories=["Cs"]), max_size=20)


any_zoom = st.builds(zoom_reply, any_number, any_number, any_number, thought)
fair_zoom = st.builds(
    lambda start_s, length_s, fps: zoom_reply(start_s, start_s + length_s, fps),
    st.floats(0, 95),
    st.floats(0.01, 5),
    st.floats(0.1, 1.1),
)
any_answer = st.builds(answer_reply, st.sampled_from(["B", "", "\\boxed{B}", "a <b> c"]), thought)
replies = st.lists(st.one_of(broken, any_zoom, fair_zoom, any_answer), min_size=6, max_size=6)


def task(question="What is shown?", options=("red", "blue")):
    return Task(question, tuple(options), "choice", DURATION_S)


def overview(count=4):
    return [FrameRef(f"o{index}", 25.0 * index) for index in range(count)]


def frame_at(time_s, turn):
    """The frame on the screen then, at 25 frames per second."""
    return FrameRef(f"z{turn}@{time_s:.6f}", int(time_s * 25) / 25)


def play(some_replies, *, max_zooms=None, protocol=SMALL, author="policy"):
    """An episode played until it or the replies end, and the times that each step requested."""
    episode = Episode(task(), overview(), protocol, PROMPTS, max_zooms=max_zooms, author=author)
    return episode, go_on(episode, some_replies)


def go_on(episode, some_replies):
    asked = []
    for reply in some_replies:
        if not episode.running:
            break
        asked.append(times := episode.step(reply))
        if times:
            episode.show([frame_at(time_s, len(episode.turns)) for time_s in times])
    return asked
