"""The teacher as a process: it starts, says where it is, and never outlives who started it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from examples.teacher import MODEL, TeacherError, serve


def answers(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/models", timeout=5) as answer:
            return [card["id"] for card in json.load(answer)["data"]] == [MODEL]
    except OSError:
        return False


def test_it_serves_while_open() -> None:
    with serve(workers=2) as teacher:
        assert answers(teacher.base_url) and teacher.model == MODEL
    assert not answers(teacher.base_url)
    teacher.close()


def test_a_taken_port_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(TeacherError, match="port taken"):
            serve(port=taken.getsockname()[1])
    with pytest.raises(ValueError, match="workers"):
        serve(workers=0)


def test_it_ends_when_its_parent_is_killed() -> None:
    code = "import time; from examples.teacher import serve; t = serve(); print(t.base_url, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        base_url = parent.stdout.readline().strip()
        assert answers(base_url)
        os.kill(parent.pid, signal.SIGKILL)
    for _ in range(100):
        if not answers(base_url):
            return
        time.sleep(0.1)
    pytest.fail("the teacher outlived the process that started it")
