"""Opening a server, and learning which model it serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from distill.client.aiohttp_transport import AiohttpTransport
from distill.client.endpoints import api_key_of, identity_of
from distill.client.errors import EndpointDown
from distill.client.transport import Transport
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

    return AsyncOpenAI(base_url=endpoint.base_url, api_key=api_key_of(endpoint) or "none", timeout=endpoint.timeout_s)


async def first_model(transport: Transport, endpoint: Endpoint, ledger: Ledger) -> str:
    """The first model that a server lists. If it does not respond, the one it listed before, which is enough to replay.

    Raises:
        EndpointDown: it lists no model, or does not respond and never listed one.
    """
    identity = identity_of(endpoint)
    listed = await transport.models()
    if isinstance(listed, str):
        if (known := ledger.fact(identity, "model")) is None:
            raise EndpointDown(
                f"{identity} does not list its models ({listed}); "
                "start it, check base_url, or name the model in the recipe"
            )
        return known
    if not listed:
        raise EndpointDown(f"{identity} serves no model; name one in the recipe")
    await asyncio.to_thread(ledger.set_fact, identity, "model", listed[0])
    return listed[0]
