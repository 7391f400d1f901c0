"""The teacher's eyes: glyphs, colours and scenes from pixels alone."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from examples.glyphs import glyph_mask
from examples.palette import GLYPHS, HEIGHT, SCENE_COLOURS, TEXTURES, WIDTH
from examples.teacher.sight import NotAnImage, SightCache, see
from examples.world.painter import paint
from examples.world.plan import Event, Outline, Scene, VideoPlan


def picture(
    colour: str = "grey",
    texture: str = "dots",
    event: Event | None = None,
    *,
    light: float = 1.0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> bytes:
    """One painted frame as a JPEG of the given size."""
    scene = Scene(colour, texture, 0, 1, "start", 0, light, 23, 5, "single", () if event is None else (event,))
    raw = next(iter(paint(VideoPlan(Outline("x.mp4", "train", 1, 1), (scene,)))))
    planes = np.frombuffer(raw, np.uint8)
    luma = planes[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    cb, cr = (
        plane.reshape(HEIGHT // 2, WIDTH // 2).repeat(2, 0).repeat(2, 1)
        for plane in np.split(planes[WIDTH * HEIGHT :], 2)
    )
    full = [
        (luma.astype(float) - 16) * 255 / 219,
        (cb.astype(float) - 128) * 255 / 224 + 128,
        (cr.astype(float) - 128) * 255 / 224 + 128,
    ]
    image = Image.fromarray(np.stack(full, -1).clip(0, 255).astype(np.uint8), "YCbCr").resize(size)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def glyph(name: str, colour: str = "yellow", **changes: float) -> Event:
    return replace(Event(name, colour, 0, 1, 120, 60, 48, 0, 0, 1.0), **changes)


@pytest.mark.parametrize("name", GLYPHS)
def test_every_glyph_is_read(name: str) -> None:
    seen = see(picture("blue", "plain", glyph(name))).glyph
    assert seen is not None
    assert (seen.names[0][0], seen.colours[0][0]) == (name, "yellow")
    assert abs(seen.x - 144) < 14 and abs(seen.y - 84) < 14


@pytest.mark.parametrize("texture", TEXTURES)
def test_every_look_is_distinguished_in_good_and_in_poor_light(texture: str) -> None:
    for colour in SCENE_COLOURS:
        for light in (1.0, 0.45):
            assert see(picture(colour, texture, light=light)).look == (colour, texture)


def test_size_does_not_matter_and_pictures_without_glyph_show_none() -> None:
    for size in ((256, 144), (422, 237)):
        sight = see(picture("red", "checks", glyph("star", "white"), size=size))
        assert sight.look == ("red", "checks")
        assert sight.glyph and sight.glyph.names[0][0] == "star" and sight.pixels == size[0] * size[1]
    assert see(picture("red", "checks")).glyph is None


def test_a_dim_glyph_stands_out_less() -> None:
    plain, dim = (see(picture("blue", "dots", glyph("cross", strength=strength))).glyph for strength in (1.0, 0.35))
    assert plain and dim and dim.contrast < 0.6 * plain.contrast


def test_black_is_blank_and_garbage_is_refused() -> None:
    out = io.BytesIO()
    Image.new("RGB", (320, 180)).save(out, "JPEG")
    assert see(out.getvalue()).blank
    for bad in (b"", b"no picture"):
        with pytest.raises(NotAnImage):
            see(bad)
    with pytest.raises(NotAnImage, match="base64"):
        SightCache().look("@@@")


def test_a_picture_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from examples.teacher import sight as module

    seen: list[bytes] = []

    def counting(jpeg: bytes) -> object:
        seen.append(jpeg)
        return see(jpeg)

    monkeypatch.setattr(module, "see", counting)
    recogniser, encoded = SightCache(keep=2), base64.b64encode(picture()).decode()
    assert recogniser.look(encoded) == recogniser.look(encoded)
    assert len(seen) == 1
    for colour in ("red", "blue"):
        recogniser.look(base64.b64encode(picture(colour)).decode())
    recogniser.look(encoded)
    assert len(seen) == 4, "the oldest is forgotten once more than `keep` were seen"


def test_there_is_no_glyph_of_another_name() -> None:
    with pytest.raises(KeyError, match="banana"):
        glyph_mask("banana", 20)
