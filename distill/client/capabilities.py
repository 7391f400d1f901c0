"""What a server can do, found out by asking: a handful of small calls, whose findings later runs use.

Servers differ in silent ways: some take no images, some refuse `stop` or `seed`, some ignore them. What is refused is left
out of requests from then on; what is ignored is reported. Nothing here is needed before a run (a refused parameter is also
found on the way), but a run of thousands of episodes is better begun knowing.
"""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from typing import Any

from distill.client.connection import first_model, open_transport
from distill.client.endpoints import identity_of
from distill.client.errors import EndpointDown
from distill.client.replies import read_refusal
from distill.client.transport import NoReply, Transport
from distill.storage.ledger import Ledger
from distill.storage.threads import run_blocking
from videozoomer.protocol.parsing import STOP
from videozoomer.settings.model import Endpoint

_TIMES = "Write the numbers from 1 to 12 separated by spaces."


@dataclass(frozen=True, slots=True)
class Capabilities:
    """None stands for what could not be told, since nothing else worked."""

    model: str
    images: bool
    most_images: int
    """Frames that one request took, exactly, or all that were tried."""
    stop: bool | None
    """Whether generation ends at a stop sequence; where it is refused or ignored, replies are cut afterwards."""
    stop_included: bool | None
    """Whether the reply holds the stop sequence."""
    seed: bool | None
    """Whether a seed is taken (that it also repeats a reply, no server promises)."""
    several: bool | None
    """Whether `n` gives several replies of one request."""
    logprobs: bool | None
    usage: bool | None
    """Whether replies say how many tokens they took; without it a cap counts the most that a call can cost."""


def find_capabilities(endpoint: Endpoint, ledger: Ledger, *, frames: int = 128) -> Capabilities:
    """Ask a server; tries up to `frames` images in a request (an episode shows at most 128). Blocks.

    What is refused goes to the ledger, where `ChatPlayer` reads it.

    Raises:
        StepStopped: the server is away, or refuses even a plain question.
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
            ledger.learn(identity_of(endpoint), f"refuses:{model}", ",".join(dict.fromkeys([*known, *refused])))
        limit = "" if found.most_images == frames else str(found.most_images)
        ledger.learn(identity_of(endpoint), f"images:{model}", limit)
        return found

    return run_blocking(run)


async def refused_parameters(transport: Transport, model: str, endpoint: Endpoint) -> list[str]:
    """Which of our parameters a server fails at without a word (500), found by small plain questions."""
    asker = _Asker(transport, model, endpoint)
    try:
        if await asker.ask("Say yes.") is None:
            return []
        tried = {"stop": [STOP], "seed": 1, "top_p": 0.9}
        return [name for name, value in tried.items() if await asker.ask("Say yes.", **{name: value}) is None]
    except EndpointDown:
        return []


async def _ask_all(asker: _Asker, frames: int) -> Capabilities:
    plain = await asker.ask("Say yes.")
    if plain is None:
        raise EndpointDown(f"{asker.endpoint.base_url} refuses a plain question: {asker.refusal}; mend model or key")
    most, refused, count = 0, frames + 1, 1
    while most < frames and most + 1 < refused:
        if await asker.ask("What is this?", images=count) is None:
            refused = count
        else:
            most = count
        count = min(count * 4, frames) if refused > frames else (most + refused) // 2
    stopped = await asker.ask(_TIMES, stop=[" 3"], max_tokens=60)
    whole = await asker.ask(_TIMES, max_tokens=60) if stopped else None
    text, full = _text(stopped), _text(whole)
    # A server that refuses is told by the refusal; one that ignores, by text after the stop that is there without it.
    ignored = " 3 4" in text or (bool(text) and text == full and " 3" in full)
    several = await asker.ask("Say yes.", n=2)
    logprobs = await asker.ask("Say yes.", logprobs=True)
    return Capabilities(
        model=asker.model,
        images=most > 0,
        most_images=most,
        stop=False if stopped is None else not ignored,
        stop_included=None if stopped is None else text.rstrip().endswith("3") and not ignored,
        seed=await asker.ask("Say yes.", seed=1) is not None,
        several=several is not None and len(several.get("choices", ())) == 2,
        logprobs=logprobs is not None and bool((logprobs.get("choices") or [{}])[0].get("logprobs")),
        usage=bool((plain.get("usage") or {}).get("prompt_tokens")),
    )


class _Asker:
    def __init__(self, transport: Transport, model: str, endpoint: Endpoint) -> None:
        self.transport, self.model, self.endpoint = transport, model, endpoint
        self.refusal = ""

    async def ask(self, text: str, *, images: int = 0, **parameters: Any) -> dict | None:
        """The reply, or None where the server refuses the request."""
        content: Any = text
        if images:
            shown = {"type": "image_url", "image_url": {"url": _small_picture()}}
            content = [shown] * images + [{"type": "text", "text": text}]
        body = {"model": self.model, "max_tokens": 8, "messages": [{"role": "user", "content": content}]} | parameters
        for last in (False, True):
            try:
                answer = await self.transport.post([json.dumps(body).encode()])
                break
            except NoReply as error:
                # Servers close the connection after a failure of their own; the second one is new.
                if last or error.kind == "timeout":
                    raise EndpointDown(f"{self.endpoint.base_url}: {error}; try again later") from error
        if answer.status == 200:
            try:
                return json.loads(answer.text)
            except ValueError as error:
                raise EndpointDown(
                    f"{self.endpoint.base_url} answers no JSON: {answer.text[:200]!r}; mend base_url"
                ) from error
        outcome = read_refusal(answer.status, answer.text, answer.headers, frozenset(parameters))
        self.refusal = outcome.error or ""
        # A server may also fail outright (500) at what it does not know.
        if outcome.final or outcome.refused_parameter or outcome.kind == "server_error":
            return None
        raise EndpointDown(f"{self.endpoint.base_url}: {outcome.error}; try again later")


def _text(reply: dict | None) -> str:
    return ((reply or {}).get("choices") or [{}])[0].get("message", {}).get("content") or ""


def _small_picture() -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (56, 56), (200, 40, 40)).save(out, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
