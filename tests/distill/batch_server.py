"""The chat server with a Batch API: /v1/files and /v1/batches, answered line by line by the same rules."""

from __future__ import annotations

import json
import re

from chat_server import ChatServer, json_bytes


class BatchServer(ChatServer):
    def __init__(self, *, polls: int = 1, lose: int = 0, **fields) -> None:
        """A batch is done after `polls` looks at it; the last `lose` calls of each are left out, as if it expired."""
        super().__init__(**fields)
        self.polls, self.lose = polls, lose
        self.batches: dict[str, dict] = {}

    async def _answer(self, method: str, path: str, body: bytes):
        if path.startswith("/v1/files"):
            return self._files(method, path, body)
        if path.startswith("/v1/batches"):
            return await self._batches(method, path, body)
        return await super()._answer(method, path, body)

    def _files(self, method: str, path: str, body: bytes):
        if method == "POST":
            boundary = body.split(b"\r\n", 1)[0]
            part = next(p for p in body.split(boundary) if b'name="file"' in p)
            name = f"file-{len(self.files)}"
            self.files[name] = part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
            self.counts["files"] += 1
            return json_bytes(
                200,
                {
                    "id": name,
                    "object": "file",
                    "bytes": len(self.files[name]),
                    "created_at": 0,
                    "filename": "x",
                    "purpose": "batch",
                    "status": "processed",
                },
            )
        return (
            200,
            {"content-type": "application/octet-stream"},
            self.files[re.search(r"/files/([^/]+)/content", path)[1]],
        )

    async def _batches(self, method: str, path: str, body: bytes):
        if method == "POST":
            asked = json.loads(body)
            name = f"batch-{len(self.batches)}"
            self.batches[name] = {
                "id": name,
                "object": "batch",
                "endpoint": asked["endpoint"],
                "input_file_id": asked["input_file_id"],
                "created_at": 0,
                "completion_window": "24h",
                "status": "in_progress",
                "metadata": asked.get("metadata"),
                "looks": 0,
            }
            self.counts["batches"] += 1
            return json_bytes(200, self.batches[name])
        if path.split("?")[0] == "/v1/batches":
            return json_bytes(200, {"object": "list", "data": list(self.batches.values()), "has_more": False})
        batch = self.batches[path.rsplit("/", 1)[1]]
        batch["looks"] += 1
        if batch["looks"] >= self.polls and batch["status"] == "in_progress":
            await self._work(batch)
        return json_bytes(200, batch)

    async def _work(self, batch: dict) -> None:
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        out = []
        for line in lines[: len(lines) - self.lose]:
            answer = await super()._answer(
                "POST", "/v1/chat/completions", json.dumps(line["body"], separators=(",", ":")).encode()
            )
            out.append(
                {
                    "custom_id": line["custom_id"],
                    "response": {"status_code": answer[0], "body": json.loads(answer[2])},
                    "error": None,
                }
            )
        name = f"file-{len(self.files)}"
        self.files[name] = "\n".join(map(json.dumps, out)).encode()
        batch |= {"status": "expired" if self.lose else "completed", "output_file_id": name}
        self.batches[batch["id"]] = batch
