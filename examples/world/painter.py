"""Renders a plan into raw frames: crops of one textured background per scene, with glyphs blended in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from examples.glyphs import glyph_mask
from examples.palette import GLYPH_COLOURS, HEIGHT, SCENE_COLOURS, WIDTH, ycbcr
from examples.textures import texture
from examples.world.plan import Event, Scene, VideoPlan

_PAN = 96
"""Margin of a background around the frame, in pixels."""
_BLACK = (16.0, 128.0)


class _Backdrop:
    """A scene without its events, as YCbCr 4:2:0 planes. The luma holds the texture; the hue is uniform."""

    def __init__(self, scene: Scene) -> None:
        y, cb, cr = ycbcr(SCENE_COLOURS[scene.colour])
        pattern = texture(scene.texture, HEIGHT + _PAN, WIDTH + _PAN, scene.period, scene.phase)
        step = 42.0 if y < 130 else -42.0
        luma = (y + step * pattern) * _light_and_shadow(scene)
        self.luma = np.clip(16 + (luma - 16) * scene.light, 16, 235).astype(np.uint8)
        chroma = [np.uint8(round(128 + (value - 128) * scene.light)) for value in (cb, cr)]
        self.chroma = np.repeat(np.array(chroma, np.uint8), HEIGHT * WIDTH // 4)
        self.light = scene.light

    def frame(self, into_scene_s: float) -> np.ndarray:
        """One flat I420 buffer; the camera pans slowly, by steps of two pixels."""
        across, down = _there_and_back(int(into_scene_s * 4) * 2), _there_and_back(int(into_scene_s * 1.5) * 2)
        crop = self.luma[down : down + HEIGHT, across : across + WIDTH]
        return np.concatenate([crop.ravel(), self.chroma])


def _light_and_shadow(scene: Scene) -> np.ndarray:
    """Smooth lighting: a factor of 0.8 to 1.12 on the luma."""
    rng = np.random.default_rng([round(scene.start_s * 1000), round(scene.phase * 1e6)])
    coarse = Image.fromarray(rng.normal(0, 1, (4, 6)).astype(np.float32))
    field = np.asarray(coarse.resize((WIDTH + _PAN, HEIGHT + _PAN), Image.Resampling.BICUBIC))
    return 1 + 0.2 * np.clip(field / 1.1, -1, 0.6)


def _there_and_back(pixels: int) -> int:
    return min(pixels % (2 * _PAN), 2 * _PAN - pixels % (2 * _PAN))


def _paste(buffer: np.ndarray, event: Event, time_s: float, light: float) -> None:
    """Blend the glyph into the buffer, on even pixels so that luma and chroma agree."""
    into_s = time_s - event.start_s
    left, top = int(event.x + event.vx * into_s) // 2 * 2, int(event.y + event.vy * into_s) // 2 * 2
    size = event.size
    cover = glyph_mask(event.glyph, size) * event.strength
    small = cover.reshape(size // 2, 2, size // 2, 2).mean((1, 3))
    half = slice(top // 2, (top + size) // 2), slice(left // 2, (left + size) // 2)
    y, cb, cr = ycbcr(GLYPH_COLOURS[event.colour])
    planes = (
        (
            buffer[: HEIGHT * WIDTH].reshape(HEIGHT, WIDTH),
            cover,
            16 + (y - 16) * light,
            (slice(top, top + size), slice(left, left + size)),
        ),
        (
            buffer[HEIGHT * WIDTH : HEIGHT * WIDTH * 5 // 4].reshape(HEIGHT // 2, WIDTH // 2),
            small,
            128 + (cb - 128) * light,
            half,
        ),
        (buffer[HEIGHT * WIDTH * 5 // 4 :].reshape(HEIGHT // 2, WIDTH // 2), small, 128 + (cr - 128) * light, half),
    )
    for plane, alpha, value, where in planes:
        under = plane[where].astype(np.float32)
        plane[where] = (under + (value - under) * alpha + 0.5).astype(np.uint8)


def _mix(one: np.ndarray, two: np.ndarray | None, share: float) -> np.ndarray:
    """Blend `share` of `two` into `one`; None is black."""
    if two is None:
        two = np.empty_like(one)
        two[: HEIGHT * WIDTH], two[HEIGHT * WIDTH :] = _BLACK
    weight = np.uint32(round(share * 256))
    mixed: np.ndarray = one * (np.uint32(256) - weight) + two * weight
    return (mixed >> 8).astype(np.uint8)


def paint(plan: VideoPlan) -> Iterator[bytes]:
    """Frames in order, each WIDTH x HEIGHT as I420 bytes."""
    fps, scenes = plan.outline.fps, plan.scenes
    backdrops: dict[int, _Backdrop] = {}
    at = 0
    still: tuple[tuple, bytes] | None = None
    for index in range(round(plan.outline.duration_s * fps)):
        time_s = index / fps
        while at + 1 < len(scenes) and time_s >= scenes[at + 1].start_s - 1e-6:
            backdrops.pop(at - 1, None)
            at += 1
        scene = scenes[at]
        for near in (at - 1, at, at + 1):
            if 0 <= near < len(scenes) and near not in backdrops:
                backdrops[near] = _Backdrop(scenes[near])
        into_s = time_s - scene.start_s
        events = [event for event in scene.events if event.start_s - 1e-6 <= time_s < event.end_s - 1e-6]
        blend = _blend(scenes, at, time_s)
        key = (at, int(into_s * 4), int(into_s * 1.5)) if not events and blend is None else None
        if key is not None and still is not None and still[0] == key:
            yield still[1]
            continue
        buffer = backdrops[at].frame(into_s)
        for event in events:
            _paste(buffer, event, time_s, scene.light)
        if blend is not None:
            other, share = blend
            seen = (
                None
                if other is None
                else backdrops[other].frame(
                    abs(time_s - scenes[other].start_s) if other > at else time_s - scenes[other].start_s
                )
            )
            buffer = _mix(buffer, seen, share)
        data = buffer.tobytes()
        if key is not None:
            still = (key, data)
        yield data


def _blend(scenes: tuple[Scene, ...], at: int, time_s: float) -> tuple[int | None, float] | None:
    """The scene blended in at this time (None for black) with its share, or None outside transitions."""
    for border, other in ((at, at - 1), (at + 1, at + 1)):
        if not 0 < border < len(scenes):
            continue
        scene = scenes[border]
        if scene.way_in_s == 0:
            continue
        away = abs(time_s - scene.start_s) / (scene.way_in_s / 2)
        if away < 1:
            return (None, 1 - away) if scene.way_in == "fade" else (other, (1 - away) / 2)
    return None
