"""Lasting names of questions and of pairs of them: a decision about a pair stays when ids and films change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence


def content_id(question: str, options: Sequence[str], answer: str) -> str:
    """A hash of what is asked: the wording, the options in any order, and the answer's text (not its letter)."""
    said = json.dumps([question, sorted(options), answer], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def pair_id(train_content: str, evaluation_content: str) -> str:
    """The subject of a decision on a training question and an evaluation question."""
    return hashlib.sha256(f"{train_content} {evaluation_content}".encode()).hexdigest()[:16]
