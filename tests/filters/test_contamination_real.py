"""Copies of real files: re-encoded, resized, at another frame rate, trimmed in the middle of a second."""

import ffmpeg
import imageio_ffmpeg
import numpy as np
import pytest

from examples.world import make_world
from filters.copies.film import Film
from filters.copies.find import find_copies, status_of
from videozoomer.protocol import Protocol
from videozoomer.video.hashing import Hashes
from videozoomer.video.ingest import IngestSettings, ingest_many


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    """File name -> film, for the sample world and copies of its evaluation video."""
    folder = tmp_path_factory.mktemp("contamination")
    world = make_world(folder / "world", size="small")
    original = world.evaluation_videos / "reel-01.mp4"
    copies = {
        "smaller": ffmpeg.input(str(original)).filter("scale", 256, 144).filter("fps", 15),
        "mirrored": ffmpeg.input(str(original)).filter("hflip").filter("pad", "iw", "ih*1.3", 0, "(oh-ih)/2"),
        "cut": ffmpeg.input(str(original), ss=6.4, t=18).filter("scale", 480, 270),
    }
    for name, stream in copies.items():
        output = ffmpeg.output(
            stream, str(folder / f"{name}.mp4"), vcodec="libx264", crf=30, preset="veryfast", pix_fmt="yuv420p"
        )
        output.run(cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True)
    files = [*world.train_videos.glob("[tu]*.mp4"), original, *folder.glob("*.mp4")]
    settings = IngestSettings(protocol=Protocol(overview_frames=2), detectors=("threshold",))
    found = ingest_many([str(path) for path in files], settings, workers=2, timeout_s=120, memory_mb=2048)
    films = {}
    for item in found:
        name = item.record.uri.rsplit("/", 1)[1]
        tracks = {
            track.track: Hashes(np.frombuffer(track.pictures, np.uint64), np.frombuffer(track.motions, np.uint64))
            for track in item.signature
        }
        films[name] = Film(name, tracks)
    return films


@pytest.mark.slow
def test_copies_of_a_real_video_are_found_and_no_others(signatures):
    train = [signatures[name] for name in sorted(signatures) if name != "reel-01.mp4"]
    names = {"tape-01.mp4", "tape-02.mp4", "upload-03.mp4", "smaller.mp4", "cut.mp4", "mirrored.mp4"}
    assert {film.film_id for film in train} == names
    found = find_copies(train, [signatures["reel-01.mp4"]])
    assert {copy.left for copy in found} == {"upload-03.mp4", "smaller.mp4", "cut.mp4", "mirrored.mp4"}
    assert {status_of(copy.match.evidence, copy.match.share, copy.match.length_s) for copy in found} == {"verdict"}
    (cut,) = (copy.match for copy in found if copy.left == "cut.mp4")
    assert cut.shift_s == pytest.approx(6.4, abs=0.3) and cut.share > 0.9
