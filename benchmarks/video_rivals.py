"""The alternatives of `benchmarks.video`, each as one would write it, and the test file."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from videozoomer.lake.atomic import replaced_file
from videozoomer.video.picture import JPEG_QUALITY, protocol_size
from videozoomer.video.settings import IngestSettings

SEGMENT_S = 60
TS_PACKET_BYTES = 188
COPY_BYTES = 1 << 22


def make_video(folder: Path, *, minutes: int, size: str = "1280x720", fps: int = 30) -> Path:
    """H.264 with B-frames and a keyframe every 250 frames: a drifting scene with noise that changes colour every 5 s.

    One minute is encoded and repeated, so that an hour takes a minute to make.
    """
    import imageio_ffmpeg

    target = folder / f"bench-{size}-{fps}fps-{minutes}min.mp4"
    if target.exists():
        return target
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    segment = folder / f"segment-{size}-{fps}fps.mp4"
    if not segment.exists():
        sources = [f"gradients=size={size}:rate={fps}:speed=0.02:seed=3", f"testsrc2=size={size}:rate={fps}"]
        mix = "[0][1]blend=all_mode=average,hue=h=floor(t/5)*67,noise=alls=6:allf=t"
        encode = [
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "23",
            "-g",
            "250",
            "-bf",
            "3",
            "-pix_fmt",
            "yuv420p",
        ]
        inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
        blended = ["-filter_complex", mix, "-t", str(SEGMENT_S), *encode, "-f", "mp4"]
        with replaced_file(segment) as partial:
            subprocess.run([*command, *inputs, *blended, str(partial)], check=True)
    repeated = ["-stream_loop", str(minutes - 1), "-i", str(segment), "-c", "copy", "-f", "mp4"]
    with replaced_file(target) as partial:
        subprocess.run([*command, *repeated, str(partial)], check=True)
    return target


def remuxed_ts(film: Path) -> Path:
    """The same film as MPEG-TS, whose packets number themselves, so that a lost one is noticed."""
    import imageio_ffmpeg

    target = film.with_suffix(".ts")
    if not target.exists():
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(film), "-c", "copy", "-f", "mpegts"]
        with replaced_file(target) as partial:
            subprocess.run([*command, str(partial)], check=True)
    return target


def without_packets(film: Path, count: int = 5) -> Path:
    """A copy of an MPEG-TS film that lost some of its packets of 188 bytes in the middle."""
    target = film.with_name(f"damaged-{film.name}")
    if not target.exists():
        middle = film.stat().st_size // 2 // TS_PACKET_BYTES * TS_PACKET_BYTES
        with replaced_file(target) as partial, partial.open("wb") as out, film.open("rb") as whole:
            for start, end in ((0, middle), (middle + count * TS_PACKET_BYTES, film.stat().st_size)):
                whole.seek(start)
                while whole.tell() < end:
                    out.write(whole.read(min(COPY_BYTES, end - whole.tell())))
    return target


def decord_zoom(path: Path, times_s: Sequence[float], min_pixels: int, max_pixels: int) -> list[bytes]:
    """The paper's approach: open the file for each call, index frames by the average rate, encode them."""
    import decord

    reader = decord.VideoReader(str(path), num_threads=1)
    rate = reader.get_avg_fps()
    indices = [min(round(time_s * rate), len(reader) - 1) for time_s in times_s]
    return [_jpeg(pixels, min_pixels, max_pixels) for pixels in reader.get_batch(indices).asnumpy()]


def decord_frames(path: Path, settings: IngestSettings, min_pixels: int, max_pixels: int) -> int:
    """Overview and store frames of a whole file with decord, which scales while decoding; returns their total bytes."""
    import decord

    probe = decord.VideoReader(str(path), num_threads=1)
    height, width = probe[0].shape[:2]
    wide, high = protocol_size(width, height, min_pixels, max_pixels)
    reader = decord.VideoReader(str(path), width=wide, height=high, num_threads=1)
    rate, count = reader.get_avg_fps(), len(reader)
    step = rate / settings.zoom_store_fps
    wanted = sorted({min(count - 1, round(index * step)) for index in range(int(count / step))})
    size = 0
    for first in range(0, len(wanted), 32):
        for pixels in reader.get_batch(wanted[first : first + 32]).asnumpy():
            size += len(_jpeg(pixels, min_pixels, max_pixels))
    return size


def scenedetect_shots(path: Path) -> int:
    """PySceneDetect as in its documentation: it opens, decodes and scales the file itself."""
    from scenedetect import AdaptiveDetector, detect

    return len(detect(str(path), AdaptiveDetector()))


def ffmpeg_null(path: Path) -> None:
    """FFmpeg decodes the whole file on one thread and discards the frames."""
    import imageio_ffmpeg

    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-threads",
        "1",
        "-i",
        str(path),
        "-an",
        "-f",
        "null",
        "-",
    ]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def pyav_null(path: Path) -> None:
    """The same decode through PyAV."""
    import av

    with av.open(os.fspath(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
        for _ in container.decode(stream):
            pass


def decode_group(path: Path, start_s: float, end_s: float | None) -> int:
    """Decode from the keyframe before `start_s` to the frame at `end_s` (None: to the end of that group)."""
    import av

    with av.open(os.fspath(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
        assert stream.time_base
        container.seek(int(start_s / stream.time_base), stream=stream)
        count = 0
        for frame in container.decode(stream):
            if (end_s is None and frame.key_frame and count) or (end_s is not None and frame.time >= end_s):
                break
            count += 1
        return count


def _jpeg(pixels: np.ndarray, min_pixels: int, max_pixels: int) -> bytes:
    from PIL import Image

    image = Image.fromarray(pixels)
    size = protocol_size(*image.size, min_pixels, max_pixels)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
