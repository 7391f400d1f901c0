"""A judge for open answers that rules cannot decide: a model compares two answers. A reply without a clear verdict is
`unknown`."""

from __future__ import annotations

import asyncio
import json
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
from videozoomer.protocol.prompts import JUDGE_VERSION
from videozoomer.protocol.question import QuestionColumns
from videozoomer.settings.model import Endpoint

if TYPE_CHECKING:
    from videozoomer.lake.rows import GradeRow

Verdict = Literal["correct", "wrong", "unknown"]
_GRADER = "judge:"
_WORD = re.compile(r"\b(yes|no)\b", re.I)
_THOUGHT = re.compile(r"<think>.*?(</think>|$)", re.S)
_VERDICT = re.compile(
    r"[\s*_`\"'>#-]*(?:(?:final |my )?(?:verdict|answer|decision|judgement|judgment)\s*(?::|is)?[\s*_`\"']*)?"
    r"(yes|no)[*_`\"']*\s*[.!]?[\s*_`\"']*",
    re.I,
)
"""A line that is a verdict and nothing else, whatever its emphasis."""
_OPENS = re.compile(r"[\s*_`\"']*(yes|no)[*_`\"']*\s*[.:;!\n]\s*(?=\S)", re.I)
"""A verdict with a reason after it."""
_LIMITS = re.compile(r"\b(?:but|however|unless|although|though|except|unsure|not sure|only if|part(?:ial)?ly)\b", re.I)
_SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"verdict": {"type": "string", "enum": ["YES", "NO"]}},
            "required": ["verdict"],
            "additionalProperties": False,
        },
    },
}


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
    votes: int = 1
    """1, or 2 for a second question in other words; a verdict then needs both."""
    on_done: Callable[[Judgement], object] | None = None
    """Called with each judgement, on the event loop's thread: keep it short."""

    def decide(self, cases: Iterable[Case]) -> list[Judgement]:
        """A judgement for each case, in order.

        Raises:
            StepStopped: the judge does not respond or the budget is spent; no answer becomes wrong. Run again later.
        """
        cases = list(cases)
        if isinstance(self.player, AsksAhead) and self.player.endpoint.batch:
            self.player.ask_ahead(judge_calls(cases, self.prompts, self.votes))

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
            if row["verdict"] == "unknown"
            and trajectories[row["trajectory_id"]]["answer"]
            and not row["grader"].startswith("too_long")
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
        votes: list[Verdict] = []
        details: list[str] = []
        for messages in judge_messages(case, self.prompts, self.votes):
            async with free:
                try:
                    reply = await self.player.reply(messages, sample=0, temperature=0.0)
                except CallFailed as error:
                    votes.append("unknown")
                    details.append(f"no verdict: {error}")
                else:
                    votes.append(read_verdict(reply.text))
                    details.append(reply.text.strip()[:200])
        verdict: Verdict = votes[0] if len(set(votes)) == 1 else "unknown"
        # The player's name may be known only after its first call.
        grader = f"{_GRADER}{self.player.name}:{self.prompts.version}.{JUDGE_VERSION}"
        judged = Judgement(case.name, verdict, grader, " / ".join(details))
        if self.on_done is not None:
            self.on_done(judged)
        return judged


def structured(endpoint: Endpoint) -> Endpoint:
    """The judge's endpoint with a schema for its verdict, where the recipe asks for one; a server that refuses the
    parameter is asked without it."""
    if not getattr(endpoint, "structured", False):
        return endpoint
    return endpoint.model_copy(update={"extra_body": {"response_format": _SCHEMA} | endpoint.extra_body})


def read_verdict(text: str) -> Verdict:
    """The judge's one word; `unknown` where it is not clearly that.

    Read are JSON with a `verdict`, a text that is the word alone, one that opens with it and gives a reason, and one
    whose last line is the word alone. 'I would not say YES' and a reason that limits it or uses the other word are no
    verdicts.
    """
    text = _THOUGHT.sub("", text).strip()
    said = _from_json(text)
    if said is None and (whole := _VERDICT.fullmatch(text)):
        said = whole[1]
    words = {word.lower() for word in _WORD.findall(text)}
    if said is None and len(words) == 1:
        last = text.splitlines()[-1]
        found = _OPENS.match(text) or _VERDICT.fullmatch(last)
        said = found[1] if found and not _LIMITS.search(text) else None
    if said is None:
        return "unknown"
    return "correct" if said.lower() == "yes" else "wrong"


def _from_json(text: str) -> str | None:
    """`yes` or `no` in `{"verdict": ...}`, in a code fence or not."""
    body = re.sub(r"\A```\w*\s*|\s*```\Z", "", text)
    try:
        value = json.loads(body)
    except ValueError:
        return None
    said = value.get("verdict") if isinstance(value, dict) else None
    return said if isinstance(said, str) and said.lower() in ("yes", "no") else None


def judge_messages(case: Case, prompts: Prompts, votes: int = 1) -> list[tuple[Message, ...]]:
    """One conversation a vote. Both answers stand as JSON strings: neither can end its quotes or begin a line."""
    expected, given = quoted(case.expected), quoted(case.given)
    texts = [prompts.judge, prompts.judge_again][:votes]
    return [
        (Message("user", (Text(text.format(question=case.question, expected=expected, given=given)),)),)
        for text in texts
    ]


def quoted(answer: str) -> str:
    """An answer as a JSON string on one line, whatever kind of line end is in it."""
    return re.sub("[\x85\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(answer, ensure_ascii=False))


def judge_calls(cases: Iterable[Case], prompts: Prompts, votes: int = 1) -> Iterator[Call]:
    for case in cases:
        for messages in judge_messages(case, prompts, votes):
            yield Call(messages, 0, 0.0)


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
