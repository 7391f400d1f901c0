"""A small MP4 of any part of a video, for people to watch. Nothing that is trained on comes from here."""

from __future__ import annotations

import os
from pathlib import Path

from videozoomer.video.opening import DEMUXERS, local_path


class ClipError(Exception):
    """A clip that could not be made."""


def write_clip(uri: str, start_s: float, end_s: float, target: str | Path, max_width: int = 640) -> Path:
    """Write the part from `start_s` to `end_s` as H.264 and AAC, at most `max_width` pixels wide.

    The file appears under its name only when it is complete.

    Raises:
        ClipError: the segment is empty or reversed, the file is on another machine, or FFmpeg fails.
    """
    import ffmpeg
    import imageio_ffmpeg

    if not 0 <= start_s < end_s:
        raise ClipError(f"the segment [{start_s:g}, {end_s:g}] of {uri} is empty or reversed")
    source = local_path(uri)
    if source is None:
        raise ClipError(f"{uri} is not on this machine; copy it here first")
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # FFmpeg tells the format by the last suffix.
    partial = target.with_name(f".{target.stem}.{os.getpid()}.mp4")
    stream = ffmpeg.input(
        f"file:{source}",
        ss=f"{start_s:.6f}",
        t=f"{end_s - start_s:.6f}",
        format_whitelist=DEMUXERS,
        protocol_whitelist="file",
    )
    arguments = {
        "vf": f"scale='min({max_width},iw*sar)':-2:flags=bilinear,setsar=1",
        "c:v": "libx264",
        "preset": "veryfast",
        "crf": 26,
        "pix_fmt": "yuv420p",
        "c:a": "aac",
        "b:a": "96k",
        "movflags": "+faststart",
        "sn": None,
        "dn": None,
        "threads": 1,
    }
    output = ffmpeg.output(stream, f"file:{partial}", **arguments).global_args(
        "-nostdin", "-hide_banner", "-loglevel", "error"
    )
    try:
        ffmpeg.run(
            output, cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True, capture_stdout=True, capture_stderr=True
        )
        if partial.stat().st_size == 0:
            raise ClipError(f"{uri} has nothing between {start_s:g} and {end_s:g} s")
        partial.replace(target)
    except ffmpeg.Error as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        raise ClipError(f"no clip of {uri}: {said[-1] if said else 'FFmpeg failed'}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target
