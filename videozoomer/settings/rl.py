"""Settings of reinforcement learning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videozoomer.settings.base import Positive, Settings, Share


class RolloutServer(Settings):
    """A vLLM server in its development mode (it must take new weights), or `python -m train.serving.server`."""

    operational = frozenset({"concurrency", "timeout_s"})

    base_url: str
    """Address, ending in /v1."""
    model: str
    """Name under which it serves the policy."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; null sends none."""
    concurrency: Positive = 64
    """Calls under way at a time, of each training process."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest wait for one reply, and for the weights to be loaded."""


class HarvestSettings(Settings):
    min_overlap: Share = 0.3
    """Least overlap (intersection over union) of a zoom with known evidence; where none is known, a right answer does."""
    per_question: Positive = 2
    """Most rollouts of one question; they must differ in what was zoomed."""
    train: bool = False
    """Whether a third stage (asset rft_policy) fine-tunes the policy of RL on them."""


class RlSettings(Settings):
    """Multi-turn GRPO with parts of DAPO; the figures are the paper's unless a sentence says otherwise."""

    operational = frozenset({"enabled", "harvest", "processes"})

    enabled: bool = False
    """Whether the graph goes on to train with RL after fine-tuning (assets rl_policy, rl_policy_evaluation)."""
    steps: Positive = 70
    """Optimisation rounds: each plays new episodes."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-6
    """Constant learning rate."""
    prompts: Positive = 128
    """Questions of one round."""
    group: Annotated[int, Field(ge=2)] = 16
    """Episodes of each question, compared with one another."""
    mini_batch: Positive = 32
    """Questions of one optimiser step."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Sampling temperature of the episodes."""
    clip_low: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """How far a token's probability ratio may fall and still be rewarded."""
    clip_high: Annotated[float, Field(gt=0)] = 0.27
    """How far it may rise."""
    kl: Annotated[float, Field(ge=0)] = 0.001
    """Weight of the distance to the policy that training began with; 0 keeps no copy of it."""
    entropy: Annotated[float, Field(ge=0)] = 0.001
    """Weight of the entropy that is rewarded."""
    min_deviation: Annotated[float, Field(ge=0)] = 1e-4
    """Groups whose rewards deviate less teach nothing and are dropped."""
    redraws: Annotated[int, Field(ge=0)] = 8
    """How often at most a round draws further questions in place of dropped groups, until it has its number."""
    engine: Literal["local", "server"] = "local"
    """`local`: the process that trains plays; `server`: the server of `rl.server` plays and is sent the weights each round."""
    server: RolloutServer | None = None
    """The server that plays, where `rl.engine` is `server`."""
    importance_cap: Annotated[float, Field(gt=0)] = 2.0
    """Cap of the ratio by which each token's loss is weighed where a server plays: the trainer's probability of it over the
    server's (truncated importance sampling)."""
    episodes_at_once: Positive = 64
    """Episodes played side by side by one process; memory grows with it."""
    forward_at_once: Positive = 16
    """Episodes of a group in one forward pass of training; each pass computes their common beginning once."""
    max_tokens: Positive = 32_768
    """An episode ends without an answer before it grows longer."""
    max_new_tokens: Positive = 1024
    """Most tokens of one turn."""
    reward: Literal["evidence", "paper"] = "evidence"
    """`paper` pays for any zoom before a right answer; `evidence` (ours) only for one that was needed and showed it."""
    correct_weight: Annotated[float, Field(ge=0)] = 0.9
    """Reward of a right answer."""
    format_weight: Annotated[float, Field(ge=0)] = 0.1
    """Reward of keeping to the format."""
    tool_weight: Annotated[float, Field(ge=0)] = 0.5
    """Reward of a zoom that counts."""
    needless_frame_cost: Annotated[float, Field(ge=0)] = 0.003
    """Cost of each zoomed frame that was not needed (ours; `evidence` only)."""
    overview_budgets: Annotated[tuple[Positive, ...], Field(min_length=1)] = (8, 16, 32, 64)
    """Most overview frames of a question, drawn anew each time, so that zooming stays necessary (ours)."""
    zero_stage: Literal[0, 1, 2] = 2
    """DeepSpeed ZeRO stage; episodes are played by the same weights, so they are not spread out."""
    bf16: bool = True
    """Train in bfloat16 where the device has it."""
    processes: Positive = 1
    """Processes (devices) on this machine; the questions of a round are split over them."""
    harvest: HarvestSettings | None = None
    """Which rollouts become an SFT data set (asset rft_shards); null harvests none."""
    checkpoint_steps: Positive = 5
    """Rounds after which the state is saved, so that a killed run goes on from there."""
    seed: int = 0
    """Seed of the order, the budgets and the sampling."""

    @model_validator(mode="after")
    def _server_is_named(self) -> RlSettings:
        if self.engine == "server" and self.server is None:
            raise ValueError("rl.engine is `server`, so rl.server must name one (base_url and model)")
        return self
