"""What a run will cost, before anything is sent: calls, tokens and money for each stage, expected and at most."""

from __future__ import annotations

from dataclasses import dataclass

from distill.client.costs import cost_usd, frame_tokens
from videozoomer.protocol import Prompts, Protocol
from videozoomer.settings.endpoint import JudgeEndpoint
from videozoomer.settings.model import Endpoint, EvidenceSettings, Recipe

_BYTES_A_TOKEN = 4
"""Of English text, for expected costs; upper bounds count each byte as a token."""
_REPLY_TOKENS = 150
"""Tokens of one turn of a teacher that thinks briefly; after a first batch, the ledger has the real average."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """Figures that only a run can show; replace them by those of a first batch."""

    zooms: float = 1.5
    """Zooms of an episode."""
    zoom_frames: float = 10.0
    """Frames of a zoom."""
    wrong_share: float = 0.35
    """Share of exemplars that zoomed and are wrong."""
    open_share: float = 0.3
    """Share of answers that rules leave to a judge."""
    reply_tokens: float = _REPLY_TOKENS
    right_share: float = 0.5
    """Share of exemplars and reflections that the other rules keep, and whose evidence is probed."""
    choice_share: float = 0.5
    """Share of questions with options, which can be shuffled."""
    probe_samples: float = 4.0
    """Answers until a probe decides; guessing at one of four takes about eight, a clear answer two or three."""


@dataclass(frozen=True, slots=True)
class StageEstimate:
    stage: str
    model: str
    episodes: float
    calls: float
    input_tokens: float
    output_tokens: float
    cost_usd: float
    max_calls: int
    max_cost_usd: float


def estimate_run(
    recipe: Recipe,
    protocol: Protocol,
    prompts: Prompts,
    *,
    train_questions: int,
    evaluation_questions: int,
    overview_frames: float | None = None,
    assumed: Assumed | None = None,
) -> list[StageEstimate]:
    """One row for each stage that calls a server.

    `overview_frames` is the mean over the videos if it is known; None means the protocol's maximum. Calls already in
    the ledger will be replayed for free; the estimate does not subtract them.
    """
    guess = assumed or Assumed()
    overview = protocol.overview_frames if overview_frames is None else overview_frames
    distill, filters = recipe.distill, recipe.filters
    size = _Sizes(protocol, prompts, overview, guess)
    stages = []
    if filters.probe_without_video:
        stages.append(
            size.stage("probes", recipe.teacher, train_questions * filters.probe_samples, zooms=0, overview=0)
        )
    exemplars = train_questions * distill.samples
    shares = [(recipe.teacher, 1.0), *((teacher.endpoint, teacher.share) for teacher in distill.more_teachers)]
    for endpoint, share in shares:
        part = exemplars * share / sum(share for _, share in shares)
        most = part * max(distill.samples, distill.max_samples or 0) / distill.samples
        stages.append(size.stage("exemplars", endpoint, part, zooms=guess.zooms, max_episodes=most))
    reflected = min(train_questions * distill.reflect_per_question, exemplars) * distill.reflections
    expected = min(reflected, exemplars * guess.wrong_share * distill.reflections)
    stages.append(
        size.stage("reflections", recipe.teacher, expected, zooms=1, already=guess.zooms, max_episodes=reflected)
    )
    if filters.evidence is not None:
        stages += _evidence(size, filters.evidence, recipe, protocol, train_questions, exemplars, expected, reflected)
    for setting in recipe.evaluation.settings:
        stages.append(
            size.stage(
                f"evaluation ({setting})",
                recipe.teacher,
                min(evaluation_questions, recipe.evaluation.max_questions or evaluation_questions),
                zooms=guess.zooms if setting == "zoom" else 0,
                overview=0 if setting == "blind" else None,
            )
        )
    if filters.judge is not None:
        answers = exemplars + reflected
        stages.append(size.judge(filters.judge, answers * guess.open_share, answers))
    return stages


def _evidence(
    size: _Sizes,
    settings: EvidenceSettings,
    recipe: Recipe,
    protocol: Protocol,
    questions: int,
    exemplars: float,
    reflections: float,
    max_reflections: float,
) -> list[StageEstimate]:
    """A row for each probe. At most, every trajectory is right and every probe takes the maximum of answers."""
    guess, endpoint = size.guess, settings.endpoint or recipe.teacher
    stages: list[StageEstimate] = []

    def add(name: str, episodes: float, frames: float, most: float, max_frames: int) -> None:
        stages.append(
            size.probe(f"evidence ({name})", endpoint, episodes, frames, most * settings.max_samples, max_frames)
        )

    if settings.blind:
        # The first answers were asked by the stage `probes`.
        first = recipe.filters.probe_samples if recipe.filters.probe_without_video else 0
        add("blind", questions * max(guess.probe_samples - first, 0), 0, questions, 0)
    right, most = (exemplars + reflections) * guess.right_share, exemplars + max_reflections
    shown, all_shown = guess.zooms * guess.zoom_frames, protocol.max_zooms * protocol.zoom_frames
    for name in settings.probes:
        times, at_most = (max(guess.zooms - 1, 0.0), protocol.max_zooms) if name == "leave_one_out" else (1.0, 1)
        share = guess.choice_share if name == "shuffled" else 1.0
        add(name, right * times * share * guess.probe_samples, shown, most * at_most, all_shown)
    return stages


class _Sizes:
    def __init__(self, protocol: Protocol, prompts: Prompts, overview: float, guess: Assumed) -> None:
        self.protocol, self.prompts, self.overview, self.guess = protocol, prompts, overview, guess

    def stage(
        self,
        name: str,
        endpoint: Endpoint,
        episodes: float,
        *,
        zooms: float,
        overview: float | None = None,
        already: float = 0,
        max_episodes: float | None = None,
    ) -> StageEstimate:
        """An episode of z zooms makes z + 1 calls, and each sends the whole conversation again. `already` counts zooms
        that are in the conversation before the first call."""
        overview = self.overview if overview is None else overview
        frame, calls = self._frame_tokens(endpoint), zooms + 1
        text = (len(self.prompts.system) + len(self.prompts.question) + 200) / _BYTES_A_TOKEN + overview * 8
        first = text + overview * frame
        turn = self.guess.zoom_frames * (frame + 8) + self.guess.reply_tokens + 40
        # Turn k sends k earlier turns: the sum over k = already .. already + zooms.
        sent = calls * first + turn * (calls * already + zooms * calls / 2)
        cost = cost_usd(endpoint.prices, round(episodes * sent), 0, round(episodes * calls * self.guess.reply_tokens))
        # First turns go in a batch. The upper bound assumes no discount, since a batch may expire.
        asked = cost_usd(
            endpoint.prices, round(episodes * (first + already * turn)), 0, round(episodes * self.guess.reply_tokens)
        )
        cost -= _batch_discount(endpoint) * asked
        max_zooms = 0 if zooms == 0 else self.protocol.max_zooms
        max_calls = (max_episodes if max_episodes is not None else episodes) * (max_zooms + 1)
        max_turn = self.protocol.zoom_frames * (frame + 24) + endpoint.max_tokens + 400
        max_sent = (
            len(self.prompts.system)
            + len(self.prompts.question)
            + 1000
            + overview * (frame + 24)
            + max_turn * max_zooms
        )
        most = max_calls * cost_usd(endpoint.prices, round(max_sent), 0, endpoint.max_tokens)
        return StageEstimate(
            name,
            endpoint.model or endpoint.base_url,
            episodes,
            episodes * calls,
            episodes * sent,
            episodes * calls * self.guess.reply_tokens,
            cost,
            round(max_calls),
            most,
        )

    def probe(
        self, name: str, endpoint: Endpoint, episodes: float, frames: float, max_episodes: float, max_frames: int
    ) -> StageEstimate:
        """Single calls that show frames alone."""
        frame, written = self._frame_tokens(endpoint), self.guess.reply_tokens
        told = len(self.prompts.frames_alone) + len(self.prompts.question)
        sent = (told + 200) / _BYTES_A_TOKEN + frames * (frame + 8)
        cost = cost_usd(endpoint.prices, round(episodes * sent), 0, round(episodes * written))
        one_at_most = cost_usd(endpoint.prices, told + 1000 + max_frames * (frame + 24), 0, endpoint.max_tokens)
        return StageEstimate(
            name,
            endpoint.model or endpoint.base_url,
            episodes,
            episodes,
            episodes * sent,
            episodes * written,
            (1 - _batch_discount(endpoint)) * cost,
            round(max_episodes),
            max_episodes * one_at_most,
        )

    def judge(self, endpoint: JudgeEndpoint, answers: float, max_answers: float) -> StageEstimate:
        calls, max_calls = answers * endpoint.votes, max_answers * endpoint.votes
        sent, written = (len(self.prompts.judge) + 300) / _BYTES_A_TOKEN, 5
        cost = (1 - _batch_discount(endpoint)) * cost_usd(
            endpoint.prices, round(calls * sent), 0, round(calls * written)
        )
        most = max_calls * cost_usd(endpoint.prices, len(self.prompts.judge) + 2000, 0, endpoint.max_tokens)
        return StageEstimate(
            "judge",
            endpoint.model or endpoint.base_url,
            calls,
            calls,
            calls * sent,
            calls * written,
            cost,
            round(max_calls),
            most,
        )

    def _frame_tokens(self, endpoint: Endpoint) -> int:
        """Of a 16:9 frame at the protocol's maximum of pixels."""
        height = int((self.protocol.max_pixels * 9 / 16) ** 0.5)
        return frame_tokens(endpoint.prices, height * 16 // 9, height)


def _batch_discount(endpoint: Endpoint) -> float:
    return 1 - endpoint.prices.batch_share if endpoint.batch else 0.0
