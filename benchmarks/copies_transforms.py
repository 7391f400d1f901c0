"""What `benchmarks.copies` does to a film before it looks for it: cuts, encodings, frames around it, crops, speeds.

Every copy begins 0.13 s into the film, unless it is cut elsewhere, so that none has the film's own frame times.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

WIDTH, HEIGHT = 480, 360
"""Copies fit into this size, which makes a run of thousands affordable."""
OFFSET_S = 0.13
LONGEST_S = 90.0
"""Seconds of a film that are copied."""
MIN_S = 8.0
"""A copy that a cut leaves shorter is not made."""
CUTS = {"cut 0.25": 0.25, "cut 0.5": 0.5, "cut 10.3": 10.3, "cut 60.5": 60.5}
_SUBTITLES = ",".join(
    f"drawbox=x=iw*{x}:y=ih*0.82:w=iw*{w}:h=ih*0.08:color=white:t=fill:enable='lt(mod(t+{at},3),1.6)'"
    for x, w, at in ((0.2, 0.25, 0.0), (0.5, 0.3, 1.1))
)
FILTERS: dict[str, str] = {
    "encoded": "null",
    "ends early": "trim=duration={most},setpts=PTS-STARTPTS",
    "5 fps": "fps=5",
    "15 fps": "fps=15",
    "letterbox": "pad=iw:trunc(iw*3/4/2)*2+{bars}:0:(oh-ih)/2:black",
    "pillarbox": "pad=trunc(iw*1.3/2)*2:ih:(ow-iw)/2:0:black",
    "border": "pad=trunc(iw*1.16/2)*2:trunc(ih*1.16/2)*2:(ow-iw)/2:(oh-ih)/2:navy",
    "thin border": "pad=trunc(iw*1.05/2)*2:trunc(ih*1.05/2)*2:(ow-iw)/2:(oh-ih)/2:white",
    "logo": "drawbox=x=iw*0.78:y=ih*0.06:w=iw*0.16:h=ih*0.12:color=yellow:t=fill",
    "ticker": "drawbox=x=0:y=ih*0.88:w=iw:h=ih*0.12:color=red:t=fill",
    "subtitles": _SUBTITLES,
    "crop to 4:3": "crop=trunc(min(iw\\,ih*4/3)/2)*2:ih",
    "crop 5%": "crop=trunc(iw*0.9/2)*2:trunc(ih*0.9/2)*2",
    "crop 10%": "crop=trunc(iw*0.8/2)*2:trunc(ih*0.8/2)*2",
    "crop into a corner": "crop=trunc(iw*0.9/2)*2:trunc(ih*0.9/2)*2:0:0",
    "mirror": "hflip",
    "mirror, letterbox": "hflip,pad=iw:trunc(iw*3/4/2)*2+{bars}:0:(oh-ih)/2:black",
    "half the size": "scale=trunc(iw/4)*2:trunc(ih/4)*2",
    "128 wide": "scale=128:96",
    "stretched": "scale=480:270",
    "speed 1.04": "setpts=PTS/1.04",
    "speed 0.96": "setpts=PTS/0.96",
    "speed 1.2": "setpts=PTS/1.2",
    "brighter": "eq=brightness=0.12:contrast=1.1",
    "darker": "eq=gamma=0.7:contrast=0.9",
    "grey": "hue=s=0",
    "other colours": "hue=h=60:s=1.3",
    "blurred": "boxblur=3:1",
    "noise": "noise=alls=18:allf=t",
    "after an intro": "tpad=start_duration=3:color=gray",
    "several at once": "fps=15,eq=brightness=0.06,drawbox=x=iw*0.05:y=ih*0.05:w=iw*0.12:h=ih*0.1:color=white:t=fill,"
    "pad=iw:trunc(ih*1.2/2)*2:0:(oh-ih)/2:black",
}
QUALITY = {"low bitrate": 38, "very low bitrate": 44}
"""Constant rate factors of x264; every other copy has 30."""


def names(duration_s: float) -> list[str]:
    """The copies that a film of this length has."""
    return [name for name, at in CUTS.items() if duration_s - at >= MIN_S] + [*FILTERS, *QUALITY]


def make_copies(ffmpeg: str, film: Path, duration_s: float, width: int, height: int, folder: Path) -> Iterator[str]:
    """Write `<folder>/<name>.mp4` for each copy, in one decode; yields the names.

    Raises:
        subprocess.CalledProcessError: FFmpeg cannot read the film.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = names(duration_s)
    length_s = min(duration_s, LONGEST_S)
    scale = min(WIDTH / width, HEIGHT / height, 1.0)
    size = f"{max(2, int(width * scale) // 2 * 2)}:{max(2, int(height * scale) // 2 * 2)}"
    bars = max(0, int(int(size.split(":")[1]) * 1.2) - int(int(size.split(":")[0]) * 3 / 4)) // 2 * 2
    graph = [f"[0:v:0]trim=duration={length_s},scale={size},setsar=1,format=yuv420p,split={len(made)}"]
    graph[0] += "".join(f"[i{index}]" for index in range(len(made)))
    outputs: list[str] = []
    for index, name in enumerate(made):
        wanted = FILTERS.get(name, "null").format(most=round(length_s * 0.7, 2), bars=bars)
        start = CUTS.get(name, OFFSET_S)
        graph.append(f"[i{index}]trim=start={start},setpts=PTS-STARTPTS,{wanted},format=yuv420p[o{index}]")
        outputs += ["-map", f"[o{index}]", "-c:v", "libx264", "-preset", "ultrafast", "-threads", "1"]
        outputs += ["-crf", str(QUALITY.get(name, 30)), "-g", "60", "-fps_mode", "vfr", str(folder / f"{name}.mp4")]
    command = [ffmpeg, "-v", "error", "-y", "-i", str(film), "-filter_complex", ";".join(graph), "-an", *outputs]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    yield from made
