"""A judge for open answers that rules cannot decide: a model compares two answers. A reply without a clear verdict is
`unknown`."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from distill.client.calls import Call
from distill.client.errors import CallFailed
from distill.player import AsksAhead, Player, Session
from distill.storage.threads import run_blocking
from videozoomer.protocol import Message, Prompts, Text
from videozoomer.protocol.options import lettered_lines
from videozoomer.protocol.question import QuestionColumns

if TYPE_CHECKING:
    from videozoomer.lake.rows import GradeRow

Verdict = Literal["correct", "wrong", "unknown"]
_GRADER = "judge:"
_WORD = re.compile(r"\b(yes|no)\b", re.I)
_THOUGHT = re.compile(r"<think>.*?(</think>|$)", re.S)


@dataclass(frozen=True, slots=True)
class Case:
    """An answer to compare with the expected one."""

    name: str
    """The caller's id for it."""
    question: str
    expected: str
    given: str


@dataclass(frozen=True, slots=True)
class Judgement:
    name: str
    verdict: Verdict
    grader: str
    """Judge, model and prompt version."""
    detail: str
    """What the judge wrote, or why there is no verdict."""


@dataclass(frozen=True)
class Judge:
    """Asks a player for verdicts; a `ChatPlayer` with `purpose="judge"` records the calls as the judge's."""

    player: Player
    prompts: Prompts
    concurrency: int = 16
    """Maximum concurrent calls."""
    on_done: Callable[[Judgement], object] | None = None
    """Called with each judgement, on the event loop's thread: keep it short."""

    def decide(self, cases: Iterable[Case]) -> list[Judgement]:
        """A judgement for each case, in order.

        Raises:
            StepStopped: the judge does not respond or the budget is spent; no answer becomes wrong. Run again later.
        """
        cases = list(cases)
        if isinstance(self.player, AsksAhead) and self.player.endpoint.batch:
            self.player.ask_ahead(judge_calls(cases, self.prompts))

        async def collect() -> list[Judgement]:
            free = asyncio.Semaphore(self.concurrency)
            try:
                if isinstance(self.player, Session):
                    await self.player.start()
                return list(await asyncio.gather(*(self._decide(case, free) for case in cases)))
            finally:
                if isinstance(self.player, Session):
                    await self.player.finish()

        return run_blocking(collect)

    def decide_unknown(
        self,
        grade_rows: Sequence[GradeRow],
        trajectory_rows: Iterable[Mapping[str, Any]],
        question_rows: Iterable[QuestionColumns],
    ) -> list[GradeRow]:
        """The rows of table `grades`; answers that the rules left `unknown` get the judge's verdict."""
        trajectories = {row["trajectory_id"]: row for row in trajectory_rows}
        questions = {row["question_id"]: row for row in question_rows}
        cases = [
            case_of(trajectories[row["trajectory_id"]], questions[row["question_id"]])
            for row in grade_rows
            if row["verdict"] == "unknown" and trajectories[row["trajectory_id"]]["answer"]
        ]
        judged = {one.name: one for one in self.decide(cases)}
        return [
            row
            if (found := judged.get(row["trajectory_id"])) is None
            else row | {"verdict": found.verdict, "grader": found.grader, "detail": found.detail}
            for row in grade_rows
        ]

    def compare_with_rules(
        self,
        grade_rows: Iterable[GradeRow],
        trajectory_rows: Iterable[Mapping[str, Any]],
        question_rows: Iterable[QuestionColumns],
        *,
        limit: int = 200,
    ) -> list[tuple[str, str]]:
        """Pairs of verdicts, rule and judge, on at most `limit` answers that rules decided: the first by id, so the
        same each time. Raises like `decide`."""
        trajectories = {row["trajectory_id"]: row for row in trajectory_rows}
        questions = {row["question_id"]: row for row in question_rows}
        decided = sorted(
            (
                row
                for row in grade_rows
                if not row["grader"].startswith(_GRADER) and trajectories[row["trajectory_id"]]["answer"]
            ),
            key=lambda row: row["trajectory_id"],
        )[:limit]
        cases = [case_of(trajectories[row["trajectory_id"]], questions[row["question_id"]]) for row in decided]
        return [(row["verdict"], one.verdict) for row, one in zip(decided, self.decide(cases), strict=True)]

    async def _decide(self, case: Case, free: asyncio.Semaphore) -> Judgement:
        async with free:
            verdict: Verdict
            try:
                reply = await self.player.reply(judge_messages(case, self.prompts), sample=0, temperature=0.0)
            except CallFailed as error:
                verdict, detail = "unknown", f"no verdict: {error}"
            else:
                verdict, detail = read_verdict(reply.text), reply.text.strip()[:200]
        # The player's name may be known only after its first call.
        grader = f"{_GRADER}{self.player.name}:{self.prompts.version}"
        judged = Judgement(case.name, verdict, grader, detail)
        if self.on_done is not None:
            self.on_done(judged)
        return judged


def read_verdict(text: str) -> Verdict:
    """The judge's one word; `unknown` if it wrote neither, or both."""
    words = {word.lower() for word in _WORD.findall(_THOUGHT.sub("", text))}
    if words == {"yes"}:
        return "correct"
    return "wrong" if words == {"no"} else "unknown"


def judge_messages(case: Case, prompts: Prompts) -> tuple[Message, ...]:
    text = prompts.judge.format(question=case.question, expected=case.expected, given=case.given)
    return (Message("user", (Text(text),)),)


def judge_calls(cases: Iterable[Case], prompts: Prompts) -> Iterator[Call]:
    for case in cases:
        yield Call(judge_messages(case, prompts), 0, 0.0)


def case_of(trajectory: Mapping[str, Any], question: QuestionColumns) -> Case:
    options = "".join(f"\n{line}" for line in lettered_lines(question["options"]))
    return Case(trajectory["trajectory_id"], question["question"] + options, question["answer"], trajectory["answer"])


def agreement(pairs: Iterable[tuple[str, str]]) -> list[dict]:
    """Counts of each pair of verdicts on the same answers: rows of `rule`, `judge`, `answers`."""
    counted = Counter(pairs)
    return [{"rule": rule, "judge": judge, "answers": count} for (rule, judge), count in sorted(counted.items())]


def agreement_rate(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Share of answers with the same verdict among those that both decided; None if they decided none in common."""
    both = [(rule, judge) for rule, judge in pairs if "unknown" not in (rule, judge)]
    return sum(rule == judge for rule, judge in both) / len(both) if both else None
