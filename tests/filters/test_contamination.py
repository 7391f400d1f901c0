"""Leaked videos and questions are found; different videos of the same style are not."""

import numpy as np
import pytest

from filters.contamination import find_leaks
from filters.signatures import find_copies
from videozoomer.settings.model import FilterSettings

LONG = (
    "When the man in the yellow coat has crossed the wooden bridge twice, what does he put on the table beside the "
    "lamp?"
)


def shots(seed: int, seconds: int = 120) -> np.ndarray:
    """Hashes of a video with shots of 2 to 9 seconds, in which neighbouring seconds differ by a few bits."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 10, seconds)
    return changed(np.repeat(rng.integers(0, 2**64, len(lengths), dtype=np.uint64), lengths)[:seconds], 2, seed)


def changed(hashes: np.ndarray, bits: int, seed: int = 0) -> np.ndarray:
    """The same hashes with up to `bits` bits flipped in each, as after re-encoding."""
    rng = np.random.default_rng(seed)
    for _ in range(bits):
        hashes = hashes ^ (np.uint64(1) << rng.integers(0, 64, len(hashes), dtype=np.uint64))
    return hashes


def between(hashes: np.ndarray) -> np.ndarray:
    """A copy that starts half a second later: each frame shows the picture of the second before or after it."""
    return np.where(np.random.default_rng(1).random(len(hashes) - 1) < 0.5, hashes[:-1], hashes[1:])


ORIGINAL = shots(1)
COPIES = {
    "re-encoded": changed(ORIGINAL, 4),
    "trimmed at both ends": changed(ORIGINAL, 4)[20:70],
    "starts later": changed(ORIGINAL, 4)[13:],
    "after the opening of another video": np.concatenate([shots(2, 40), changed(ORIGINAL, 4)]),
    "half a second off": between(changed(ORIGINAL, 3)),
    "second half replaced": np.concatenate([changed(ORIGINAL, 3)[:75], shots(3, 45)]),
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("swapped", [False, True])
def test_copies_are_found_on_either_side(name, swapped):
    left, right = {"original": ORIGINAL, "other": shots(8)}, {"copy": COPIES[name], "another": shots(9)}
    if swapped:
        left, right = right, left
    found = list(find_copies(left, right, distance=18, share=0.5))
    assert [{copy.left, copy.right} for copy in found] == [{"original", "copy"}]
    assert found[0].share >= 0.5


def test_a_copy_half_a_second_off_matches_in_full():
    """Pictures last two seconds, so half of the copy's frames show the picture of the next second."""
    pictures = np.random.default_rng(4).integers(0, 2**64, 60, dtype=np.uint64)
    original = np.repeat(pictures, 2)
    (copy,) = find_copies({"copy": between(original)}, {"original": original}, distance=18, share=0.95)
    assert (copy.left, copy.right, copy.share) == ("copy", "original", 1.0)


def test_the_shift_is_the_position_of_the_copy():
    (copy,) = find_copies({"clip": ORIGINAL[30:90]}, {"whole": ORIGINAL}, distance=18, share=0.5)
    assert copy.shift_s in (29, 30) and copy.share == 1.0


def test_similar_videos_are_no_copies():
    slide, desk = shots(4, 9)[0], shots(5, 9)[0]
    left = {
        "still": np.full(300, slide),
        "black": np.zeros(120, np.uint64),
        "shuffled": ORIGINAL,
        "opening": np.concatenate([ORIGINAL[:30], shots(6, 90)]),
        "talk": np.concatenate([np.full(60, desk), shots(7, 60)]),
        "nothing": np.empty(0, np.uint64),
    }
    right = {
        "still": changed(np.full(280, slide), 2),
        "black": np.zeros(100, np.uint64),
        "shuffled": np.random.default_rng(0).permutation(ORIGINAL),
        "opening": np.concatenate([ORIGINAL[:30], shots(10, 90)]),
        "talk": np.concatenate([np.full(70, desk), shots(11, 50)]),
        "nothing": np.empty(0, np.uint64),
    }
    for name in left:
        assert list(find_copies({name: left[name]}, {name: right[name]}, distance=18, share=0.5)) == [], name


def test_no_videos_on_one_side():
    assert list(find_copies({}, {"v": ORIGINAL}, distance=18, share=0.5)) == []


def leaks(rows, **settings):
    frame = find_leaks(rows.save(), FilterSettings(**settings))
    return {(row["kind"], row["train_id"], row["evaluation_id"]) for row in frame.iter_rows(named=True)}


def test_leaks_of_videos(rows):
    for name, seed in (("both", 1), ("original", 2), ("copy", 2), ("free", 3), ("measured", 4), ("unasked", 2)):
        rows.video(name, signature=[int(h) for h in changed(shots(seed), 3, len(name))])
    rows.video("both", uri="again.mp4", signature=[int(h) for h in shots(1)])
    for name in ("both", "copy", "free"):
        rows.question(f"t_{name}", name)
    for name in ("original", "measured", "again"):
        rows.question(f"e_{name}", name, split="evaluation")
    found = leaks(rows)
    assert found == {("video_id", "both", "both"), ("video_signature", "copy", "original")}


def test_similar_questions_on_a_copied_video_leak(rows):
    rows.video("copy", signature=[int(h) for h in shots(1)])
    rows.video("original", signature=[int(h) for h in changed(shots(1), 3)])
    rows.video("other", signature=[int(h) for h in shots(2)])
    rows.question("t1", "copy", "How many red discs are shown?")
    rows.question("t2", "copy", "When does the bell ring?")
    rows.question("t3", "other", "How many red discs are shown?")
    rows.question("e1", "original", "How many red disks are shown?", split="evaluation")
    assert leaks(rows) == {("video_signature", "copy", "original"), ("question_text", "t1", "e1")}
    assert leaks(rows, text_ratio=100) == {("video_signature", "copy", "original")}


def test_shared_wording_leaks_across_videos_unless_several_videos_use_it(rows):
    for name in ("v1", "v2", "v3", "v4"):
        rows.video(name)
    rows.question("t1", "v1", LONG, answer="a key")
    rows.question("t2", "v1", LONG, answer="B", options=("a cup", "A key"), answer_type="choice")
    rows.question("t3", "v1", LONG, answer="a cup")
    rows.question("e1", "v3", LONG.replace("When", "After"), answer="The key.", split="evaluation")
    assert leaks(rows) == {("question_text", "t1", "e1"), ("question_text", "t2", "e1")}
    rows.question("t4", "v2", LONG, answer="a lamp")
    assert leaks(rows) == set(), "several training videos share the wording"


def test_quarantined_rows_do_not_leak(rows):
    rows.video("v1", signature=[int(h) for h in shots(1)])
    rows.question("t", "v1", status="quarantined")
    rows.question("e", "v1", split="evaluation")
    assert leaks(rows) == set()
