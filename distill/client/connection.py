"""Opening a server, and learning which model it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill.client.aiohttp_transport import AiohttpTransport
from distill.client.endpoints import api_key_of, headers_of, identity_of
from distill.client.errors import EndpointDown
from distill.client.transport import ListedModel, Transport
from distill.storage.ledger import Ledger
from videozoomer.settings.model import Endpoint

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def open_transport(endpoint: Endpoint) -> Transport:
    """To be opened, used and closed on one event loop; raises StepStopped when the API key's variable is not set."""
    return AiohttpTransport(endpoint)


def open_batch_client(endpoint: Endpoint) -> AsyncOpenAI:
    """The client for files and batches; the same error as `open_transport`."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=api_key_of(endpoint) or "none",
        timeout=endpoint.timeout_s,
        default_headers=headers_of(endpoint),
        default_query=dict(endpoint.query),
    )


NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""Sampling from the model's own distribution, for servers that otherwise take these from its generation_config.json."""
_TAKES_DEFAULTS_FROM_THE_MODEL = frozenset({"vllm", "sglang"})


async def neutral_sampling(transport: Transport, model: str, endpoint: Endpoint, ledger: Ledger) -> dict[str, float]:
    """Parameters to send beside the recipe's, so that a server does not sample by settings that came with the model."""
    identity = identity_of(endpoint)
    if (engine := ledger.fact(identity, "engine")) is None:
        listed = await transport.listed()
        if isinstance(listed, str):
            return {}
        engine = await _note_engine(listed, model, identity, ledger)
    return {name: value for name, value in NEUTRAL.items() if engine != "other" and name not in endpoint.extra_body}


async def _note_engine(listed: Sequence[ListedModel], model: str, identity: str, ledger: Ledger) -> str:
    """Remember which software serves a model: `vllm`, `sglang`, or `other`."""
    owner = next((one.owned_by for one in listed if one.id == model), None)
    engine = owner if owner in _TAKES_DEFAULTS_FROM_THE_MODEL else "other"
    await asyncio.to_thread(ledger.set_fact, identity, "engine", engine)
    return engine


async def first_model(transport: Transport, endpoint: Endpoint, ledger: Ledger) -> str:
    """The first model that a server lists. If it does not respond, the one it listed before, which is enough to replay.

    Raises:
        EndpointDown: it lists no model, or does not respond and never listed one.
    """
    identity = identity_of(endpoint)
    listed = await transport.listed()
    if isinstance(listed, str):
        if (known := ledger.fact(identity, "model")) is None:
            raise EndpointDown(
                f"{identity} does not list its models ({listed}); "
                "start it, check base_url, or name the model in the recipe"
            )
        return known
    if not listed:
        raise EndpointDown(f"{identity} serves no model; name one in the recipe")
    model = listed[0].id
    await asyncio.to_thread(ledger.set_fact, identity, "model", model)
    await _note_engine(listed, model, identity, ledger)
    return model
