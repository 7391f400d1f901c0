"""Cuts a small MP4 out of a video, for people to watch. Training never uses it."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videozoomer.lake.atomic import replaced_file
from videozoomer.places.finding import as_file, find_film
from videozoomer.places.uris import local_path
from videozoomer.video.opening import DEMUXERS, open_container
from videozoomer.video.scaling import check_colours, is_tone_mapped, matrix_of
from videozoomer.video.stream_facts import MATRICES, Colours, colours_of, declared_colours
from videozoomer.video.streams import no_stream, video_stream
from videozoomer.video.tone import write_cube

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream


class ClipError(Exception):
    """A clip that could not be made."""


@dataclass(frozen=True, slots=True)
class _Film:
    """The stream to cut from, and how its colours are read."""

    index: int
    matrix: str | None
    """FFmpeg's name of the colour matrix that the file does not name."""
    hdr: tuple[int, int] | None
    """Codes of transfer function and primaries, if it has a high dynamic range."""


def write_clip(
    uri: str, start_s: float, end_s: float, target: str | Path, max_width: int = 640, *, stream: int | None = None
) -> Path:
    """Write the part from `start_s` to `end_s` as H.264 and AAC, at most `max_width` pixels wide.

    `stream` is the position of the video stream among all streams; by default the one that FFmpeg takes.
    Colours are those of the frames that players see. The file appears under its name only when it is complete.

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
        return _cut(uri, source, start_s, end_s, Path(target), max_width, stream)


def _has_pictures(clip: Path) -> bool:
    """FFmpeg writes a file also where a segment holds no picture."""
    import av

    if clip.stat().st_size == 0:
        return False
    with av.open(str(clip)) as container:
        return any(stream.frames for stream in container.streams.video)


def _cut(
    uri: str, source: Path, start_s: float, end_s: float, target: Path, max_width: int, stream_index: int | None
) -> Path:
    import ffmpeg
    import imageio_ffmpeg

    film = _look_at(uri, source, stream_index)
    stream = ffmpeg.input(
        f"file:{source}",
        ss=f"{start_s:.6f}",
        t=f"{end_s - start_s:.6f}",
        format_whitelist=DEMUXERS,
        protocol_whitelist="file",
    )
    arguments = {
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
        with replaced_file(target) as partial, tempfile.TemporaryDirectory(prefix="videozoomer-") as folder:
            pictures = _filtered(stream[str(film.index)], film, max_width, Path(folder))
            output = ffmpeg.output(pictures, stream["a:0?"], f"file:{partial}", **arguments).global_args(
                "-nostdin", "-hide_banner", "-loglevel", "error"
            )
            ffmpeg.run(
                output,
                cmd=imageio_ffmpeg.get_ffmpeg_exe(),
                overwrite_output=True,
                capture_stdout=True,
                capture_stderr=True,
            )
            if not _has_pictures(partial):
                raise ClipError(
                    f"{uri} has nothing between {start_s:g} and {end_s:g} s; choose a segment inside the video"
                )
    except ffmpeg.Error as error:
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        raise ClipError(
            f"no clip of {uri}: {lines[-1] if lines else 'FFmpeg failed'}; try `videozoomer video probe`"
        ) from error
    return target


def _look_at(uri: str, source: Path, stream_index: int | None) -> _Film:
    import av

    try:
        with open_container(str(source)) as container:
            stream = video_stream(container, stream_index)
            if stream is None:
                raise ClipError(f"no clip of {uri}: {no_stream(container, stream_index)}")
            declared = declared_colours(stream)
            frame = _first_frame(container, stream)
            if frame is None:
                raise ClipError(f"no clip of {uri}: it shows no picture; try `videozoomer video probe`")
            check_colours(frame, declared)
            return _Film(stream.index, *_colours(frame, colours_of(frame, declared)))
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise ClipError(f"no clip of {uri}: it cannot be opened ({error}); try `videozoomer video probe`") from error


def _first_frame(container: av.container.InputContainer, stream: VideoStream) -> av.VideoFrame | None:
    """The first picture that decodes: what is damaged before it is no reason against a clip of something later."""
    import av

    for packet in container.demux(stream):
        try:
            for frame in stream.codec_context.decode(packet):
                return frame
        except av.error.FFmpegError:
            continue
    return None


def _colours(frame: av.VideoFrame, colours: Colours) -> tuple[str | None, tuple[int, int] | None]:
    code = matrix_of(frame, colours)
    hdr = (colours.transfer, colours.primaries) if is_tone_mapped(colours) else None
    return None if code is None else MATRICES[code], hdr


def _filtered(pictures: Any, film: _Film, max_width: int, folder: Path) -> Any:
    """The clip's pictures: small, square pixels, and in the colours that a player gives a small film."""
    if film.matrix:
        # A player would read the small clip, which names no matrix either, by another one than the large film.
        pictures = pictures.filter("setparams", colorspace=film.matrix)
    size = {"w": f"min({max_width},iw*sar)", "h": -2, "flags": "bilinear"}
    pictures = pictures.filter("scale", **size).filter("setsar", 1)
    if film.hdr is None:
        return pictures
    write_cube(folder / "bt709.cube", *film.hdr)
    pictures = pictures.filter("format", "gbrp16le")
    pictures = pictures.filter("lut3d", str(folder / "bt709.cube"), interp="tetrahedral")
    pictures = pictures.filter("scale", out_color_matrix="bt709", out_range="tv").filter("format", "yuv420p")
    return pictures.filter("setparams", color_primaries="bt709", color_trc="bt709", colorspace="bt709", range="tv")
