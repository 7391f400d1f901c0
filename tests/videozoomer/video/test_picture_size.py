import io

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from videozoomer.video.picture import UPRIGHT, FrameEncoder, Orientation, orientation_of_matrix, protocol_size


@given(st.integers(1, 8192), st.integers(1, 8192))
def test_pixels_stay_within_the_limits_and_the_shape_is_kept(width: int, height: int) -> None:
    wide, high = protocol_size(width, height, 25_088, 100_352)
    assert 25_088 <= wide * high <= 100_352
    # Rounding may change each side by one pixel, which is a lot for a very thin picture.
    assert abs(wide / high * height / width - 1) <= 1 / max(1, min(wide, high) - 1) + 2 / max(wide, high)


def test_known_sizes() -> None:
    assert protocol_size(320, 180, 25_088, 100_352) == (320, 180)
    wide, high = protocol_size(1280, 720, 25_088, 100_352)
    assert wide * high > 0.98 * 100_352


def test_display_matrices() -> None:
    one = 65536
    assert orientation_of_matrix((one, 0, 0, 0, one, 0, 0, 0, 1 << 30)) == UPRIGHT
    # The matrix of an upright phone: rotated a quarter turn to the right.
    assert orientation_of_matrix((0, one, 0, -one, 0, 0, 0, 0, 1 << 30)) == Orientation(3)
    assert orientation_of_matrix((-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30)) == Orientation(2)
    assert orientation_of_matrix((-one, 0, 0, 0, one, 0, 0, 0, 1 << 30)) == Orientation(0, mirrored=True)


WHITE = {
    "yuv420p": (235, 128, np.uint8),
    "yuvj420p": (255, 128, np.uint8),
    "nv12": (235, 128, np.uint8),
    "yuv422p10le": (940, 512, np.uint16),
    "yuv420p10le": (940, 512, np.uint16),
}


@pytest.mark.parametrize("pixel_format", WHITE)
@pytest.mark.parametrize("scaled", [False, True])
def test_every_pixel_is_written_at_every_width(pixel_format: str, scaled: bool) -> None:
    luma, chroma, number = WHITE[pixel_format]
    for width in range(150, 200):
        area = width * 176
        frame = av.VideoFrame(width, 176, pixel_format)
        for index, plane in enumerate(frame.planes):
            np.frombuffer(memoryview(plane).cast("B"), number)[:] = chroma if index else luma
        encoder = FrameEncoder(2 * area if scaled else 1, 2 * area + 400 if scaled else area)
        # Fill memory with junk first, so that a missing pixel shows.
        junk = [np.full((2 * area + 400) * 4, 77, np.uint8) for _ in range(3)]
        del junk
        picture = np.asarray(Image.open(io.BytesIO(encoder.encode(frame, 1.0).jpeg)))
        assert picture.min() >= 250, f"{width} pixels wide: {np.argwhere(picture.min(axis=2) < 250)[:3]}"
