"""A server that plays or judges: the section `teacher`, and wherever else a recipe names one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from videozoomer.settings.base import OPERATIONAL, Amount, Count, Positive, PositiveNumber, Settings, Share

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"(?i:sk|gsk|hf|pk|xai)[-_]\w|AIza|(?=\w*[a-z])(?=\w*[A-Z])(?=\w*\d)\w{20,}")
"""How API keys begin, or a long mix of lower case, upper case and digits."""
_SECRET_HEADER = re.compile(r"(?i)auth|key|token|secret")
_FROM_ENVIRONMENT = re.compile(r"\$\{?[A-Za-z_][A-Za-z0-9_]*\}?")
_OWN = frozenset("model messages temperature top_p max_tokens max_completion_tokens seed stop n".split())
"""Parameters that are fields of the endpoint, or ours to set."""
_OWN_FLAGS = frozenset({"stream", "stream_options"})


class Prices(Settings):
    input_per_million: Amount = 0
    """US dollars for a million input tokens."""
    cached_input_per_million: Amount = 0
    """US dollars for a million input tokens that the provider takes from its cache."""
    output_per_million: Amount = 0
    """US dollars for a million output tokens."""
    image_rule: Literal["fixed", "gemini", "openai", "qwen"] = "fixed"
    """How the provider counts the tokens of a frame: `fixed` takes image_tokens; the others compute them from its
    size."""
    image_tokens: Count = 258
    """Tokens of one frame where image_rule is `fixed`, for limits and for estimates before a call; 258 is Gemini's
    count of a small image."""
    batch_share: Share = 0.5
    """Price of a call through the Batch API as a share of the normal price; most providers take half."""


class Endpoint(Settings):
    base_url: str
    """Address of any OpenAI-compatible server, such as http://127.0.0.1:8000/v1."""
    model: str | None = None
    """Name of the model; null takes the first that the server lists."""
    another_model: Literal["note", "refuse"] = "note"
    """What happens to a reply that names another model than `model`, as after a gateway's fallback: `note` plays it and
    counts it in the report and the data set's card; `refuse` fails the call, and a later run asks again."""
    served_names: Annotated[tuple[str, ...], OPERATIONAL] = ()
    """Further names by which replies may name `model`, where the server gives it an alias; `*` stands for anything."""
    extra_body: dict[str, Any] = Field({})
    """Further parameters of each request, as this server takes them: `{top_k: 20}`, `{reasoning_effort: low}`,
    `{chat_template_kwargs: {enable_thinking: false}}`. They are part of a call's key in the ledger."""
    headers: Annotated[dict[str, str], OPERATIONAL] = Field({})
    """Further headers of each request; `$NAME` stands for an environment variable, as in `{api-key: $AZURE_KEY}`."""
    query: Annotated[dict[str, str], OPERATIONAL] = Field({})
    """Further parameters of the address, as in `{api-version: "2024-10-21"}`."""
    api_key_env: Annotated[str | None, OPERATIONAL] = None
    """Name of the environment variable with the API key, never the key itself; null sends no key."""
    identity: str | None = None
    """Name of this server in ledger keys, for a server whose address changes from run to run; null takes base_url."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature; the paper's 1.0 makes the samples of a question differ."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: the share of probability that tokens are drawn from; 1 draws from all."""
    max_tokens: Positive = 2048
    """Maximum tokens of one reply, reasoning included."""
    seed: int | None = 0
    """Seed sent with each call, plus the sample number, where the server takes one; null sends none."""
    concurrency: Annotated[Positive, OPERATIONAL] = 16
    """Maximum concurrent calls."""
    timeout_s: Annotated[PositiveNumber, OPERATIONAL] = 120
    """Seconds that one call may take before it counts as failed."""
    retries: Annotated[Count, OPERATIONAL] = 5
    """Retries of a call that failed for a passing reason, such as a busy server."""
    dead_after_s: Annotated[PositiveNumber, OPERATIONAL] = 90
    """Seconds without any answer, while calls keep failing, after which the step stops."""
    deadline_s: Annotated[PositiveNumber | None, OPERATIONAL] = None
    """Seconds that one step may call this server; it then stops cleanly and the next run resumes. null sets no
    limit."""
    batch: Annotated[bool, OPERATIONAL] = False
    """Send calls that wait for no other (first turns, judging) through the server's Batch API: cheaper, but up to a
    day."""
    requests_per_minute: Annotated[Positive | None, OPERATIONAL] = None
    """Maximum calls a minute; null sets no limit."""
    tokens_per_minute: Annotated[Positive | None, OPERATIONAL] = None
    """Maximum tokens a minute; null sets no limit."""
    max_images: Annotated[Positive | None, OPERATIONAL] = None
    """Maximum images of one request; `videozoomer ledger probe` finds it out. null assumes no limit."""
    prices: Annotated[Prices, OPERATIONAL] = Prices()
    """What calls cost, for budget_usd, estimates and the report."""

    @field_validator("base_url")
    @classmethod
    def _is_the_address_of_an_api(cls, value: str) -> str:
        if not re.match(r"https?://[^/\s]", value):
            raise ValueError(
                "must be an address that begins with http:// or https://, such as http://127.0.0.1:8000/v1"
            )
        if ended := re.search(r"/(chat/completions|completions|models)/?$", value):
            raise ValueError(f"is the address before /{ended[1]}; it usually ends in /v1")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _names_a_variable(cls, value: str | None) -> str | None:
        # The message must not repeat the value: it may be the key.
        if value is not None and (_SECRET.match(value) or not _NAME.fullmatch(value)):
            raise ValueError(
                "needs the NAME of an environment variable, such as TEACHER_KEY, not the key itself and not ${...}; "
                "put the key into that variable (export TEACHER_KEY=...)"
            )
        return value

    @field_validator("extra_body")
    @classmethod
    def _adds_to_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        if ours := sorted(_OWN & value.keys()):
            raise ValueError(f"{', '.join(ours)}: set it as a field of the server itself, not in extra_body")
        if flags := sorted(_OWN_FLAGS & value.keys()):
            raise ValueError(f"{', '.join(flags)} cannot be set: replies are read whole")
        return value

    @field_validator("headers")
    @classmethod
    def _keeps_secrets_out(cls, value: dict[str, str]) -> dict[str, str]:
        for name, content in value.items():
            words = content.split()
            if _SECRET_HEADER.search(name) and not (words and _FROM_ENVIRONMENT.fullmatch(words[-1])):
                raise ValueError(
                    f"header {name}: name an environment variable, as in {name}: $MY_KEY, and put the key into it "
                    "(export MY_KEY=...)"
                )
        return value

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # The digest of a list of teachers is made of their texts: what is not set must not change it.
        for name, value in super().__repr_args__():
            if name not in ("headers", "query", "served_names") and name not in self._unset():
                yield name, value

    def _left_out(self) -> frozenset[str]:
        """An endpoint with an identity is the same at any address."""
        left_out = self.operational_fields() | self._unset()
        return left_out | {"base_url"} if self.identity else left_out

    def _unset(self) -> frozenset[str]:
        """Younger fields that have their defaults: such an endpoint is as it was before there were any."""
        younger = ("extra_body", "another_model")
        return frozenset(name for name in younger if getattr(self, name) == type(self).model_fields[name].default)


class JudgeEndpoint(Endpoint):
    votes: Literal[1, 2] = 1
    """Differently worded questions about each answer; with 2, a verdict needs both to agree, and costs two calls."""
    structured: bool = False
    """Ask for the verdict as JSON by a schema (`response_format`); a server that refuses it is asked without."""

    def _left_out(self) -> frozenset[str]:
        """A judge without these settings is as it was before there were any."""
        unset = {
            name for name in ("votes", "structured") if getattr(self, name) == type(self).model_fields[name].default
        }
        return super()._left_out() | unset


class AdditionalTeacher(Settings):
    endpoint: Endpoint
    """The additional server."""
    share: PositiveNumber = 1.0
    """Its number of exemplars relative to that of the recipe's `teacher`, whose share is 1."""


class StudentSettings(Settings):
    endpoint: Endpoint | None = None
    """Server that serves the checkpoint of the asset `student`, such as vLLM; null serves it on this machine during its
    rollouts."""
    samples: Positive = 2
    """Rollouts of each question."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of the rollouts; 1.0 makes those of a question differ."""
