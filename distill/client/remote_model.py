"""One model of one server: how a call to it is named, encoded, priced and recorded. Live calls and batches share
this."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from distill.client.calls import CallResult
from distill.client.costs import cost_usd, frame_tokens, upper_bound
from distill.client.encoding import Body, encode_request
from distill.client.endpoints import identity_of
from distill.client.image_cache import ImageCache
from distill.client.served_models import is_another
from distill.storage.frames import FrameStore
from distill.storage.keys import call_key
from distill.storage.ledger import Entry, Ledger
from videozoomer.protocol import Message
from videozoomer.protocol.parsing import STOP
from videozoomer.settings.model import Endpoint


class RemoteModel:
    """One endpoint, one model, and the parameters that the server is known to reject."""

    def __init__(
        self, endpoint: Endpoint, model: str, ledger: Ledger, store: FrameStore, purpose: str, cache_bytes: int
    ) -> None:
        self.endpoint = endpoint
        self.identity = identity_of(endpoint)
        self.model = model
        self.purpose = purpose
        self.ledger = ledger
        self.images = ImageCache(
            store, tokens_of=lambda width, height: frame_tokens(endpoint.prices, width, height), max_bytes=cache_bytes
        )
        known = ledger.fact(self.identity, f"refuses:{model}")
        self.dropped: tuple[str, ...] = tuple(known.split(",")) if known else ()
        self.neutral: dict[str, float] = {}
        """Parameters that keep the server from sampling by settings that came with the model."""

    def sampling(self, sample: int, temperature: float) -> dict:
        """The intended sampling: part of the key, even if the server then rejects some of it."""
        seed = self.endpoint.seed
        return {
            "temperature": temperature,
            "top_p": self.endpoint.top_p,
            "max_tokens": self.endpoint.max_tokens,
            "seed": None if seed is None else seed + sample,
            "sample": sample,
            "stop": STOP,
            **({"extra_body": self.endpoint.extra_body} if self.endpoint.extra_body else {}),
        }

    def key(self, sampling: dict, messages: Sequence[Message]) -> str:
        return call_key(self.identity, self.model, sampling, messages)

    def parameters(self, sampling: dict) -> dict:
        """What is sent of a sampling."""
        own = {name: value for name, value in sampling.items() if name not in ("sample", "extra_body")}
        asked = self.neutral | {name: value for name, value in own.items() if value is not None}
        asked["stop"] = [STOP]
        if "max_tokens" in self.dropped:
            asked["max_completion_tokens"] = asked["max_tokens"]
        kept = {name: value for name, value in asked.items() if name not in self.dropped}
        extra = {name: value for name, value in self.endpoint.extra_body.items() if name not in self.dropped}
        return {"model": self.model} | kept | extra

    def encode(self, parameters: dict, messages: Sequence[Message]) -> Body:
        return encode_request(parameters, messages, self.images)

    def drop(self, name: str) -> None:
        """Remember that the server rejects a parameter. Blocks until it is on disk."""
        if name not in self.dropped:
            self.dropped = (*self.dropped, name)
            self.ledger.set_fact(self.identity, f"refuses:{self.model}", ",".join(self.dropped))

    def is_another(self, served: str | None) -> bool:
        """Whether a reply names another model than the one asked for."""
        return is_another(self.model, served, self.endpoint.served_names)

    def refuses(self, entry: Entry) -> bool:
        """Whether the recipe does not take a reply in the ledger, because another model gave it."""
        return self.endpoint.another_model == "refuse" and self.is_another(entry.served_model)

    def checked(self, result: CallResult) -> CallResult:
        """The result of an attempt, as a failure where another model answered and the recipe refuses it."""
        if not result.final or self.endpoint.another_model == "note" or not self.is_another(result.served_model):
            return result
        sentence = (
            f"{result.served_model} answered instead of {self.model}, which another_model: refuse does not take; turn "
            "off the gateway's fallback, or list the name in served_names if it is the same model"
        )
        return dataclasses.replace(result, kind="another_model", final=False, error=sentence)

    def entry(
        self,
        key: str,
        attempt: int,
        sampling: dict,
        excerpt: str,
        body: Body,
        result: CallResult,
        *,
        latency_s: float,
        price_share: float = 1.0,
    ) -> Entry:
        """The ledger entry of an attempt; `price_share` is below 1 for a call through the Batch API."""
        prices = self.endpoint.prices
        if result.cost_usd is not None:
            cost, price_share = result.cost_usd, 1.0
        elif result.uncounted:
            # Without a token count, price it at the most it can have cost, so that the budget is never exceeded.
            cost = upper_bound(self.endpoint, body.text_bytes, body.image_tokens).cost_usd
        else:
            cost = cost_usd(prices, result.input_tokens, result.cached_tokens, result.output_tokens)
        return Entry(
            key=key,
            attempt=attempt,
            at=time.time(),
            purpose=self.purpose,
            endpoint=self.identity,
            model=self.model,
            sample=sampling["sample"],
            temperature=sampling["temperature"],
            request_digest=body.digest,
            outcome=result.kind,
            final=result.final,
            reply=result.text,
            finish_reason=result.finish_reason,
            input_tokens=result.input_tokens,
            cached_tokens=result.cached_tokens,
            output_tokens=result.output_tokens,
            cost_usd=cost * price_share,
            latency_s=latency_s,
            error=result.error,
            dropped=",".join(self.dropped),
            excerpt=excerpt,
            raw=result.raw,
            served_model=result.served_model,
            fingerprint=result.fingerprint,
            provider=result.provider,
        )


def excerpt_of(messages: Sequence[Message]) -> str:
    """End of the last text of a conversation, for searching the ledger."""
    return messages[-1].text[-400:]
