"""A question keeps everything on its way from table to player to data set, but for the answer, which no player gets."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from videozoomer.lake import CATALOG
from videozoomer.protocol import FrameRef
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.question import PlayableQuestion, Question, QuestionItem
from videozoomer.shards.schema import EVALUATION

TEXT = st.text(max_size=8)
TIME = st.floats(0, 1000)
QUESTIONS = st.builds(
    PlayableQuestion,
    question_id=TEXT,
    video_uri=TEXT,
    split=st.sampled_from(["train", "evaluation"]),
    question=TEXT,
    options=st.lists(TEXT, max_size=3).map(tuple),
    answer=TEXT,
    answer_type=TEXT,
    topic=st.none() | TEXT,
    evidence=st.lists(st.builds(Window, TIME, TIME), max_size=2).map(tuple),
    video_id=TEXT,
    batch=TEXT,
    duration_s=TIME,
    overview=st.lists(st.builds(FrameRef, TEXT, TIME), max_size=3).map(tuple),
)


@given(QUESTIONS)
def test_a_shard_row_gives_the_same_question_back(question):
    (stored,) = EVALUATION.conform([question.to_shard_row()]).to_dicts()
    assert PlayableQuestion.from_shard_row(stored) == question


@given(QUESTIONS, st.none() | st.just("no_video"))
def test_a_table_row_gives_the_same_question_back(question, reason):
    (stored,) = CATALOG["questions"].conform([question.to_row("films", reason)]).to_dicts()
    assert (stored["status"], stored["reason"]) == ("quarantined" if reason else "ok", reason)
    video = {name: getattr(question, name) for name in ("video_id", "batch", "duration_s", "overview")}
    assert Question.from_row(stored).with_video(**video) == question


@given(QUESTIONS)
def test_players_get_all_but_the_answer_and_the_evidence(question):
    item = question.item
    names = {field.name for field in dataclasses.fields(QuestionItem)}
    withheld = {field.name for field in dataclasses.fields(PlayableQuestion)} - names
    assert withheld == {"answer", "evidence", "evidence_found", "split", "topic"}
    assert all(getattr(item, name) == getattr(question, name) for name in names)
    assert (item.task.question, item.task.options) == (question.question, question.options)
