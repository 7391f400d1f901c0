import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from range_server import RangeServer
from video_samples import even_pts, write_video

H264 = {"preset": "veryfast", "crf": "20", "g": "60", "bf": "3", "sc_threshold": "0"}


@pytest.fixture(scope="session")
def coded_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of H.264 with B-frames at 25 fps; each frame shows its number."""
    return write_video(tmp_path_factory.mktemp("video") / "coded.mp4", pts=even_pts(300, 25), options=H264)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with RangeServer(tmp_path) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
