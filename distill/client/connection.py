"""Opening a server: the client, the key, and which model answers there."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from distill.client.dialect import identity_of
from distill.errors import EndpointDown, StepStopped
from distill.storage.ledger import Ledger
from videozoomer.settings.model import Endpoint, Recipe

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from distill.client.wire import Wire


def key_of(endpoint: Endpoint) -> str | None:
    """The server's key; None where it needs none.

    Raises:
        StepStopped: the variable that holds it is not set.
    """
    name = endpoint.api_key_env
    if name is None:
        return None
    if not (key := os.environ.get(name, "")):
        raise StepStopped(
            f"the environment variable {name} is not set; it must hold the key of {identity_of(endpoint)}"
        )
    return key


def proxy_of(endpoint: Endpoint) -> str | None:
    """The proxy that the environment (`https_proxy`, `no_proxy` ...) sets for a server; its URL may hold name and password."""
    url = urlsplit(endpoint.base_url)
    return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)


def servers_of(recipe: Recipe) -> list[Endpoint]:
    """The servers that a recipe asks: teachers and judge, each model of each server once."""
    named = [recipe.teacher, *(teacher.endpoint for teacher in recipe.distill.more_teachers), recipe.filters.judge]
    return list({(identity_of(one), one.model): one for one in named if one is not None}.values())


def open_client(endpoint: Endpoint) -> AsyncOpenAI:
    """The client for files and batches, with the same error as `key_of`."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(base_url=endpoint.base_url, api_key=key_of(endpoint) or "none", timeout=endpoint.timeout_s)


async def first_model(wire: Wire, endpoint: Endpoint, ledger: Ledger) -> str:
    """The first model that a server lists; where it is away, the one it listed before, which is enough to replay.

    Raises:
        EndpointDown: it is away and never listed any, or lists none.
    """
    identity = identity_of(endpoint)
    listed = await wire.models()
    if isinstance(listed, str):
        if (known := ledger.fact(identity, "model")) is None:
            raise EndpointDown(
                f"{identity} does not list its models ({listed}); start it, mend base_url, or name the model in the recipe"
            )
        return known
    if not listed:
        raise EndpointDown(f"{identity} serves no model; name one in the recipe")
    await asyncio.to_thread(ledger.learn, identity, "model", listed[0])
    return listed[0]
