"""Cuts a small MP4 out of a video, for people to watch. Training never uses it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from videozoomer.lake.atomic import replaced_file
from videozoomer.places.finding import as_file, find_film
from videozoomer.places.uris import local_path
from videozoomer.video.opening import DEMUXERS, open_container
from videozoomer.video.streams import video_stream


class ClipError(Exception):
    """A clip that could not be made."""


def write_clip(uri: str, start_s: float, end_s: float, target: str | Path, max_width: int = 640) -> Path:
    """Write the part from `start_s` to `end_s` as H.264 and AAC, at most `max_width` pixels wide.

    The file appears under its name only when it is complete.

    Raises:
        ClipError: the segment is empty or reversed, the file is on another machine, or FFmpeg fails.
    """
    if not 0 <= start_s < end_s:
        raise ClipError(
            f"the segment [{start_s:g}, {end_s:g}] of {uri} is empty or reversed; give 0 <= start < end in seconds"
        )
    if local_path(uri) is None and find_film(uri) is None:
        raise ClipError(f"{uri} is not on this machine; copy it here first")
    with ExitStack() as stack:
        try:
            source = stack.enter_context(as_file(uri))
        except OSError as error:
            raise ClipError(
                f"no clip of {uri}: it cannot be opened ({error}); try `videozoomer video probe`"
            ) from error
        return _cut(uri, source, start_s, end_s, Path(target), max_width)


def _cut(uri: str, source: Path, start_s: float, end_s: float, target: Path, max_width: int) -> Path:
    import av
    import ffmpeg
    import imageio_ffmpeg

    try:
        with open_container(str(source)) as container:
            film = video_stream(container)
            index = None if film is None else film.index
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise ClipError(f"no clip of {uri}: it cannot be opened ({error}); try `videozoomer video probe`") from error
    if index is None:
        raise ClipError(f"no clip of {uri}: it has no moving pictures; try `videozoomer video probe`")
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
        # FFmpeg cannot infer the format from the suffix of the partial file.
        "format": "mp4",
        "sn": None,
        "dn": None,
        "threads": 1,
    }
    try:
        with replaced_file(target) as partial:
            output = ffmpeg.output(stream[str(index)], stream["a:0?"], f"file:{partial}", **arguments).global_args(
                "-nostdin", "-hide_banner", "-loglevel", "error"
            )
            ffmpeg.run(
                output,
                cmd=imageio_ffmpeg.get_ffmpeg_exe(),
                overwrite_output=True,
                capture_stdout=True,
                capture_stderr=True,
            )
            if partial.stat().st_size == 0:
                raise ClipError(
                    f"{uri} has nothing between {start_s:g} and {end_s:g} s; choose a segment inside the video"
                )
    except ffmpeg.Error as error:
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        raise ClipError(
            f"no clip of {uri}: {lines[-1] if lines else 'FFmpeg failed'}; try `videozoomer video probe`"
        ) from error
    return target
