"""Leaked videos and questions are found; different videos of the same style are not."""

from film_hashes import film, mapped, noisy

from filters.contamination import find_leaks
from filters.copies.film import Film
from filters.copies.table import compare_films
from videozoomer.settings.model import FilterSettings

LONG = (
    "When the man in the yellow coat has crossed the wooden bridge twice, what does he put on the table beside the "
    "lamp?"
)


def copy(seed: int, noise: int) -> Film:
    return mapped(film(seed), lambda hashes: noisy(hashes, 3, noise))


def leaks(rows, **settings):
    lake = rows.save()
    lake.write("copies", compare_films(lake, FilterSettings(**settings)).copies)
    frame = find_leaks(lake, FilterSettings(**settings)).leaks
    return {(row["kind"], row["train_id"], row["evaluation_id"]) for row in frame.iter_rows(named=True)}


def test_leaks_of_videos(rows):
    for name, seed in (("both", 1), ("original", 2), ("copy", 2), ("free", 3), ("measured", 4), ("unasked", 2)):
        rows.video(name, signature=copy(seed, len(name)))
    rows.video("both", uri="again.mp4")
    for name in ("both", "copy", "free"):
        rows.question(f"t_{name}", name)
    for name in ("original", "measured", "again"):
        rows.question(f"e_{name}", name, split="evaluation")
    found = leaks(rows)
    assert found == {("video_id", "both", "both"), ("video_signature", "copy", "original")}


def test_similar_questions_on_a_copied_video_leak(rows):
    rows.video("copy", signature=film(1))
    rows.video("original", signature=copy(1, 3))
    rows.video("other", signature=film(2))
    rows.question("t1", "copy", "How many red discs are shown?")
    rows.question("t2", "copy", "When does the bell ring?")
    rows.question("t3", "other", "How many red discs are shown?")
    rows.question("e1", "original", "How many red disks are shown?", answer="blue", split="evaluation")
    assert leaks(rows) == {("video_signature", "copy", "original"), ("question_text", "t1", "e1")}
    assert leaks(rows, text_ratio=100) == {("video_signature", "copy", "original")}


def test_the_same_question_leaks_across_videos_unless_it_is_a_template(rows):
    for name in ("v1", "v2", "v3", "v4"):
        rows.video(name)
    rows.question("t1", "v1", LONG, answer="a key")
    rows.question("t2", "v2", LONG, answer="B", options=("a cup", "A key"), answer_type="choice")
    rows.question("t3", "v1", LONG, answer="a cup")
    rows.question("e1", "v3", LONG.replace("When", "when"), answer="The key.", split="evaluation")
    rows.question("e2", "v4", LONG.replace("lamp", "vase"), answer="A cup", split="evaluation")
    assert leaks(rows) == {("question_text", "t1", "e1"), ("question_text", "t2", "e1")}
    rows.question("t4", "v2", LONG, answer="a lamp")
    assert leaks(rows) == set(), "asked with three answers, it is a template"


def test_quarantined_rows_do_not_leak(rows):
    rows.video("v1", signature=film(1))
    rows.question("t", "v1", status="quarantined")
    rows.question("e", "v1", split="evaluation")
    assert leaks(rows) == set()
