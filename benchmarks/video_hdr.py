"""Colours of HDR films beside libplacebo's and zscale's tone mapping, and what tone mapping costs a frame.

`python -m benchmarks.video_hdr FILM...` prints, for the first frame of each film, the means of lightness L* and of
chroma C* (CIELAB) of four pictures of the same size: codes shown unchanged (as before), ours, and FFmpeg's filters
`libplacebo` (BT.2390; needs Vulkan, for example the package mesa-vulkan-drivers) and `zscale` with `tonemap=mobius`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from videozoomer.video.picture import FrameEncoder, protocol_size
from videozoomer.video.scaling import Scaler, is_tone_mapped
from videozoomer.video.stream_facts import UNTOLD, colours_of

if TYPE_CHECKING:
    import av

LIMITS = (25_088, 100_352)
ROUNDS = 100
PLACEBO = (
    "libplacebo=w={w}:h={h}:apply_dolbyvision=0:colorspace=gbr:color_primaries=bt709:color_trc=bt709:range=pc:"
    "tonemapping=bt.2390:peak_detect=0:format=gbrp"
)
ZSCALE = (
    "format=yuv444p16le,zscale=w={w}:h={h},zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=mobius:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv444p,scale=in_color_matrix=bt709"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.video_hdr", description=__doc__)
    parser.add_argument("films", nargs="+", type=Path)
    for film in parser.parse_args().films:
        print(json.dumps(compared(film)))


def compared(film: Path) -> dict[str, object]:
    frame = first_frame(film)
    width, height = protocol_size(frame.width, frame.height, *LIMITS)
    row: dict[str, object] = {"film": film.name, "tone_mapped": is_tone_mapped(colours_of(frame, UNTOLD))}
    pictures = {
        "unchanged": frame.reformat(width, height, format="rgb24", interpolation="BILINEAR").to_ndarray(),
        "ours": Scaler().scaled(frame, width, height, "rgb24", "BILINEAR"),
        "libplacebo": filtered(film, PLACEBO, width, height, ["-init_hw_device", "vulkan"]),
        "zscale": filtered(film, ZSCALE, width, height, []),
    }
    measured = {name: lab(picture) for name, picture in pictures.items() if picture is not None}
    for name, colours in measured.items():
        row[name] = {"lightness": round(float(colours[..., 0].mean()), 1), "chroma": round(chroma(colours), 1)}
    for reference in {"libplacebo", "zscale"} & measured.keys():
        for name in ("unchanged", "ours"):
            distance = np.linalg.norm(measured[name] - measured[reference], axis=-1).mean()
            row[f"{name} over {reference}"] = round(chroma(measured[name]) / chroma(measured[reference]), 2)
            row[f"{name} to {reference}, mean dE"] = round(float(distance), 1)
    return row | costs(film)


def first_frame(film: Path) -> av.VideoFrame:
    import av

    with av.open(str(film)) as container:
        return next(container.decode(video=0))


def filtered(film: Path, filters: str, width: int, height: int, options: list[str]) -> np.ndarray | None:
    """The first frame through a filter of FFmpeg; None where this machine cannot run the filter."""
    import imageio_ffmpeg

    chain = f"{filters.format(w=width, h=height)},format=rgb24"
    before = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-noautorotate", *options, "-i", str(film)]
    done = subprocess.run([*before, "-vf", chain, "-frames:v", "1", "-f", "rawvideo", "-"], capture_output=True)
    if done.returncode:
        return None
    return np.frombuffer(done.stdout, np.uint8).reshape(height, width, 3)


def lab(rgb: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def chroma(colours: np.ndarray) -> float:
    return float(np.hypot(colours[..., 1], colours[..., 2]).mean())


def costs(film: Path) -> dict[str, object]:
    """CPU milliseconds of scaling and of a finished JPEG, and of the same frame without tone mapping."""
    plain = first_frame(film)
    plain.color_trc, plain.color_primaries, plain.colorspace = 1, 1, 1
    mapped_ms, plain_ms = _encoding_ms(first_frame(film)), _encoding_ms(plain)
    return {
        "cpu_ms": round(mapped_ms, 1),
        "cpu_ms without tone mapping": round(plain_ms, 1),
        "ratio": round(mapped_ms / plain_ms, 2),
    }


def _encoding_ms(frame: av.VideoFrame) -> float:
    encoder = FrameEncoder(*LIMITS)
    encoder.encode(frame, 1.0)
    before_s = time.process_time()
    for _ in range(ROUNDS):
        encoder.encode(frame, 1.0)
    return 1000 * (time.process_time() - before_s) / ROUNDS


if __name__ == "__main__":
    main()
