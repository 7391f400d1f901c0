"""A judge for open answers that rules cannot decide: a model compares two answers. What it cannot say is `unknown`."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from distill.client.calls import Call
from distill.client.errors import CallFailed
from distill.player import AsksAhead, Player, Session
from distill.storage.threads import run_blocking
from videozoomer.protocol import Message, Prompts, Text

Verdict = Literal["correct", "wrong", "unknown"]
_NAME = "judge:"
_WORD = re.compile(r"\b(yes|no)\b", re.I)
_THOUGHT = re.compile(r"<think>.*?(</think>|$)", re.S)


@dataclass(frozen=True, slots=True)
class Case:
    """Two answers to hold against each other."""

    name: str
    """Whatever the caller knows it by."""
    question: str
    expected: str
    given: str


@dataclass(frozen=True, slots=True)
class Judgement:
    name: str
    verdict: Verdict
    grader: str
    """Judge, model and version of the prompt."""
    detail: str
    """What the judge wrote, or why there is no verdict."""


def read_verdict(text: str) -> Verdict:
    """The judge's one word; `unknown` where it wrote neither, or both."""
    words = {word.lower() for word in _WORD.findall(_THOUGHT.sub("", text))}
    return {frozenset({"yes"}): "correct", frozenset({"no"}): "wrong"}.get(frozenset(words), "unknown")


def judge_messages(case: Case, prompts: Prompts) -> tuple[Message, ...]:
    text = prompts.judge.format(question=case.question, expected=case.expected, given=case.given)
    return (Message("user", (Text(text),)),)


def judge_calls(cases: Iterable[Case], prompts: Prompts) -> Iterator[Call]:
    for case in cases:
        yield Call(judge_messages(case, prompts), 0, 0.0)


def judge_cases(
    cases: Iterable[Case],
    player: Player,
    prompts: Prompts,
    *,
    concurrency: int = 16,
    on_done: Callable[[Judgement], object] | None = None,
) -> list[Judgement]:
    """Ask the judge about each case, in order; a `ChatPlayer` with `purpose="judge"` journals the calls as its own.

    Raises:
        StepStopped: the judge is away or the cap is reached; nothing is taken for wrong in its absence. Run again later.
    """
    cases = list(cases)
    if isinstance(player, AsksAhead) and player.endpoint.batch:
        player.ask_ahead(judge_calls(cases, prompts))

    async def ask(case: Case, places: asyncio.Semaphore) -> Judgement:
        async with places:
            try:
                reply = await player.reply(judge_messages(case, prompts), sample=0, temperature=0.0)
            except CallFailed as error:
                judged = Judgement(case.name, "unknown", _grader(player, prompts), f"no verdict: {error}")
            else:
                judged = Judgement(
                    case.name, read_verdict(reply.text), _grader(player, prompts), reply.text.strip()[:200]
                )
        if on_done is not None:
            on_done(judged)
        return judged

    async def collect() -> list[Judgement]:
        places = asyncio.Semaphore(concurrency)
        try:
            if isinstance(player, Session):
                await player.start()
            return list(await asyncio.gather(*(ask(case, places) for case in cases)))
        finally:
            if isinstance(player, Session):
                await player.finish()

    return run_blocking(collect)


def judge_rows(
    grade_rows: Sequence[dict],
    trajectory_rows: Iterable[dict],
    question_rows: Iterable[dict],
    player: Player,
    prompts: Prompts,
    *,
    concurrency: int = 16,
) -> list[dict]:
    """Rows of table `grades`, in which answers that the rules left `unknown` have the judge's verdict."""
    trajectories = {row["trajectory_id"]: row for row in trajectory_rows}
    questions = {row["question_id"]: row for row in question_rows}
    cases = [
        case_of(trajectories[row["trajectory_id"]], questions[row["question_id"]])
        for row in grade_rows
        if row["verdict"] == "unknown" and trajectories[row["trajectory_id"]]["answer"]
    ]
    judged = {one.name: one for one in judge_cases(cases, player, prompts, concurrency=concurrency)}
    return [
        row
        if (found := judged.get(row["trajectory_id"])) is None
        else row | {"verdict": found.verdict, "grader": found.grader, "detail": found.detail}
        for row in grade_rows
    ]


def compare_with_rules(
    grade_rows: Iterable[dict],
    trajectory_rows: Iterable[dict],
    question_rows: Iterable[dict],
    player: Player,
    prompts: Prompts,
    *,
    most: int = 200,
    concurrency: int = 16,
) -> list[tuple[str, str]]:
    """Pairs of verdicts, rule and judge, on at most `most` answers that rules decided; drawn by id, the same each time.

    Raises:
        StepStopped: like `judge_cases`.
    """
    trajectories = {row["trajectory_id"]: row for row in trajectory_rows}
    questions = {row["question_id"]: row for row in question_rows}
    decided = sorted(
        (
            row
            for row in grade_rows
            if not row["grader"].startswith(_NAME) and trajectories[row["trajectory_id"]]["answer"]
        ),
        key=lambda row: row["trajectory_id"],
    )[:most]
    cases = [case_of(trajectories[row["trajectory_id"]], questions[row["question_id"]]) for row in decided]
    judged = judge_cases(cases, player, prompts, concurrency=concurrency)
    return [(row["verdict"], one.verdict) for row, one in zip(decided, judged, strict=True)]


def case_of(trajectory: dict, question: dict) -> Case:
    options = "".join(
        f"\n{letter}. {option}"
        for letter, option in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", question["options"], strict=False)
    )
    return Case(trajectory["trajectory_id"], question["question"] + options, question["answer"], trajectory["answer"])


def agreement(pairs: Iterable[tuple[str, str]]) -> list[dict]:
    """How often rule and judge say what: rows of `rule`, `judge`, `answers` from pairs of verdicts on the same answers."""
    counted = Counter(pairs)
    return [{"rule": rule, "judge": judge, "answers": count} for (rule, judge), count in sorted(counted.items())]


def agreement_rate(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Share of the answers that both decided on which they agree; None where both decided none."""
    both = [(rule, judge) for rule, judge in pairs if "unknown" not in (rule, judge)]
    return sum(rule == judge for rule, judge in both) / len(both) if both else None


def _grader(player: Player, prompts: Prompts) -> str:
    return f"{_NAME}{player.name}:{prompts.version}"
