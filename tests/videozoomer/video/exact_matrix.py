"""The kinds of file for the exactness tests. The tests write each file; each frame shows its number."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
from video_samples import even_pts, turned, write_video

SECONDS = 12
H264 = {"preset": "veryfast", "crf": "18", "bf": "3", "sc_threshold": "0"}
TICKS = Fraction(1, 90_000)


@dataclass(frozen=True)
class Kind:
    name: str
    suffix: str = "mp4"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {**H264, "g": "30"})
    fps: Fraction = Fraction(25)
    variable: bool = False
    start: int = 0
    """Presentation time of the first frame, in ticks."""
    time_base: Fraction = TICKS
    more: dict = field(default_factory=dict)
    """Further arguments of `write_video`."""
    after: Callable[[Path, Path], None] | None = None
    """Rewrites the encoded file."""
    first_shown: int = 0
    """Number of the first frame that is presented."""
    end_shown: int | None = None
    """Number of the first frame that is not presented any more."""

    def pts(self) -> list[int]:
        if not self.variable:
            return even_pts(int(SECONDS * self.fps), self.fps, self.time_base, self.start)
        # Between 10 and 90 ms per frame, and sometimes a still of a second.
        rng, times = random.Random(self.name), [self.start]
        while times[-1] - self.start < SECONDS * 90_000:
            times.append(times[-1] + (90_000 if rng.random() < 0.02 else 90 * rng.randint(10, 90)))
        return times

    def write(self, folder: Path) -> tuple[Path, Sequence[int]]:
        """The file, and the presentation time of each of its frames by number."""
        path, pts = folder / f"{self.name}.{self.suffix}", self.pts()
        raw = folder / f"raw-{self.name}.mp4" if self.after else path
        write_video(raw, pts=pts, time_base=self.time_base, codec=self.codec, options=self.options, **self.more)
        if self.after:
            self.after(raw, path)
            raw.unlink()
        return path, pts


def _ffmpeg(*before: str, after: Sequence[str] = ()) -> Callable[[Path, Path], None]:
    def run(source: Path, target: Path) -> None:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *before, "-i", str(source)]
        subprocess.run([*command, "-c", "copy", *after, str(target)], check=True)

    return run


HEVC = {
    "preset": "ultrafast",
    "crf": "20",
    "x265-params": "log-level=none:keyint=60:min-keyint=60:scenecut=0:bframes=3",
}
HEVC_OPEN = {
    "preset": "ultrafast",
    "crf": "20",
    "x265-params": "log-level=none:keyint=40:scenecut=0:bframes=4:open-gop=1",
}
VP9 = {"deadline": "realtime", "cpu-used": "8", "crf": "24", "b": "0", "g": "60"}
VP9_ALTREF = {
    "deadline": "good",
    "cpu-used": "5",
    "crf": "24",
    "b": "0",
    "g": "90",
    "auto-alt-ref": "1",
    "lag-in-frames": "16",
}
AV1 = {"preset": "12", "crf": "30", "g": "60"}
INTERLACED = ["-c:v", "libx264", "-crf", "16", "-flags", "+ilme+ildct"]
MPEG2 = {"b": "2000000", "g": "15", "bf": "2"}
MPEG4 = {"b": "2000000", "g": "60"}

KINDS = (
    Kind("h264-gop250", options={**H264, "g": "250"}),
    Kind("h264-gop30"),
    Kind("h264-23976", fps=Fraction(24000, 1001)),
    Kind("h264-2997", fps=Fraction(30000, 1001), options={**H264, "g": "250"}),
    Kind("h264-60fps", fps=Fraction(60)),
    Kind("h264-open-gop", options={**H264, "x264-params": "open-gop=1:keyint=40:bframes=3:scenecut=0"}),
    Kind("h264-pyramid", options={**H264, "g": "120", "bf": "8", "b-pyramid": "normal", "refs": "4"}),
    Kind("h264-no-b", options={**H264, "bf": "0", "g": "50"}),
    Kind("h264-variable", variable=True, options={**H264, "g": "90"}),
    Kind("h264-start-offset", start=450_000),
    Kind("h264-edit-list", after=_ffmpeg("-ss", "3.3"), first_shown=83),
    Kind("h264-rotated-90", more={"rotation": 90, "picture": turned(3), "size": (180, 320)}),
    Kind("h264-rotated-180", more={"rotation": 180, "picture": turned(2)}),
    Kind("h264-rotated-270", more={"rotation": -90, "picture": turned(1), "size": (180, 320)}),
    Kind("h264-mirrored", more={"picture": turned(0, mirrored=True)}, after=_ffmpeg("-display_hflip")),
    Kind("h264-anamorphic", more={"aspect": Fraction(64, 45), "size": (240, 192)}),
    Kind("h264-narrow-pixels", more={"aspect": Fraction(8, 9), "size": (360, 240)}),
    Kind("h264-10-bit", more={"pix_fmt": "yuv420p10le"}),
    Kind("h264-444", more={"pix_fmt": "yuv444p"}),
    Kind("h264-odd-size", more={"size": (321, 181), "pix_fmt": "yuv444p"}),
    Kind("h264-large", more={"size": (960, 540)}, options={**H264, "g": "250"}),
    Kind("h264-fragmented", more={"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    Kind("h264-ts", suffix="ts"),
    Kind("h264-ts-gop250-2997", suffix="ts", fps=Fraction(30000, 1001), options={**H264, "g": "250"}),
    Kind("h264-ts-variable-offset", suffix="ts", variable=True, start=900_000),
    Kind("h264-mkv", suffix="mkv"),
    Kind("h264-mkv-variable", suffix="mkv", variable=True, options={**H264, "g": "250"}),
    Kind("h264-mov", suffix="mov"),
    Kind("h264-flv", suffix="flv"),
    Kind("hevc", codec="libx265", options=HEVC),
    Kind("hevc-open-gop", codec="libx265", options=HEVC_OPEN),
    Kind("hevc-10-bit", codec="libx265", options=HEVC, more={"pix_fmt": "yuv420p10le"}),
    Kind("hevc-mkv-variable", suffix="mkv", codec="libx265", options=HEVC, variable=True),
    Kind("hevc-ts-open-gop", suffix="ts", codec="libx265", options=HEVC_OPEN),
    Kind("vp9-webm", suffix="webm", codec="libvpx-vp9", options=VP9),
    Kind("vp9-webm-altref", suffix="webm", codec="libvpx-vp9", options=VP9_ALTREF),
    Kind("vp9-mp4-variable", codec="libvpx-vp9", options=VP9, variable=True),
    Kind("vp8-webm-altref", suffix="webm", codec="libvpx", options=VP9_ALTREF),
    Kind("av1-mkv", suffix="mkv", codec="libsvtav1", options=AV1),
    Kind("av1-mp4-variable", codec="libsvtav1", options=AV1, variable=True),
    Kind("mpeg2-ts", suffix="ts", codec="mpeg2video", options=MPEG2, time_base=Fraction(1, 25)),
    Kind("mpeg4-avi", suffix="avi", codec="mpeg4", options=MPEG4, time_base=Fraction(1, 25)),
    Kind("mpeg4-mp4-b", codec="mpeg4", options={**MPEG4, "bf": "2"}, time_base=Fraction(1, 25)),
    Kind("prores-mov", suffix="mov", codec="prores_ks", options={"profile": "0"}, more={"pix_fmt": "yuv422p10le"}),
    Kind("mpeg2-ps", suffix="mpg", after=_ffmpeg(after=["-c:v", "mpeg2video", "-q:v", "2", "-bf", "2"])),
    Kind("msmpeg4-wmv", suffix="wmv", after=_ffmpeg(after=["-c:v", "msmpeg4", "-q:v", "2"])),
    Kind("theora-ogg", suffix="ogv", after=_ffmpeg(after=["-c:v", "libtheora", "-q:v", "9", "-g", "50"])),
    Kind("aom-av1-webm", suffix="webm", after=_ffmpeg(after=["-c:v", "libaom-av1", "-cpu-used", "8", "-crf", "20"])),
    Kind("h264-interlaced-ts", suffix="ts", after=_ffmpeg(after=[*INTERLACED, "-x264-params", "interlaced=1:tff=1"])),
    Kind("h264-intra-refresh", after=_ffmpeg(after=[*INTERLACED[:4], "-x264-params", "intra-refresh=1:keyint=50"])),
    Kind("h264-ts-clock-wraps", suffix="ts", after=_ffmpeg(after=["-output_ts_offset", "95440"])),
    Kind("h264-m2ts", suffix="m2ts", after=_ffmpeg()),
    Kind("h264-3gp", suffix="3gp", after=_ffmpeg()),
    Kind("mjpeg-mov", suffix="mov", codec="mjpeg", options={"q": "3"}, more={"pix_fmt": "yuvj420p"}),
)
"""Every kind with its own name."""
