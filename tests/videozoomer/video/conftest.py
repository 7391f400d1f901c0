from pathlib import Path

import pytest
from video_samples import even_pts, write_video

H264 = {"preset": "veryfast", "crf": "20", "g": "60", "bf": "3", "sc_threshold": "0"}


@pytest.fixture(scope="session")
def coded_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of H.264 with B-frames at 25 fps; each frame shows its number."""
    return write_video(tmp_path_factory.mktemp("video") / "coded.mp4", pts=even_pts(300, 25), options=H264)
