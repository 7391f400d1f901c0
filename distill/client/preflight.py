"""What would stop every call of a run, found before anything is decoded or paid for."""

from __future__ import annotations

import base64
import io
import json
import math
from dataclasses import dataclass
from typing import Literal

from distill.client.aiohttp_transport import AiohttpTransport, ListedModel
from distill.client.costs import frame_tokens
from distill.client.endpoints import identity_of
from distill.client.errors import PASSING_KINDS, StepStopped
from distill.client.transport import ask
from distill.storage.threads import run_blocking
from videozoomer.protocol import Protocol
from videozoomer.settings.model import Endpoint

TEXT_TOKENS = 1500
"""About what the system prompt, the question and the times of the overview take."""
REMEDIES = {
    "context_overflow": "serve the model with a longer context, or lower protocol.overview_frames or max_pixels",
    "bad_request": "check that the model takes images and that many in one request (vLLM: --limit-mm-per-prompt), "
    "or lower protocol.overview_frames",
    "cut_off": "raise max_tokens: the reply ended before its answer",
    "empty_reply": "name another model: the reply has no text",
    "refused": "name another model or provider: the content filter declined",
}


PASSING = frozenset(PASSING_KINDS) - {"empty_reply"}
"""Failures of one moment, which would not stop a run."""


@dataclass(frozen=True, slots=True)
class Finding:
    level: Literal["error", "warning", "note"]
    """An error would end the run; a warning is worth knowing; a note is what was found."""
    sentence: str
    """What is wrong and its remedy."""


def check_server(endpoint: Endpoint, protocol: Protocol, *, shows_frames: bool, with_call: bool) -> list[Finding]:
    """What keeps a server from being used as the recipe says. Blocks.

    `shows_frames`: a player's first call contains an overview; a judge's contains text alone. `with_call` sends one
    call like the first of an episode, which may cost as much; without it nothing is paid.
    """

    async def run() -> list[Finding]:
        try:
            transport = AiohttpTransport(endpoint)
        except StepStopped as error:
            return [Finding("error", str(error))]
        try:
            listed = await transport.listed()
            found = _listing(endpoint, protocol, listed, shows_frames)
            name = endpoint.model or (listed[0].id if isinstance(listed, list) and listed else None)
            if with_call and name and not any(finding.level == "error" for finding in found):
                found += await _first_call(transport, endpoint, protocol, name, shows_frames)
            return found
        finally:
            await transport.close()

    return run_blocking(run)


def _listing(
    endpoint: Endpoint, protocol: Protocol, listed: list[ListedModel] | str, shows_frames: bool
) -> list[Finding]:
    server = identity_of(endpoint)
    if isinstance(listed, str):
        if listed.startswith(("HTTP 401", "HTTP 403")):
            return [
                Finding(
                    "error", f"{server} rejects the API key ({listed}); set api_key_env to the name of its variable"
                )
            ]
        if listed.startswith("HTTP") and endpoint.model:
            return []  # Some providers list nothing; the model is named.
        if listed.startswith("HTTP"):
            remedy = "check base_url, which usually ends in /v1, or set model"
            return [Finding("error", f"{server} does not list its models ({listed}); {remedy}")]
        return [Finding("error", f"{server} does not answer ({listed}); start it, or check base_url")]
    names = [model.id for model in listed]
    if not names and not endpoint.model:
        return [Finding("error", f"{server} serves no model; name one (model)")]
    if endpoint.model and names and endpoint.model not in names:
        some = ", ".join(names[:5])
        return [Finding("warning", f"{server} does not list the model {endpoint.model!r}; it lists {some}")]
    served = next((model for model in listed if model.id == (endpoint.model or names[0])), None)
    if served is None or served.max_model_len is None or not shows_frames:
        return []
    frame = _tokens_of_a_frame(endpoint, protocol)
    first = TEXT_TOKENS + protocol.overview_frames * frame + endpoint.max_tokens
    episode = first + protocol.max_zooms * (protocol.zoom_frames * frame + endpoint.max_tokens)
    context = f"the context of {served.id} at {server} has {served.max_model_len:,} tokens"
    if first > served.max_model_len:
        return [
            Finding(
                "error",
                f"{context}, but an overview of {protocol.overview_frames} frames and one reply need about {first:,}; "
                f"{REMEDIES['context_overflow']}, or lower max_tokens",
            )
        ]
    if episode > served.max_model_len:
        return [
            Finding(
                "warning",
                f"{context}; an episode with all its zooms may need {episode:,}. Longer ones fail as context_overflow; "
                "serve the model with a longer context, or lower protocol.zoom_frames or max_zooms",
            )
        ]
    return []


async def _first_call(
    transport: AiohttpTransport, endpoint: Endpoint, protocol: Protocol, model: str, shows_frames: bool
) -> list[Finding]:
    """Ask for a tagged reply, with as many frames as an overview has at most."""
    text = "Reply with exactly this text and nothing else: <think>ready</think><answer>A</answer>"
    url = _frame(*_size(protocol))
    shown = [{"type": "image_url", "image_url": {"url": url}}] * (protocol.overview_frames if shows_frames else 0)
    content: str | list[dict] = [*shown, {"type": "text", "text": text}] if shown else text
    body: dict = {"model": model, "messages": [{"role": "user", "content": content}]} | endpoint.extra_body
    for limit in ("max_tokens", "max_completion_tokens"):  # Newer models take the second; a run finds that out too.
        request = json.dumps({limit: endpoint.max_tokens} | body).encode()
        result = await ask(transport, [request], frozenset({limit}), "preflight")
        if not result.refused_parameter:
            break
    asked = f"{model} at {identity_of(endpoint)}, asked with {len(shown)} images,"
    if result.kind in PASSING:
        sentence = f"{asked} does not answer now ({result.kind}: {result.error}); a run tries again for some time"
        return [Finding("warning", sentence)]
    if result.kind != "ok":
        if result.kind in ("stopped", "too_large"):  # Their sentence has the remedy.
            return [Finding("error", f"{asked} fails: {result.error}")]
        remedy = REMEDIES.get(result.kind, "check the server")
        return [Finding("error", f"{asked} fails with {result.kind} ({result.error or 'no reason given'}); {remedy}")]
    if "<answer>" not in (result.text or ""):
        sentence = f"{asked} replied without <answer>: {(result.text or '')[:80]!r}; it may not follow the protocol"
        return [Finding("warning", sentence)]
    return []


def _size(protocol: Protocol) -> tuple[int, int]:
    """Width and height of the largest frame of a 16:9 film."""
    height = math.isqrt(protocol.max_pixels * 9 // 16)
    return height * 16 // 9, height


def _tokens_of_a_frame(endpoint: Endpoint, protocol: Protocol) -> int:
    """By the provider's rule if the recipe names one; models on one's own server count 28 by 28 pixels."""
    if endpoint.prices.image_rule != "fixed" or "image_tokens" in endpoint.prices.model_fields_set:
        return frame_tokens(endpoint.prices, *_size(protocol))
    return protocol.max_pixels // 28**2


def _frame(width: int, height: int) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(out, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
