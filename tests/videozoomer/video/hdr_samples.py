"""Films of plain colours with a high dynamic range, coded by the formulas of BT.2100 written out once more."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np

TO_BT2020 = np.array(
    [
        [0.6274038959, 0.3292830384, 0.0433130657],
        [0.0690972894, 0.9195403951, 0.0113623156],
        [0.0163914389, 0.0880133079, 0.8955952532],
    ]
)
"""Linear BT.709 to linear BT.2020: the matrix of ITU-R BT.2087, with more digits."""
LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
TRANSFERS = {"pq": "smpte2084", "hlg": "arib-std-b67"}
HDR_TAGS = "setparams=color_primaries=bt2020:color_trc={}:colorspace=bt2020nc"


def nits_of(rgb: Sequence[int]) -> np.ndarray:
    """Light that a display with a white of 203 nits gives 8-bit codes of BT.709, with the primaries of BT.2020."""
    return TO_BT2020 @ (203 * (np.asarray(rgb) / 255) ** 2.4)


def pq(nits: np.ndarray) -> np.ndarray:
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits: np.ndarray) -> np.ndarray:
    light = nits / 1000
    scene = light * (light @ LUMINANCE) ** (1 / 1.2 - 1)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073)


def write_plain(
    path: Path,
    codes: Sequence[np.ndarray],
    *,
    size: tuple[int, int],
    filters: str,
    pixels: str = "yuv420p10le",
    options: Sequence[str] = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "1"),
) -> Path:
    """A film that shows each RGB colour (codes from 0 to 1) for a second, at 5 fps."""
    width, height = size
    pictures = [np.full((height, width, 3), np.round(np.asarray(code) * 65535), "<u2") for code in codes]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{width}x{height}", "-r", "5", "-i", "-"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *raw, "-vf", f"{filters},format={pixels}"]
    data = b"".join(picture.tobytes() * 5 for picture in pictures)
    subprocess.run([*command, *options, str(path)], input=data, check=True)
    return path


def write_dolby_vision(path: Path, rpu_profile: int, full_range: int) -> Path:
    """An HEVC film with Dolby Vision's metadata (RPU) at each picture: profile 5 if it is 0, with the full range."""
    raw = path.with_suffix(".hevc")
    options = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:repeat-headers=1:bframes=0"]
    grey = [np.array([0.4, 0.4, 0.4])]
    write_plain(raw, grey, size=(320, 180), filters="scale=out_color_matrix=bt2020", options=options)
    # NAL unit 62 of HEVC, with emulation prevention, after each picture.
    payload = re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", rpu(rpu_profile, full_range))
    units = raw.read_bytes().replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    parts = [unit + (b"\0\0\1\x7c\x01" + payload if (unit[0] >> 1 & 63) < 32 else b"") for unit in units]
    raw.write_bytes(b"".join(b"\0\0\1" + part for part in parts))
    # A raw stream has no times: five pictures a second, in FFmpeg's ticks for such streams.
    copied = ["-i", str(raw), "-c", "copy", "-bsf:v", "setts=ts=N*240000", str(path)]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *copied], check=True)
    raw.unlink()
    return path


def rpu(profile: int, full_range: int) -> bytes:
    """The smallest RPU that FFmpeg takes: a header, and three mappings that change nothing."""

    def unsigned(value: int) -> str:
        digits = f"{value + 1:b}"
        return "0" * (len(digits) - 1) + digits

    header = f"{2:06b}{18:011b}{profile:04b}{0:04b}1"
    sequence = f"000{unsigned(23)}01{full_range}{unsigned(2)}{unsigned(2)}{unsigned(4)}0{0:03b}01"
    pivots = f"{unsigned(0)}{0:010b}{1023:010b}"
    line = f"{unsigned(0)}{unsigned(0)}0{unsigned(0)}{0:023b}{unsigned(1)}{0:023b}"
    bits = header + sequence + "00" + unsigned(0) * 3 + 3 * pivots + unsigned(0) * 2 + 3 * line
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    check = 0xFFFFFFFF
    for byte in data:
        check ^= byte << 24
        for _ in range(8):
            check = (check << 1 ^ (0x04C11DB7 if check >> 31 else 0)) & 0xFFFFFFFF
    return b"\x19" + data + check.to_bytes(4, "big") + b"\x80"
