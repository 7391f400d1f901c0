"""The section `rl`: reinforcement learning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videozoomer.settings.base import OPERATIONAL, Amount, Count, Positive, PositiveNumber, Settings, Share


class RolloutServer(Settings):
    """A vLLM server in its development mode (it must load new weights), or `python -m train.serving`."""

    base_url: str
    """Address of the server, ending in /v1."""
    model: str
    """Name under which the server serves the policy."""
    api_key_env: str | None = None
    """Name of the environment variable with the API key; null sends no key."""
    concurrency: Annotated[Positive, OPERATIONAL] = 64
    """Maximum concurrent calls of each training process."""
    timeout_s: Annotated[PositiveNumber, OPERATIONAL] = 600.0
    """Seconds to wait for one reply, and for the server to load new weights."""
    patience_s: Annotated[PositiveNumber, OPERATIONAL] = 3600.0
    """Seconds to wait for a server that is away, or is started again; training goes on when it is back."""
    max_gap: Annotated[PositiveNumber, OPERATIONAL] = 0.2
    """Maximum mean difference, in nats, between the server's and the trainer's log-probabilities of a known prompt,
    compared after each sending of weights; a larger one stops training, because the server plays with other weights."""


class HarvestSettings(Settings):
    """Rollouts of RL that become trajectories to train on."""

    min_overlap: Share = 0.3
    """Minimum overlap (intersection over union) of a zoom with known evidence; where none is known, a correct answer
    suffices."""
    per_question: Positive = 2
    """Maximum rollouts kept of one question; they must differ in their zooms."""
    train: bool = False
    """Fine-tune the policy of RL on these rollouts, as a third stage (asset rft_policy)."""


class RlSettings(Settings):
    """Multi-turn GRPO with parts of DAPO; the defaults are the paper's unless a sentence says otherwise."""

    enabled: Annotated[bool, OPERATIONAL] = False
    """Train with RL after fine-tuning (assets rl_policy and rl_policy_evaluation)."""
    steps: Positive = 70
    """Rounds of training; each plays new episodes."""
    learning_rate: PositiveNumber = 1e-6
    """Learning rate, the same in every round."""
    prompts: Positive = 128
    """Questions of one round."""
    group: Annotated[int, Field(ge=2)] = 16
    """Episodes of each question, whose rewards are compared with one another."""
    mini_batch: Positive = 32
    """Questions of one optimiser step."""
    temperature: PositiveNumber = 1.0
    """Sampling temperature of the episodes."""
    clip_low: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """How far a token's probability ratio may fall below 1 before its gradient is cut off."""
    clip_high: PositiveNumber = 0.27
    """How far a token's probability ratio may rise above 1 before its gradient is cut off."""
    kl: Amount = 0.001
    """Weight of the KL divergence from the policy that training began with; 0 keeps no copy of that policy."""
    entropy: Amount = 0.001
    """Weight of the entropy bonus."""
    min_deviation: Amount = 1e-4
    """Minimum standard deviation of a group's rewards; a group below it teaches nothing and is dropped."""
    redraws: Count = 8
    """Maximum times that a round draws further questions in place of dropped groups."""
    engine: Literal["local", "server"] = "local"
    """Who plays: `local`, the training process; or `server`, the server in rl.server, which gets the new weights each
    round."""
    server: RolloutServer | None = None
    """The server that plays, where rl.engine is `server`."""
    importance_cap: PositiveNumber = 2.0
    """Maximum weight of a token's loss where a server plays: the trainer's probability of the token over the server's
    (truncated importance sampling)."""
    episodes_at_once: Positive = 64
    """Episodes that one process plays together; memory grows with it."""
    forward_at_once: Positive = 16
    """Episodes of a group in one forward pass of training; each pass computes their common beginning once."""
    max_tokens: Positive = 32_768
    """Maximum tokens of an episode; it ends without an answer before it grows longer."""
    max_new_tokens: Positive = 1024
    """Maximum tokens of one turn."""
    reward: Literal["evidence", "paper"] = "evidence"
    """Which zooms are rewarded before a correct answer: `paper` rewards any; `evidence` (ours) only those that were
    needed and showed the evidence."""
    correct_weight: Amount = 0.9
    """Reward of a correct answer."""
    format_weight: Amount = 0.1
    """Reward of following the format."""
    tool_weight: Amount = 0.5
    """Reward of a zoom that `reward` accepts."""
    needless_frame_cost: Amount = 0.003
    """Cost of each zoomed frame that was not needed (ours, with `evidence` only)."""
    overview_budgets: Annotated[tuple[Positive, ...], Field(min_length=1)] = (8, 16, 32, 64)
    """Maximum overview frames of a question, drawn anew each time it is played, so that zooming stays necessary
    (ours)."""
    zero_stage: Literal[0, 1, 2] = 2
    """DeepSpeed ZeRO stage; 3 is not possible, because the same weights play the episodes."""
    bf16: bool = True
    """Train in bfloat16 where the device has it."""
    processes: Annotated[Positive, OPERATIONAL] = 1
    """Processes, one a device, on this machine; they divide the questions of a round."""
    harvest: Annotated[HarvestSettings | None, OPERATIONAL] = None
    """Which rollouts become an SFT data set (asset rft_shards); null takes none."""
    checkpoint_steps: Positive = 5
    """Rounds between saves of the training state, from which a killed run resumes."""
    seed: int = 0
    """Seed of the order of questions, of the overview budgets and of sampling."""

    @model_validator(mode="after")
    def _server_is_named(self) -> RlSettings:
        if self.engine == "server" and self.server is None:
            raise ValueError("rl.engine is `server`, so rl.server must give its base_url and model")
        return self
