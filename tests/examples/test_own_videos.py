"""The examples of one's own videos and player: from files and a server to a page and to figures."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.teacher import serve
from examples.world import make_world

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPT, PLAYER = EXAMPLES / "own_videos.py", EXAMPLES / "own_player.py"


@pytest.mark.slow
def test_own_videos_become_a_page_and_an_own_player_plays_them(tmp_path):
    world, home = make_world(tmp_path / "world", size="small"), tmp_path / "home"
    with serve() as teacher:
        command = [sys.executable, str(SCRIPT), "--home", str(home), "--server", teacher.base_url]
        command += ["--videos", str(world.train_videos), "--questions", str(world.train_questions)]
        first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"kept +exemplar +[1-9]", first)
    assert (home / "report" / "trajectories.html").stat().st_size > 10_000
    assert "videos" in first.splitlines()[1] and "exemplars" not in again.split("asked")[0]
    played = subprocess.run([sys.executable, str(PLAYER), str(home)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"accuracy +\d+% \[\d+%, \d+%\] of [1-9]", played) and "hit_rate" in played
