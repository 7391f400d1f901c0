"""What a signature sees and what it does not: mirrors, borders, logos, blanks, stills."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from videozoomer.video.hashing import RATE_HZ, SIDE, TRACKS, Hashes, borders, hash_tracks, mirror_mask
from videozoomer.video.picture import Orientation
from videozoomer.video.signature import SignatureMaker


def pictures(seed: int = 0, count: int = 120) -> np.ndarray:
    """(count, SIDE, SIDE): one background, before which two discs move."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.integers(30, 220, (5, 5), dtype=np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    made = np.repeat(ground[None], count, axis=0)
    for picture, at in zip(made, np.arange(count) / RATE_HZ, strict=True):
        for disc in range(2):
            x, y = 32 + 26 * np.sin(at * (0.7 + disc) + seed), 32 + 26 * np.cos(at * (1.1 - disc / 2) + disc)
            cv2.circle(picture, (int(x), int(y)), 9, 255 if disc else 0, -1)
    return made


def hashed(made: np.ndarray, aspect: float = 16 / 9) -> dict[str, Hashes]:
    return dict(hash_tracks(lambda start, stop: made[start:stop], len(made), aspect))


def bits(one: np.ndarray, other: np.ndarray) -> float:
    assert one.all() and other.all()
    return float(np.bitwise_count(one ^ other).mean())


def within(made: np.ndarray, top: int, bottom: int, left: int, right: int, level: int = 0) -> np.ndarray:
    """The pictures made smaller, with borders of so many pixels around them."""
    framed = np.full_like(made, level)
    size = (SIDE - left - right, SIDE - top - bottom)
    for picture, small in zip(framed, made, strict=True):
        picture[top : SIDE - bottom, left : SIDE - right] = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    return framed


PLAIN = pictures()


def test_a_mirrored_picture_has_the_masked_hash() -> None:
    plain, mirrored = hashed(PLAIN), hashed(PLAIN[:, :, ::-1])
    assert set(plain) == set(mirrored) == {"whole", "four_three", "centre"} < set(TRACKS)
    for track in plain:
        assert bits(plain[track].pictures, mirrored[track].pictures ^ mirror_mask()) < 0.5
        assert bits(plain[track].motions, mirrored[track].motions ^ mirror_mask()) < 0.5
    assert bits(plain["whole"].pictures, mirrored["whole"].pictures) > 15


@pytest.mark.parametrize(
    ("top", "bottom", "left", "right", "level"), [(9, 9, 0, 0, 0), (5, 8, 6, 4, 200), (0, 0, 10, 10, 16)]
)
def test_a_bordered_copy_has_the_picture_in_its_trimmed_track(
    top: int, bottom: int, left: int, right: int, level: int
) -> None:
    framed = within(PLAIN, top, bottom, left, right, level)
    assert borders(framed) == pytest.approx((left, SIDE - right, top, SIDE - bottom), abs=0.6)
    plain, copy = hashed(PLAIN), hashed(framed)
    assert bits(plain["whole"].pictures, copy["trimmed"].pictures) < 6
    assert bits(plain["whole"].motions, copy["trimmed"].motions) < 6
    assert bits(plain["whole"].pictures, copy["whole"].pictures) > 10


def test_a_film_without_borders_is_not_trimmed() -> None:
    assert borders(PLAIN) == (0, SIDE, 0, SIDE) and "trimmed" not in hashed(PLAIN)
    assert "trimmed" not in hashed(np.full_like(PLAIN, 90)), "an even film has no borders either"


@pytest.mark.parametrize(
    ("aspect", "expected"), [(16 / 9, True), (4 / 3, False), (9 / 16, False), (1.36, False), (2.35, True)]
)
def test_only_a_wider_film_has_a_track_at_four_to_three(aspect: float, expected: bool) -> None:
    assert ("four_three" in hashed(PLAIN, aspect)) is expected


def test_a_crop_is_what_the_centre_shows() -> None:
    cut = round(SIDE * 0.1)
    cropped = np.stack([cv2.resize(p[cut:-cut, cut:-cut], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for p in PLAIN])
    assert bits(hashed(PLAIN)["centre"].pictures, hashed(cropped)["whole"].pictures) < 6


def test_motion_does_not_see_what_stands_still() -> None:
    logo = PLAIN.copy()
    logo[:, 4:16, 4:20] = 255
    other = np.clip(PLAIN.astype(int) + pictures(5, 1).astype(int) // 3 - 40, 0, 255).astype(np.uint8)
    plain = hashed(PLAIN)["whole"]
    for changed in (logo, other):
        found = hashed(changed)["whole"]
        assert bits(plain.motions, found.motions) < 8
    assert bits(plain.motions, hashed(pictures(3))["whole"].motions) > 20


def test_blank_and_still_pictures_have_no_hash() -> None:
    blank = hashed(np.full_like(PLAIN, 90))["whole"]
    assert not blank.pictures.any() and not blank.motions.any()
    still = hashed(np.repeat(PLAIN[:1], 40, axis=0))["whole"]
    assert still.pictures.all() and len(np.unique(still.pictures)) == 1 and not still.motions.any()
    assert hashed(PLAIN[:0]) == {}


def test_a_long_film_is_hashed_in_blocks_to_the_same() -> None:
    """The last pictures of a film longer than one block, against those pictures with only what precedes them."""
    long = np.concatenate([pictures(1, 1100), PLAIN])
    whole, end = hashed(long)["whole"], hashed(long[-300:])["whole"]
    assert len(whole.pictures) == len(long)
    assert (whole.pictures[-300:] == end.pictures).all()
    assert (whole.motions[-280:] == end.motions[-280:]).mean() > 0.99


@pytest.mark.parametrize("orientation", [Orientation(1), Orientation(2), Orientation(3), Orientation(0, mirrored=True)])
def test_a_rotated_file_has_the_signature_of_the_upright_film(orientation: Orientation) -> None:
    def signature(shown: np.ndarray, turned: Orientation) -> tuple:
        maker = SignatureMaker(orientation=turned)
        for index, picture in enumerate(shown):
            maker.add(index, av.VideoFrame.from_ndarray(picture, format="gray"))
        tracks = maker.finish(1.0)
        maker.close()
        return tracks

    few = PLAIN[:30]
    upright = np.stack([orientation.apply(picture[..., None])[..., 0] for picture in few])
    assert signature(few, orientation) == signature(upright, Orientation())
