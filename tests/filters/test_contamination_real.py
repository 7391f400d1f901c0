"""Copies of real files: re-encoded, resized, at another frame rate, trimmed in the middle of a second."""

import ffmpeg
import imageio_ffmpeg
import numpy as np
import pytest

from examples.world import make_world
from filters.signatures import find_copies
from videozoomer.protocol import Protocol
from videozoomer.settings.model import FilterSettings
from videozoomer.video.ingest import IngestSettings, ingest_many


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    """File name -> signature, for the sample world and copies of its evaluation video."""
    folder = tmp_path_factory.mktemp("contamination")
    world = make_world(folder / "world", size="small")
    original = world.evaluation_videos / "reel-01.mp4"
    copies = {
        "smaller": ffmpeg.input(str(original)).filter("scale", 256, 144).filter("fps", 15),
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
    return {item.record.uri.rsplit("/", 1)[1]: np.array(item.record.signature, np.uint64) for item in found}


@pytest.mark.slow
def test_copies_of_a_real_video_are_found_and_no_others(signatures):
    settings = FilterSettings()
    train = {name: hashes for name, hashes in signatures.items() if name != "reel-01.mp4"}
    assert set(train) == {"tape-01.mp4", "tape-02.mp4", "upload-03.mp4", "smaller.mp4", "cut.mp4"}
    found = find_copies(
        train,
        {"reel-01.mp4": signatures["reel-01.mp4"]},
        distance=settings.signature_distance,
        share=settings.signature_share,
    )
    assert {copy.left for copy in found} == {"upload-03.mp4", "smaller.mp4", "cut.mp4"}


@pytest.mark.slow
def test_different_videos_of_one_style_stay_far_below_the_threshold(signatures):
    names = ("tape-01.mp4", "tape-02.mp4", "reel-01.mp4")
    for one in names:
        for other in names:
            if one < other:
                assert not list(
                    find_copies({one: signatures[one]}, {other: signatures[other]}, distance=18, share=0.35)
                )
