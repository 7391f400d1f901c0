"""A question in its three forms, each with one type and one place where rows become it.

| type | right answer | video and overview | used by |
| --- | --- | --- | --- |
| `Question` | yes | no | grading; a row of table `questions` |
| `PlayableQuestion` | yes | yes | RL, evaluation of a data set; a row of an RL or evaluation data set |
| `QuestionItem` | no | yes | everyone who plays: an episode cannot leak what it does not hold |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, cast

from videozoomer.protocol.episode import Task
from videozoomer.protocol.evidence import Window, windows_of
from videozoomer.protocol.messages import FrameRef

if TYPE_CHECKING:
    from videozoomer.lake.rows import QuestionRow, WindowRow


class QuestionColumns(TypedDict):
    """What rows of table `questions` and of data sets share; mypy compares it with the generated row types."""

    question_id: str
    video_uri: str
    split: str
    question: str
    options: list[str]
    answer: str
    answer_type: str
    topic: str | None
    evidence: list[WindowRow]


class PlayableQuestionColumns(QuestionColumns):
    """What rows of RL and evaluation data sets share."""

    video_id: str
    duration_s: float
    bad_spans: list[WindowRow] | None
    batch: str
    overview_frame_ids: list[str]
    overview_times_s: list[float]


@dataclass(frozen=True, slots=True)
class QuestionItem:
    """A question as players see it: with its video and overview, without its right answer."""

    question_id: str
    video_id: str
    video_uri: str
    batch: str
    question: str
    options: tuple[str, ...]
    answer_type: str
    duration_s: float
    overview: tuple[FrameRef, ...]
    bad_spans: tuple[Window, ...] = ()

    @property
    def task(self) -> Task:
        return Task(self.question, self.options, self.answer_type, self.duration_s, self.bad_spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with its right answer."""

    question_id: str
    video_uri: str
    split: str
    """`train`, `validation` or `evaluation`."""
    question: str
    options: tuple[str, ...] = ()
    """Empty for an open question."""
    answer: str
    """A letter for a multiple choice."""
    answer_type: str
    topic: str | None = None
    evidence: tuple[Window, ...] = ()
    """Where in the video the answer is seen; empty where unknown."""

    @classmethod
    def from_row(cls, row: QuestionColumns) -> Question:
        """A row of table `questions`, of any status, or the same columns of a data set's row."""
        return Question(
            question_id=row["question_id"],
            video_uri=row["video_uri"],
            split=row["split"],
            question=row["question"],
            options=tuple(row["options"]),
            answer=row["answer"],
            answer_type=row["answer_type"],
            topic=row["topic"],
            evidence=windows_of(row["evidence"]),
        )

    def to_row(self, source: str, reason: str | None = None) -> QuestionRow:
        """The row of table `questions`; a reason puts it into quarantine."""
        return {
            "question_id": self.question_id,
            "source": source,
            "video_uri": self.video_uri,
            "split": self.split,
            "question": self.question,
            "options": list(self.options),
            "answer": self.answer,
            "answer_type": self.answer_type,
            "topic": self.topic,
            "evidence": _window_rows(self.evidence),
            "status": "quarantined" if reason else "ok",
            "reason": reason,
        }

    def with_video(
        self,
        *,
        video_id: str,
        batch: str,
        duration_s: float,
        overview: tuple[FrameRef, ...],
        bad_spans: tuple[Window, ...] = (),
    ) -> PlayableQuestion:
        return PlayableQuestion(
            question_id=self.question_id,
            video_uri=self.video_uri,
            split=self.split,
            question=self.question,
            options=self.options,
            answer=self.answer,
            answer_type=self.answer_type,
            topic=self.topic,
            evidence=self.evidence,
            video_id=video_id,
            batch=batch,
            duration_s=duration_s,
            overview=overview,
            bad_spans=bad_spans,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayableQuestion(Question):
    """A question with its right answer, its video and its overview."""

    video_id: str
    batch: str
    duration_s: float
    overview: tuple[FrameRef, ...]
    bad_spans: tuple[Window, ...] = ()
    """What of a damaged video cannot be read, in order."""
    evidence_found: bool = False
    """Whether `evidence` are frames that sufficed to answer in probes: others may show the answer too."""

    @classmethod
    def from_shard_row(cls, row: PlayableQuestionColumns) -> PlayableQuestion:
        """A row of an RL or evaluation data set."""
        overview = zip(row["overview_frame_ids"], row["overview_times_s"], strict=True)
        return PlayableQuestion(
            question_id=row["question_id"],
            video_uri=row["video_uri"],
            split=row["split"],
            question=row["question"],
            options=tuple(row["options"]),
            answer=row["answer"],
            answer_type=row["answer_type"],
            topic=row["topic"],
            evidence=windows_of(row["evidence"]),
            video_id=row["video_id"],
            batch=row["batch"],
            duration_s=row["duration_s"],
            overview=tuple(FrameRef(frame_id, time_s) for frame_id, time_s in overview),
            # Older data sets do not have the columns, and of data sets for evaluation none has the second.
            bad_spans=windows_of(row.get("bad_spans")),
            evidence_found=cast(Mapping[str, Any], row).get("evidence_source") == "probe",
        )

    def to_shard_row(self) -> PlayableQuestionColumns:
        """The row of an evaluation data set; a row of an RL data set has the teacher's pass rate besides."""
        return {
            "question_id": self.question_id,
            "video_id": self.video_id,
            "video_uri": self.video_uri,
            "duration_s": self.duration_s,
            "bad_spans": _window_rows(self.bad_spans) or None,
            "batch": self.batch,
            "split": self.split,
            "question": self.question,
            "options": list(self.options),
            "answer": self.answer,
            "answer_type": self.answer_type,
            "topic": self.topic,
            "evidence": _window_rows(self.evidence),
            "overview_frame_ids": [frame.frame_id for frame in self.overview],
            "overview_times_s": [frame.time_s for frame in self.overview],
        }

    @property
    def item(self) -> QuestionItem:
        """What players may see of it."""
        return QuestionItem(
            question_id=self.question_id,
            video_id=self.video_id,
            video_uri=self.video_uri,
            batch=self.batch,
            question=self.question,
            options=self.options,
            answer_type=self.answer_type,
            duration_s=self.duration_s,
            overview=self.overview,
            bad_spans=self.bad_spans,
        )


def bad_spans_by_video(questions: Iterable[QuestionItem | PlayableQuestion]) -> dict[str, tuple[Window, ...]]:
    """URI -> bad spans, of the damaged videos alone: for a reader of their frames."""
    return {question.video_uri: question.bad_spans for question in questions if question.bad_spans}


def _window_rows(windows: tuple[Window, ...]) -> list[WindowRow]:
    return [{"start_s": window.start_s, "end_s": window.end_s} for window in windows]
