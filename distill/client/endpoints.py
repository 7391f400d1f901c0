"""What a recipe says about a server: its identity, its key, and the proxy in front of it."""

from __future__ import annotations

import os
import re
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


def headers_of(endpoint: Endpoint) -> dict[str, str]:
    """Headers that identify the caller, the recipe's own ones included; `$NAME` is read from the environment.

    Raises:
        StepStopped: a variable is not set.
    """
    headers = {}
    if (key := api_key_of(endpoint)) is not None:
        headers["Authorization"] = f"Bearer {key}"
    return headers | {name: _filled(name, value, endpoint) for name, value in endpoint.headers.items()}


def _filled(header: str, value: str, endpoint: Endpoint) -> str:
    def content(found: re.Match[str]) -> str:
        if not (given := os.environ.get(found[1], "")):
            raise StepStopped(
                f"the environment variable {found[1]} is not set; header {header} for {identity_of(endpoint)} needs it"
            )
        return given

    return re.sub(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", content, value)


def proxy_of(endpoint: Endpoint) -> str | None:
    """The proxy that the environment (`https_proxy`, `no_proxy` ...) sets for a server; its URL may contain
    credentials."""
    url = urlsplit(endpoint.base_url)
    return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)


def servers_of(recipe: Recipe) -> list[Endpoint]:
    """The servers of a recipe, teachers and judge: each model of each server once."""
    evidence = recipe.filters.evidence
    named = [
        recipe.teacher,
        *(teacher.endpoint for teacher in recipe.distill.more_teachers),
        evidence.endpoint if evidence else None,
        recipe.filters.judge,
    ]
    return list({(identity_of(one), one.model): one for one in named if one is not None}.values())
