"""What a server can do, found out by a handful of small calls; later runs use the findings.

Servers differ without saying so: some accept no images, some reject `stop` or `seed`, some ignore them. Requests leave
out what is rejected; what is ignored is reported. A run does not need this (it discovers rejected parameters itself),
but it is good to know before thousands of episodes.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distill.client.connection import first_model, open_transport
from distill.client.endpoints import identity_of
from distill.client.errors import FINAL_KINDS, WAITING_KINDS, EndpointDown
from distill.client.refusals import read_refusal
from distill.client.transport import NoReply, Transport
from distill.storage.ledger import Ledger
from distill.storage.threads import run_blocking
from videozoomer.protocol.parsing import STOP
from videozoomer.settings.model import Endpoint

_TIMES = "Write the numbers from 1 to 12 separated by spaces."


@dataclass(frozen=True, slots=True)
class Capabilities:
    """None: could not be determined, since something else failed first."""

    model: str
    images: bool
    max_images: int
    """Frames that one request accepts: the exact limit, or the number tried if all were accepted."""
    stop: bool | None
    """Whether generation ends at a stop sequence; otherwise replies are cut afterwards."""
    stop_included: bool | None
    """Whether the reply contains the stop sequence."""
    seed: bool | None
    """Whether a seed is accepted (no server promises that it repeats a reply)."""
    several: bool | None
    """Whether `n` gives several replies to one request."""
    logprobs: bool | None
    usage: bool | None
    """Whether replies contain token counts; without them a budget counts the most that a call can cost."""


def find_capabilities(endpoint: Endpoint, ledger: Ledger, *, frames: int = 128) -> Capabilities:
    """Probe a server, with up to `frames` images in a request (an episode shows at most 128). Blocks.

    What it rejects goes to the ledger, where `ChatPlayer` reads it.

    Raises:
        StepStopped: the server does not respond, or rejects even a plain question.
    """

    async def run() -> Capabilities:
        transport = open_transport(endpoint)
        try:
            model = endpoint.model or await first_model(transport, endpoint, ledger)
            found = await _ask_all(_Asker(transport, model, endpoint), frames)
        finally:
            await transport.close()
        refused = [name for name, taken in (("stop", found.stop), ("seed", found.seed)) if taken is False]
        known = [name for name in (ledger.fact(identity_of(endpoint), f"refuses:{model}") or "").split(",") if name]
        if refused:
            ledger.set_fact(identity_of(endpoint), f"refuses:{model}", ",".join(dict.fromkeys([*known, *refused])))
        limit = "" if found.max_images == frames else str(found.max_images)
        ledger.set_fact(identity_of(endpoint), f"images:{model}", limit)
        return found

    return run_blocking(run)


async def refused_parameters(transport: Transport, model: str, endpoint: Endpoint) -> list[str]:
    """Which of our parameters make a server fail without a reason (500), found by small plain questions."""
    asker = _Asker(transport, model, endpoint)
    try:
        if await asker.ask("Say yes.") is None:
            return []
        tried = {"stop": [STOP], "seed": 1, "top_p": 0.9}
        return [name for name, value in tried.items() if await asker.ask("Say yes.", parameters={name: value}) is None]
    except EndpointDown:
        return []


async def _ask_all(asker: _Asker, frames: int) -> Capabilities:
    plain = await asker.ask("Say yes.")
    if plain is None:
        raise EndpointDown(
            f"{asker.endpoint.base_url} rejects a plain question: {asker.refusal}; check model and API key"
        )
    most, refused, count = 0, frames + 1, 1
    while most < frames and most + 1 < refused:
        if await asker.ask("What is this?", images=count) is None:
            refused = count
        else:
            most = count
        count = min(count * 4, frames) if refused > frames else (most + refused) // 2
    stopped = await asker.ask(_TIMES, parameters={"stop": [" 3"], "max_tokens": 60})
    whole = await asker.ask(_TIMES, parameters={"max_tokens": 60}) if stopped else None
    text, full = _text(stopped), _text(whole)
    # A server that rejects stop says so; one that ignores it continues past the stop.
    ignored = " 3 4" in text or (bool(text) and text == full and " 3" in full)
    several = await asker.ask("Say yes.", parameters={"n": 2})
    logprobs = await asker.ask("Say yes.", parameters={"logprobs": True})
    return Capabilities(
        model=asker.model,
        images=most > 0,
        max_images=most,
        stop=False if stopped is None else not ignored,
        stop_included=None if stopped is None else text.rstrip().endswith("3") and not ignored,
        seed=await asker.ask("Say yes.", parameters={"seed": 1}) is not None,
        several=several is not None and len(several.get("choices", ())) == 2,
        logprobs=logprobs is not None and bool((logprobs.get("choices") or [{}])[0].get("logprobs")),
        usage=bool((plain.get("usage") or {}).get("prompt_tokens")),
    )


class _Asker:
    def __init__(self, transport: Transport, model: str, endpoint: Endpoint) -> None:
        self.transport, self.model, self.endpoint = transport, model, endpoint
        self.refusal = ""

    async def ask(self, text: str, *, images: int = 0, parameters: Mapping[str, Any] | None = None) -> dict | None:
        """The reply, or None if the server rejects the request."""
        content: Any = text
        if images:
            shown = {"type": "image_url", "image_url": {"url": _small_picture()}}
            content = [shown] * images + [{"type": "text", "text": text}]
        body = {"model": self.model, "max_tokens": 8, "messages": [{"role": "user", "content": content}]}
        body |= self.endpoint.extra_body
        body |= parameters or {}
        for last in (False, True):
            try:
                answer = await self.transport.post([json.dumps(body).encode()])
                break
            except NoReply as error:
                # Servers close the connection after a failure of their own; the second try opens a new one.
                if last or error.kind == "timeout":
                    raise EndpointDown(f"{self.endpoint.base_url}: {error}; try again later") from error
        if answer.status == 200:
            try:
                return json.loads(answer.text)
            except ValueError as error:
                raise EndpointDown(
                    f"{self.endpoint.base_url} does not reply in JSON: {answer.text[:200]!r}; check base_url"
                ) from error
        outcome = read_refusal(answer.status, answer.text, answer.headers, frozenset(parameters or ()))
        self.refusal = outcome.error or ""
        # A server may also fail (500) at a parameter it does not know.
        if outcome.kind in (*FINAL_KINDS, *WAITING_KINDS, "server_error") or outcome.refused_parameter:
            return None
        raise EndpointDown(f"{self.endpoint.base_url}: {outcome.error}; try again later")


def _text(reply: dict | None) -> str:
    return ((reply or {}).get("choices") or [{}])[0].get("message", {}).get("content") or ""


def _small_picture() -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (56, 56), (200, 40, 40)).save(out, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
