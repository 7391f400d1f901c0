"""Opening a server: the client, the key, and which model answers there."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from distill.dialect import identity_of
from distill.errors import EndpointDown, StepStopped
from distill.ledger import Ledger
from recipes.model import Endpoint

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def open_client(endpoint: Endpoint) -> AsyncOpenAI:
    """The client of a server, without retries of its own.

    Raises:
        StepStopped: the variable that holds the key is not set.
    """
    from openai import AsyncOpenAI, DefaultAioHttpClient

    key, name = "none", endpoint.api_key_env
    if name is not None and not (key := os.environ.get(name, "")):
        raise StepStopped(f"the environment variable {name} is not set; it must hold the key of {identity_of(endpoint)}")
    return AsyncOpenAI(
        base_url=endpoint.base_url, api_key=key, max_retries=0, timeout=endpoint.timeout_s, http_client=DefaultAioHttpClient()
    )


async def first_model(client: AsyncOpenAI, endpoint: Endpoint, ledger: Ledger) -> str:
    """The first model that a server lists; where it is away, the one it listed before, which is enough to replay.

    Raises:
        EndpointDown: it is away and never listed any, or lists none.
    """
    from openai import APIError

    identity = identity_of(endpoint)
    try:
        async with asyncio.timeout(endpoint.timeout_s):
            listed = await client.models.list()
    except (APIError, TimeoutError) as error:
        if (known := ledger.fact(identity, "model")) is None:
            raise EndpointDown(
                f"{identity} does not list its models ({error}); start it, mend base_url, or name the model in the recipe"
            ) from error
        return known
    if not listed.data:
        raise EndpointDown(f"{identity} serves no model; name one in the recipe")
    name = listed.data[0].id
    await asyncio.to_thread(ledger.learn, identity, "model", name)
    return name
