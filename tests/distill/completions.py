"""Bodies of chat completions, for tests of how replies are read."""

from __future__ import annotations

import json


def completion(message: dict, reason: str | None = "stop", **more: object) -> str:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return json.dumps({"choices": [{"message": message, "finish_reason": reason}], "usage": usage} | more)
