"""Copies are found whatever was done to them; other films are not, however alike they look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from film_hashes import film, mapped, noisy, part, random_hashes, spliced

from filters.copies.align import align
from filters.copies.film import Film
from filters.copies.find import Copy, find_copies, status_of
from filters.copies.index import candidates
from filters.copies.table import compare_films, pair_id
from videozoomer.settings.model import FilterSettings
from videozoomer.video.hashing import RATE_HZ, Hashes, mirror_mask

ORIGINAL = film(1)


def encoded(original: Film) -> Film:
    return mapped(original, lambda hashes: noisy(hashes, 5))


def mirrored(original: Film) -> Film:
    return mapped(original, lambda hashes: np.where(hashes == 0, hashes, hashes ^ mirror_mask()))


def faster(original: Film, speed: float) -> Film:
    return mapped(
        original, lambda hashes: hashes[np.floor(np.arange(0, len(hashes) - 1, speed)).astype(int)], f"at {speed}"
    )


def still(original: Film) -> Film:
    """A fixed camera: one picture throughout, and movement that is its own."""
    whole = original.tracks["whole"]
    pictures = noisy(np.full(len(whole.pictures), whole.pictures[0]), 2, 3)
    return replace(original, tracks={"whole": Hashes(pictures, whole.motions)})


COPIES = {
    "encoded again": encoded(ORIGINAL),
    "trimmed at both ends": part(encoded(ORIGINAL), 20, 70),
    "starts later": part(encoded(ORIGINAL), 10.25, 120),
    "after another opening": spliced(film(2, 40), encoded(ORIGINAL)),
    "mirrored": mirrored(encoded(ORIGINAL)),
    "faster": faster(encoded(ORIGINAL), 1.04),
    "slower": faster(encoded(ORIGINAL), 0.9),
    "its centre": replace(
        ORIGINAL,
        film_id="copy",
        tracks={"whole": encoded(ORIGINAL).tracks["centre"], "centre": film(9).tracks["whole"]},
    ),
    "ten seconds of it": part(encoded(ORIGINAL), 50, 60),
}


def found(left: list[Film], right: list[Film]) -> list[Copy]:
    return find_copies(left, right)


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("swapped", [False, True])
def test_copies_are_found_on_either_side_and_no_others(name: str, swapped: bool) -> None:
    copy = replace(COPIES[name], film_id="copy")
    left, right = [ORIGINAL, film(8)], [film(11), copy]
    if swapped:
        left, right = right, left
    (one,) = found(left, right)
    assert {one.left, one.right} == {"film1", "copy"}
    assert status_of(one.match.evidence, one.match.share, one.match.length_s) == "verdict", one
    assert one.match.mirrored == (name == "mirrored")


def test_shift_speed_and_length_are_those_of_the_copy() -> None:
    clip = faster(part(encoded(ORIGINAL), 30, 90, "clip"), 1.04)
    match = align(clip, ORIGINAL)
    assert match is not None
    assert match.speed == pytest.approx(1.04, abs=0.004) and match.shift_s == pytest.approx(30, abs=0.5)
    assert match.length_s == pytest.approx(60 / 1.04, abs=3) and match.share > 0.95
    back = align(ORIGINAL, clip)
    assert back is not None and back.speed == pytest.approx(1 / 1.04, abs=0.004)
    assert back.length_s == pytest.approx(match.length_s, abs=3)


def test_a_fixed_camera_is_found_by_what_moves() -> None:
    one = still(film(3))
    (copy,) = found([one], [replace(encoded(one), film_id="copy")])
    assert copy.match.basis == "motions"
    assert status_of(copy.match.evidence, copy.match.share, copy.match.length_s) == "verdict"


@pytest.mark.parametrize("blank", ["pictures", "motions"])
def test_one_kind_of_hash_is_enough(blank: str) -> None:
    def without(one: Film) -> Film:
        tracks = {
            name: replace(hashes, **{blank: np.zeros_like(hashes.pictures)}) for name, hashes in one.tracks.items()
        }
        if blank == "pictures":
            # What is blank cannot move; the length of a film counts its pictures.
            tracks = {n: replace(h, pictures=np.full_like(h.motions, 12345)) for n, h in tracks.items()}
        return replace(one, tracks=tracks)

    (copy,) = found([without(ORIGINAL)], [without(encoded(ORIGINAL))])
    assert copy.match.evidence > 100


def template(seed: int) -> Film:
    """Slides that differ in a few bits of one layout; nothing moves."""
    layout = random_hashes(np.random.default_rng(77), 1)[0]
    pictures = np.repeat(noisy(np.full(12, layout), 8, seed), 10 * RATE_HZ)
    return Film(f"slides{seed}", {"whole": Hashes(pictures, np.zeros_like(pictures))})


STUDIO = still(film(4)).tracks["whole"].pictures
HARD = {
    "one still picture": (still(film(4)), replace(still(film(4)), tracks=still(film(5)).tracks)),
    "slides of one template": (template(1), template(2)),
    "one studio": (
        Film("a", {"whole": Hashes(STUDIO, film(5).tracks["whole"].motions)}),
        Film("b", {"whole": Hashes(noisy(STUDIO, 3), film(6).tracks["whole"].motions)}),
    ),
    "an intro of a third": (spliced(film(20, 20), film(21, 40)), spliced(encoded(film(20, 20)), film(22, 40))),
    "credits of a third": (spliced(film(21, 40), film(20, 20)), spliced(film(22, 40), encoded(film(20, 20)))),
    "shuffled": (ORIGINAL, mapped(ORIGINAL, np.random.default_rng(0).permutation)),
    "black": (mapped(ORIGINAL, np.zeros_like), mapped(ORIGINAL, np.zeros_like)),
    "nothing": (Film("a", {}), Film("b", {})),
}


@pytest.mark.parametrize("name", HARD)
def test_other_films_are_not_copies(name: str) -> None:
    one, other = HARD[name]
    assert found([replace(one, film_id="left")], [replace(other, film_id="right")]) == []


def test_half_a_film_is_for_a_person() -> None:
    one, other = spliced(film(20, 30), film(21, 30)), spliced(encoded(film(20, 30)), film(22, 24))
    (copy,) = found([one], [replace(other, film_id="other")])
    assert status_of(copy.match.evidence, copy.match.share, copy.match.length_s) == "listed"
    assert status_of(copy.match.evidence, copy.match.share, copy.match.length_s, "confirm") == "confirmed"
    assert status_of(900.0, 1.0, 60.0, "refuse") == "refused"


@pytest.mark.slow
def test_a_pair_does_not_depend_on_the_other_films() -> None:
    left = [film(seed, 20 + 10 * seed) for seed in range(1, 9)]
    right = [replace(encoded(one), film_id=f"copy of {one.film_id}") for one in left] + [film(30), film(31, 15)]
    together = found(left, right)
    assert [(copy.left, copy.right) for copy in together] == [(one.film_id, f"copy of {one.film_id}") for one in left]
    assert together == [copy for one in left for other in right for copy in found([one], [other])]


def test_few_unrelated_films_are_compared_in_full() -> None:
    left, right = [film(seed, 300) for seed in range(12)], [film(seed, 300) for seed in range(100, 112)]
    assert len(candidates(left, right)) <= 2


def leaked(rows, **settings) -> dict[tuple[str, str], str]:
    lake = rows.save()
    result = compare_films(lake, FilterSettings(**settings), getattr(rows, "decisions", None))
    lake.write("copies", result.copies)
    lake.write("compared", result.compared)
    rows.counts = (result.new_train, result.new_evaluation)
    columns = ("train_id", "evaluation_id", "status")
    return {(train, evaluation): status for train, evaluation, status in result.copies.select(columns).iter_rows()}


def asked(rows, name: str, signature: Film, split: str) -> None:
    rows.video(name, signature=signature)
    rows.question(f"q_{name}", name, split=split)


@pytest.mark.slow
def test_only_new_films_are_compared_and_the_result_is_that_of_all(rows) -> None:
    half = spliced(part(encoded(film(40)), 0, 60), film(41, 50))
    asked(rows, "a", film(1), "train")
    asked(rows, "x", encoded(film(1)), "evaluation")
    assert leaked(rows) == {("a", "x"): "verdict"} and rows.counts == (1, 1)
    asked(rows, "b", film(40), "train")
    assert leaked(rows) == {("a", "x"): "verdict"} and rows.counts == (1, 0)
    asked(rows, "y", half, "evaluation")
    both = {("a", "x"): "verdict", ("b", "y"): "listed"}
    assert leaked(rows) == both and rows.counts == (0, 1)
    assert leaked(rows) == both and rows.counts == (0, 0)
    fresh = compare_films(rows.lake, FilterSettings())
    rows.lake.write("copies", [])
    rows.lake.write("compared", [])
    assert compare_films(rows.lake, FilterSettings()).copies.equals(fresh.copies)
    leaked(rows)
    assert leaked(rows, signature_share=0.9) == {("a", "x"): "verdict"} and rows.counts == (2, 2), "other settings"


def test_a_film_that_goes_or_changes_takes_its_pairs_along(rows) -> None:
    asked(rows, "a", film(1), "train")
    asked(rows, "x", encoded(film(1)), "evaluation")
    assert leaked(rows) == {("a", "x"): "verdict"}
    for row, hashes in zip(rows.tables["signatures"][:2], film(5).tracks.values(), strict=True):
        row["pictures"], row["motions"] = hashes.pictures.tobytes(), hashes.motions.tobytes()
    assert leaked(rows) == {} and rows.counts == (1, 0)
    rows.tables["questions"][1]["split"] = "train"
    assert leaked(rows) == {} and rows.counts == (1, 0)


def test_a_person_settles_a_pair(rows) -> None:
    asked(rows, "a", film(1), "train")
    asked(rows, "x", encoded(film(1)), "evaluation")
    rows.decisions = {pair_id("a", "x"): "refuse"}
    assert leaked(rows) == {("a", "x"): "refused"}
    rows.decisions = {}
    assert leaked(rows) == {("a", "x"): "verdict"} and rows.counts == (0, 0)
