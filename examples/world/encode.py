"""Encodes raw frames into video files, with ffmpeg-python and the binary of imageio-ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from examples.palette import HEIGHT, WIDTH
from examples.world.plan import Outline

_CODECS: dict[str, dict[str, object]] = {
    "h264": {"c:v": "libx264", "preset": "veryfast", "crf": 23, "g": 240, "bf": 2},
    "hevc": {
        "c:v": "libx265",
        "preset": "ultrafast",
        "crf": 24,
        "tag:v": "hvc1",
        "x265-params": "log-level=error:pools=none:frame-threads=1:keyint=240",
    },
    "vp9": {"c:v": "libvpx-vp9", "deadline": "realtime", "cpu-used": 8, "b:v": "350k", "g": 240},
}
_SAME_BYTES = {"threads": 1, "map_metadata": -1, "fflags": "+bitexact", "flags:v": "+bitexact"}
"""One thread and no timestamps: equal frames give equal files."""


class EncodeError(RuntimeError):
    """ffmpeg could not write a sample video; the message quotes ffmpeg."""


def suffix(outline: Outline) -> str:
    return ".webm" if outline.codec == "vp9" else ".mp4"


def encode(frames: Iterable[bytes], outline: Outline, target: Path) -> None:
    """Write frames of `paint` as a video file.

    Raises:
        EncodeError: ffmpeg failed.
    """
    import ffmpeg

    stream = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="yuv420p", s=f"{WIDTH}x{HEIGHT}", r=outline.fps)
    rate: dict[str, object] = {}
    if outline.variable_rate:
        # Like a phone in poor light: for five of every twelve seconds, two of three frames are missing.
        stream = stream.filter("select", "not(gte(mod(t,12),7)*mod(n,3))")
        rate = {"fps_mode": "passthrough", "enc_time_base": f"1:{outline.fps}"}
    _run(stream, {**_CODECS[outline.codec], **rate}, target, frames)


def re_encode(source: Path, target: Path) -> None:
    """Re-encode a video at another size and bitrate, as uploads are.

    Raises:
        EncodeError: ffmpeg failed.
    """
    import ffmpeg

    stream = ffmpeg.input(str(source), threads=1).filter("scale", 256, 144)
    _run(stream, {**_CODECS["h264"], "crf": 28, "g": 120}, target, ())


def _run(stream: Any, settings: dict[str, object], target: Path, frames: Iterable[bytes]) -> None:
    import ffmpeg
    import imageio_ffmpeg

    faststart = {"movflags": "+faststart"} if target.suffix == ".mp4" else {}
    output = ffmpeg.output(stream, str(target), pix_fmt="yuv420p", **settings, **_SAME_BYTES, **faststart)
    command = ffmpeg.compile(
        output.global_args("-hide_banner", "-loglevel", "error", "-nostdin"),
        cmd=imageio_ffmpeg.get_ffmpeg_exe(),
        overwrite_output=True,
    )
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stderr
    try:
        for frame in frames:
            process.stdin.write(frame)
        process.stdin.close()
    except BrokenPipeError:
        pass  # ffmpeg exited early; its message is reported below.
    except BaseException:
        process.kill()
        raise
    finally:
        words = process.stderr.read().decode(errors="replace").strip()
        process.stderr.close()
        code = process.wait()
    if code:
        raise EncodeError(f"ffmpeg could not write {target.name}: {words or f'exit code {code}'}")
