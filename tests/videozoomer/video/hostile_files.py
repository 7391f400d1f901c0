"""Hostile files, and what ingest must do with each: read it correctly, or quarantine it for a given reason."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image
from video_samples import code_picture, even_pts, write_video

H264 = {"preset": "veryfast", "crf": "20", "g": "50", "bf": "2", "sc_threshold": "0"}


@dataclass(frozen=True)
class Hostile:
    name: str
    """File name, as a stranger might choose it."""
    make: Callable[[Path, Base], None]
    verdicts: frozenset[str]
    """`ok` (then every overview frame shows its own number) or reasons; any of them is correct."""


class Base:
    """Good files to damage: 10 s at 25 fps, with a tone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.silent = write_video(folder / "silent.mp4", pts=even_pts(250, 25), options=H264)
        self.mp4 = self._made("base.mp4", "-movflags", "+faststart")
        self.index_last = self._made("last.mp4")
        self.mkv = self._made("base.mkv")
        self.ts = self._made("base.ts")

    def _made(self, name: str, *more: str) -> Path:
        target = self.folder / name
        tone = ["-f", "lavfi", "-i", "sine=440:duration=10", "-c:v", "copy", "-c:a", "aac", "-shortest"]
        ffmpeg("-i", str(self.silent), *tone, *more, str(target))
        return target


def ffmpeg(*arguments: str) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments], check=True)


def _bytes(content: bytes) -> Callable[[Path, Base], None]:
    return lambda path, _: path.write_bytes(content) and None


def _cut(of: str, tenths: float) -> Callable[[Path, Base], None]:
    def make(path: Path, base: Base) -> None:
        data = getattr(base, of).read_bytes()
        path.write_bytes(data[: int(len(data) * tenths / 10)])

    return make


def _flipped(of: str, where: Callable[[bytes], int], count: int = 64) -> Callable[[Path, Base], None]:
    def make(path: Path, base: Base) -> None:
        data = bytearray(getattr(base, of).read_bytes())
        start = where(bytes(data))
        for index in range(start, min(len(data), start + count)):
            data[index] ^= 0xA5
        path.write_bytes(data)

    return make


def _declaring(seconds: float) -> Callable[[Path, Base], None]:
    """An MP4 whose movie and track headers declare another length."""

    def make(path: Path, base: Base) -> None:
        data = bytearray(base.mp4.read_bytes())
        for box in (b"mvhd", b"mdhd"):
            at = data.find(box)
            while at >= 0:
                scale = struct.unpack_from(">I", data, at + 16)[0]
                struct.pack_into(">I", data, at + 20, min(0xFFFFFFFE, int(seconds * scale)))
                at = data.find(box, at + 4)
        path.write_bytes(data)

    return make


def _declaring_mkv(seconds: float) -> Callable[[Path, Base], None]:
    """A Matroska file whose duration element (0x4489, eight bytes of milliseconds) declares another length."""

    def make(path: Path, base: Base) -> None:
        data = bytearray(base.mkv.read_bytes())
        struct.pack_into(">d", data, data.find(b"\x44\x89\x88") + 3, seconds * 1000)
        path.write_bytes(data)

    return make


def _huge(path: Path, base: Base) -> None:
    """An MP4 whose sample description declares 65535 x 65535, unlike the stream itself."""
    data = bytearray(base.mp4.read_bytes())
    at = data.find(b"avc1", data.find(b"stsd"))
    struct.pack_into(">HH", data, at + 28, 65535, 65535)
    path.write_bytes(data)


def _huge_raw(path: Path, base: Base) -> None:
    """Uncompressed pictures, whose size only the header declares: 12000 x 12000."""
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-c:v", "rawvideo", "-f", "avi", str(path))
    data = bytearray(path.read_bytes())
    struct.pack_into("<ii", data, data.find(b"strf") + 12, 12_000, 12_000)
    path.write_bytes(data)


def _unknown_codec(path: Path, base: Base) -> None:
    path.write_bytes(base.mp4.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))


def _copied(of: str) -> Callable[[Path, Base], None]:
    return lambda path, base: shutil.copy(getattr(base, of), path) and None


def _size_changes(path: Path, base: Base) -> None:
    names = []
    for number, size in enumerate(((320, 180), (480, 270))):

        def picture(index: int, width: int, height: int, first: int = 125 * number) -> np.ndarray:
            return code_picture(first + index, width, height)

        names.append(base.folder / f"part-{number}.ts")
        write_video(names[-1], pts=even_pts(125, 25), options=H264, size=size, picture=picture)
    listing = base.folder / "parts.txt"
    listing.write_text("".join(f"file '{name}'\n" for name in names))
    ffmpeg("-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy", "-f", "mpegts", str(path))


def _times_run_back(path: Path, base: Base) -> None:
    path.write_bytes(base.ts.read_bytes() * 2)


def _one_frame(path: Path, base: Base) -> None:
    write_video(path, pts=[0], options=H264)


def _audio(path: Path, base: Base) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=440:duration=3", "-c:a", "aac", "-f", "mp4", str(path))


def _cover(path: Path, base: Base) -> None:
    picture = base.folder / "cover.jpg"
    Image.fromarray(code_picture(3)).save(picture)
    source = ["-f", "lavfi", "-i", "sine=440:duration=3", "-i", str(picture)]
    ffmpeg(
        *source,
        "-map",
        "0",
        "-map",
        "1",
        "-c:a",
        "aac",
        "-c:v",
        "mjpeg",
        "-disposition:v:0",
        "attached_pic",
        "-f",
        "mp4",
        str(path),
    )


def _live(path: Path, base: Base) -> None:
    """Matroska as a live recorder writes it, without length and index."""
    ffmpeg("-i", str(base.silent), "-c", "copy", "-f", "matroska", "-live", "1", str(path))


def _picture(kind: str) -> Callable[[Path, Base], None]:
    return lambda path, _: Image.fromarray(code_picture(3)).save(path, kind)


def _linked_pipe(path: Path, base: Base) -> None:
    os.mkfifo(base.folder / "pipe-behind-link")
    path.symlink_to(base.folder / "pipe-behind-link")


def _playlist(text: str) -> Callable[[Path, Base], None]:
    return lambda path, base: path.write_text(text.format(file=base.mp4)) and None


def _index(data: bytes) -> int:
    return data.find(b"stsz") + 40


OK, DAMAGED, TRUNCATED = "ok", "damaged", "truncated"
_MANIFEST = '<?xml version="1.0"?>\n<MPD><BaseURL>{file}</BaseURL></MPD>'
_SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n"


def _h(name: str, make: Callable[[Path, Base], None], *verdicts: str) -> Hostile:
    return Hostile(name, make, frozenset(verdicts))


HOSTILE = (
    _h("empty.mp4", _bytes(b""), "empty"),
    _h("one-byte.mp4", _bytes(b"\0"), "not_a_video"),
    _h("text.mp4", _bytes(b"This is not a video.\n" * 400), "not_a_video"),
    _h("zeros.mp4", _bytes(bytes(100_000)), "not_a_video"),
    _h("noise.mp4", _bytes(random.Random(0).randbytes(200_000)), "not_a_video"),
    _h("gzip.mkv", _bytes(gzip.compress(b"not a video" * 1000)), "not_a_video"),
    _h("png.mp4", _picture("PNG"), "not_a_video"),
    _h("jpeg.avi", _picture("JPEG"), "not_a_video"),
    _h("directory.mp4", lambda path, _: path.mkdir(), "not_a_file"),
    _h("pipe.mp4", lambda path, _: os.mkfifo(path), "not_a_file"),
    _h("linked-pipe.mp4", _linked_pipe, "not_a_file"),
    _h("dangling.mp4", lambda path, _: path.symlink_to("nowhere.mp4"), "missing"),
    *(_h(f"cut-{tenths}.mp4", _cut("mp4", tenths), TRUNCATED) for tenths in range(2, 6)),
    *(_h(f"cut-{tenths}.mp4", _cut("mp4", tenths), OK) for tenths in range(6, 10)),
    _h("cut-1.mp4", _cut("mp4", 1), TRUNCATED, DAMAGED),
    *(_h(f"index-gone-{tenths}.mp4", _cut("index_last", tenths), DAMAGED) for tenths in (1, 5, 9)),
    *(_h(f"cut-{tenths}.mkv", _cut("mkv", tenths), TRUNCATED) for tenths in (2, 4)),
    _h("cut-8.mkv", _cut("mkv", 8), OK),
    *(_h(f"cut-{tenths}.ts", _cut("ts", tenths + 0.003), OK) for tenths in (2, 5, 8)),
    _h("header-flipped.mp4", _flipped("mp4", lambda _: 0, 32), DAMAGED, "not_a_video"),
    _h("moov-flipped.mp4", _flipped("mp4", lambda data: data.find(b"moov") + 4, 64), DAMAGED, "no_video_stream"),
    _h("index-flipped.mp4", _flipped("mp4", _index), DAMAGED, TRUNCATED),
    _h("middle-flipped.mp4", _flipped("mp4", lambda data: len(data) // 2, 400), OK),
    _h("middle-flipped.mkv", _flipped("mkv", lambda data: len(data) // 2, 400), OK),
    _h("middle-flipped.ts", _flipped("ts", lambda data: len(data) // 2, 4000), OK),
    _h("header-flipped.mkv", _flipped("mkv", lambda _: 0, 32), "not_a_video"),
    _h("declares-20-hours.mp4", _declaring(72_000), OK),
    _h("declares-20-hours.mkv", _declaring_mkv(72_000), TRUNCATED),
    _h("declares-1-second.mp4", _declaring(1), OK),
    _h("declares-nothing.mp4", _declaring(0), OK),
    _h("live.mkv", _live, OK),
    _h("one-frame.mp4", _one_frame, OK),
    _h("audio.mp4", _audio, "no_video_stream"),
    _h("cover.m4a", _cover, "no_video_stream"),
    _h("size-changes.ts", _size_changes, OK),
    _h("huge.mp4", _huge, OK, "too_large"),
    _h("huge.avi", _huge_raw, "too_large"),
    _h("unknown-codec.mp4", _unknown_codec, "unsupported_codec", "no_video_stream"),
    _h("times-run-back.ts", _times_run_back, "times_not_increasing", DAMAGED),
    _h("wrong-name.txt", _copied("mp4"), OK),
    _h("wrong-container.avi", _copied("mkv"), OK),
    _h("no extension", _copied("mp4"), OK),
    _h("name with spaces.mp4", _copied("mp4"), OK),
    _h("new\nline.mp4", _copied("mp4"), OK),
    _h("ünïcödé 影片 🎬.mp4", _copied("mp4"), OK),
    _h("-i.mp4", _copied("mp4"), OK),
    _h("concat:a.mp4|b.mp4", _copied("mp4"), OK),
    _h("100%d.mp4", _copied("mp4"), OK),
    _h("list.m3u8", _playlist("#EXTM3U\n#EXTINF:5,\n{file}\n"), "playlist"),
    _h("list.mp4", _playlist("#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n"), "playlist"),
    _h("concat.mp4", _playlist("ffconcat version 1.0\nfile '{file}'\n"), "playlist"),
    _h("concat-no-mark.mp4", _playlist("file '{file}'\n"), "not_a_video"),
    _h("manifest.mpd", _playlist(_MANIFEST), "playlist"),
    _h("session.sdp", _playlist(_SDP), "not_a_video"),
)
