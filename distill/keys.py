"""What names a call: everything that decides its answer, and nothing else.

Image bytes stand in it as frame ids, so a key is cheap to make and the same on every machine. Changing sampling, prompt,
protocol or a frame makes a new key; a parameter that a server refuses and that is left out does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from zoom import Message, Text
from zoom.protocol import VERSION


def call_key(endpoint: str, model: str, sampling: dict, messages: Sequence[Message]) -> str:
    """sha256, 32 hex digits. `endpoint` is the identity in the recipe, which need not be the address."""
    said = [
        [m.role, [p.text if isinstance(p, Text) else {"frame": p.frame_id} for p in m.parts]] for m in messages
    ]
    asked = {"protocol": VERSION, "endpoint": endpoint, "model": model, "sampling": sampling, "messages": said}
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
