from hypothesis import given
from hypothesis import strategies as st

from video.picture import Turn, _turn, protocol_size


@given(st.integers(1, 8192), st.integers(1, 8192))
def test_pixels_stay_within_the_limits_and_the_shape_is_kept(width: int, height: int) -> None:
    wide, high = protocol_size(width, height, 25_088, 100_352)
    assert 25_088 <= wide * high <= 100_352
    # Half a pixel of rounding on either side is all that the shape may lose.
    assert abs(wide / high * height / width - 1) <= 1.2 / min(wide, high)


def test_known_sizes() -> None:
    assert protocol_size(320, 180, 25_088, 100_352) == (320, 180)
    wide, high = protocol_size(1280, 720, 25_088, 100_352)
    assert wide * high > 0.98 * 100_352


def test_display_matrices() -> None:
    one = 65536
    assert _turn((one, 0, 0, 0, one, 0, 0, 0, 1 << 30)) == Turn()
    # The matrix of a telephone held upright: shown a quarter turn to the right.
    assert _turn((0, one, 0, -one, 0, 0, 0, 0, 1 << 30)) == Turn(3)
    assert _turn((-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30)) == Turn(2)
    assert _turn((-one, 0, 0, 0, one, 0, 0, 0, 1 << 30)) == Turn(0, mirrored=True)
