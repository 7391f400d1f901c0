"""Pieces of files read as one file: every read at every offset gives the bytes that a joined file has there."""

import io
from pathlib import Path

import numpy as np
import pytest
from film_roads import by_hls_ts, by_tar
from hypothesis import given
from hypothesis import strategies as st
from video_samples import even_pts, write_video

from videozoomer.places.pieces import Piece, PiecedFile, check_length
from videozoomer.places.uris import PlaceError
from videozoomer.video.opening import READ_BYTES
from videozoomer.video.reader import ReaderPool

WHOLE = bytes(range(200))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pieces") / "whole"
    path.write_bytes(WHOLE)
    return str(path)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 150), st.integers(0, 50)), max_size=6),
    st.lists(st.tuples(st.integers(0, 320), st.integers(-1, 120)), min_size=1, max_size=8),
)
def test_pieces_are_read_like_one_file(file, ranges, reads):
    pieces = [
        Piece("", 0, length, WHOLE[start : start + length]) if held else Piece(file, start, length)
        for held, start, length in ranges
    ]
    joined = b"".join(WHOLE[start : start + length] for _, start, length in ranges)
    with PiecedFile(pieces) as pieced:
        assert pieced.size == len(joined)
        for offset, size in reads:
            offset = min(offset, len(joined))
            plain = io.BytesIO(joined)
            assert pieced.seek(offset) == plain.seek(offset)
            assert pieced.read(size) == plain.read(size)
            assert pieced.tell() == plain.tell()
        assert pieced.seek(0, 2) == len(joined)


def test_a_file_that_is_shorter_than_its_pieces_is_no_film(file):
    pieces = [Piece(file, 190, 20)]
    with pytest.raises(PlaceError, match="ends within the film"):
        check_length(pieces)
    with PiecedFile(pieces) as pieced, pytest.raises(PlaceError, match="ends within the film"):
        pieced.read()


@pytest.mark.parametrize("road", [by_tar, by_hls_ts])
def test_a_film_larger_than_one_read_is_the_film(tmp_path: Path, road) -> None:
    def noise(number: int, width: int, height: int) -> np.ndarray:
        return np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)

    options = {"qp": "10", "g": "25", "preset": "ultrafast"}
    film = write_video(tmp_path / "film.mp4", pts=even_pts(100, 25), options=options, picture=noise)
    assert film.stat().st_size > 4 * READ_BYTES
    uri = road(film, tmp_path)
    times_s = [3.9, 0.2, 2.04, 1.0]
    with ReaderPool(25_088, 100_352) as pool:
        assert [f.frame_id for f in pool.frames_at(uri, times_s)] == [
            f.frame_id for f in pool.frames_at(str(film), times_s)
        ]
