"""A server that is not ours: `transformers serve` with a tiny random Qwen2.5-VL plays whole episodes over HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from builders import frames_at
from distill_world import make_items

from distill.client.capabilities import find_capabilities
from distill.client.chat import ChatPlayer
from distill.exemplars import exemplar_jobs
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.lake.catalog import CATALOG
from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings.model import DistillSettings, Endpoint, TinyModel

PROMPTS = load_prompts("v1")
PROCESSOR = '''
"""Qwen's own processor insists on a video processor, and that on torchvision; frames are images, so it is left out."""
from transformers.processing_utils import ProcessorMixin
from transformers.models.qwen2_5_vl import Qwen2_5_VLProcessor


class FrameProcessor(Qwen2_5_VLProcessor):
    def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **kwargs):
        names = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>",
                 "vision_start_token": "<|vision_start|>", "vision_end_token": "<|vision_end|>"}
        for name, token in names.items():
            setattr(self, name, token)
            setattr(self, name + "_id", tokenizer.convert_tokens_to_ids(token))
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    @property
    def model_input_names(self):
        return ["input_ids", "attention_mask", "mm_token_type_ids", "pixel_values", "image_grid_thw"]
'''


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address and model of a running server."""
    from train.policy.tiny import build_tiny

    folder = tmp_path_factory.mktemp("served")
    checkpoint = folder / "tiny"
    settings = TinyModel(hidden_size=64, layers=2, vision_hidden_size=32, vocabulary=512)
    build_tiny(
        settings,
        [PROMPTS.system, PROMPTS.question, "<frame0_time0.00s>"],
        checkpoint,
        min_pixels=28 * 28,
        max_pixels=56 * 56,
        seed=0,
    )
    (checkpoint / "frame_processor.py").write_text(PROCESSOR)
    auto = {"processor_class": "FrameProcessor", "auto_map": {"AutoProcessor": "frame_processor.FrameProcessor"}}
    (checkpoint / "processor_config.json").write_text(json.dumps(auto))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        os.path.join(os.path.dirname(sys.executable), "transformers"),
        "serve",
        str(checkpoint),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
        "--trust-remote-code",
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub"), "OMP_NUM_THREADS": "1"}
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 150
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert process.poll() is None and time.monotonic() < deadline, (folder / "server.log").read_text()[
                    -3000:
                ]
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/v1", str(checkpoint)
    finally:
        process.kill()
        process.wait()
        log.close()


@pytest.mark.slow
def test_episodes_play_end_to_end(served, tmp_path):
    url, model = served
    chosen = Endpoint(
        base_url=url, model=model, identity="transformers serve", max_tokens=16, concurrency=2, timeout_s=120
    )
    with FrameStore(tmp_path / "f.sqlite") as store, Ledger(tmp_path / "l.sqlite") as ledger:
        jobs = list(exemplar_jobs(make_items(store, 2, overview=3), DistillSettings(samples=1)))
        protocol = Protocol(max_zooms=1)

        def run():
            player = ChatPlayer(chosen, ledger, store, cut_off="play")
            return EpisodeRunner(player, frames_at, store, protocol, PROMPTS, concurrency=2).play_all(
                jobs
            ), player.statistics()

        rows, calls = run()
        assert CATALOG["trajectories"].conform(rows).height == 2
        # A random model answers nothing; what counts is that every round was played and counted.
        assert {row["status"] for row in rows} <= {"answered", "exhausted"}, list(read_entries(tmp_path / "l.sqlite"))
        entries = list(read_entries(tmp_path / "l.sqlite"))
        assert sum(entry.final for entry in entries) == sum(len(row["turns"]) for row in rows) >= 2
        # It fails without a word at stop strings for models that see; that is found out, left out and recorded.
        assert {entry.dropped for entry in entries if entry.final} == {"stop"} and len(entries) == calls["made"] <= 8
        assert all(row["input_tokens"] > 100 and 0 < row["output_tokens"] <= 16 * len(row["turns"]) for row in rows)
        again, calls = run()
        assert again == rows and calls["made"] == 0


@pytest.mark.slow
def test_its_capabilities_are_found(served, tmp_path):
    url, model = served
    with Ledger(tmp_path / "l.sqlite") as ledger:
        can = find_capabilities(Endpoint(base_url=url, model=model, timeout_s=120), ledger, frames=4)
    assert can.images and can.max_images == 4 and can.seed and can.usage
    assert can.several is False and can.logprobs is False
