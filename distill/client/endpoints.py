"""What a recipe says about a server: its identity, its key, and the proxy in front of it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from distill.client.errors import StepStopped
from videozoomer.settings.model import Endpoint, Recipe


def identity_of(endpoint: Endpoint) -> str:
    """The server's name in ledger keys; `identity` keeps it when the address changes."""
    return endpoint.identity or endpoint.base_url


def api_key_of(endpoint: Endpoint) -> str | None:
    """The server's API key; None if it needs none.

    Raises:
        StepStopped: the environment variable is not set.
    """
    name = endpoint.api_key_env
    if name is None:
        return None
    if not (key := os.environ.get(name, "")):
        if not name.isupper():  # It may be a key that was pasted here: do not print it.
            raise StepStopped(
                "the environment variable that api_key_env names is not set; api_key_env needs the NAME of a variable "
                f"that contains the API key for {identity_of(endpoint)}, not the key itself"
            )
        raise StepStopped(
            f"the environment variable {name} is not set; set {name} to the API key for {identity_of(endpoint)}"
        )
    return key


def proxy_of(endpoint: Endpoint) -> str | None:
    """The proxy that the environment (`https_proxy`, `no_proxy` ...) sets for a server; its URL may contain
    credentials."""
    url = urlsplit(endpoint.base_url)
    return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)


def servers_of(recipe: Recipe) -> list[Endpoint]:
    """The servers of a recipe, teachers and judge: each model of each server once."""
    named = [recipe.teacher, *(teacher.endpoint for teacher in recipe.distill.more_teachers), recipe.filters.judge]
    return list({(identity_of(one), one.model): one for one in named if one is not None}.values())
