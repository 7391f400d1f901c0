"""For tests of the full graph: a recorder between client and teacher, and a recipe over the small world."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from videozoomer.protocol.frame_id import frame_id_of

DATA_URL = re.compile(r"^data:image/jpeg;base64,(.*)$")


@dataclass
class Recorder:
    """A server between client and teacher that records every request it forwards."""

    upstream: str
    requests: list[str] = field(default_factory=list)
    """Hash of each completion request, in the order of arrival."""
    frames: dict[str, bytes] = field(default_factory=dict)
    """Every image sent to the teacher, by its frame id."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Recorder:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._forward(None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                recorder.note(body)
                self._forward(body)

            def _forward(self, body: bytes | None) -> None:
                request = urllib.request.Request(
                    recorder.upstream + self.path, data=body, headers={"Content-Type": "application/json"}
                )
                try:
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        status, text = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, text = error.code, error.read()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def note(self, body: bytes) -> None:
        message = json.loads(body)
        with self.lock:
            self.requests.append(hashlib.sha256(body).hexdigest())
            for part in (part for m in message["messages"] if isinstance(m["content"], list) for part in m["content"]):
                if part["type"] == "image_url":
                    jpeg = base64.b64decode(DATA_URL.match(part["image_url"]["url"]).group(1))
                    self.frames[frame_id_of(jpeg)] = jpeg


def write_recipe(path: Path, world: Path, teacher_url: str, **overrides: object) -> Path:
    """A recipe over the small world, with the smallest settings that work."""
    recipe = {
        "name": "test",
        "home": "run",
        "sources": [
            {"name": "world", "videos": str(world / "train/videos"), "questions": str(world / "train/questions.jsonl")},
            {
                "name": "benchmark",
                "videos": str(world / "evaluation/videos"),
                "questions": str(world / "evaluation/questions.jsonl"),
                "split": "evaluation",
            },
        ],
        "teacher": {"base_url": f"{teacher_url}/v1", "identity": "local-teacher", "concurrency": 4, "max_tokens": 512},
        "distill": {"samples": 2},
        "video": {"failed_share": 0.9},
        "policy": {
            "train_min_pixels": 784,
            "train_max_pixels": 784,
            "tiny": {
                "hidden_size": 32,
                "layers": 2,
                "heads": 2,
                "key_value_heads": 1,
                "vision_hidden_size": 32,
                "vocabulary": 512,
            },
        },
        "sft": {
            "max_steps": 2,
            "batch_size": 2,
            "micro_batch_size": 1,
            "zero_stage": 0,
            "bf16": False,
            "gradient_checkpointing": False,
            "learning_rate": 1e-3,
        },
        "evaluation": {"max_questions": 6, "policy_questions": 2, "max_new_tokens": 16, "bootstrap": 200},
    }
    recipe.update(overrides)
    path.write_text(yaml.safe_dump(recipe))
    return path
