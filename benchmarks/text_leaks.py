"""What is found of real questions that are asked again, on question files in any layout that `sources` reads.

python -m benchmarks.text_leaks FILE ... [--wordnet FOLDER]

The videos of each file are halved: one half is the evaluation set, the other is trained on. Questions of the evaluation
set are added to training, about videos of their own, in one variant after the other. Recall is the share of them that
is found: as a verdict, or at least listed. False are questions of the training half's own videos that get a verdict,
without those whose wording, options and answer an evaluation question has as well: these are in the evaluation set.
All intervals are 95% (Wilson). `--size 100000` instead compares as many training questions with as many evaluation
questions, made of those of the files with a third of their words drawn from others, and prints CPU seconds and memory.

Synonyms replace a fifth of the words: from a small table, or with `--wordnet` the first sense of WordNet's files
(`data.noun`, `index.noun`, ...), which is rougher ("action" becomes "litigate").
"""

from __future__ import annotations

import random
import re
import resource
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from scipy.stats import binomtest

from filters.question_leaks.comparing import compare
from filters.question_leaks.corpus import build
from filters.question_leaks.files import read_files
from videozoomer.protocol.options import index_of

TABLE = """
man guy|woman lady|boy lad|girl lass|person individual|people individuals|child kid|children kids|baby infant|video clip
color colour|colour color|wearing sporting|holding carrying|shown displayed|show display|appear emerge|appears emerges
begin start|beginning start|end conclusion|big large|large big|small little|little small|happen occur|happens occurs
happened occurred|do perform|doing performing|picture image|car vehicle|speak talk|talking speaking|room chamber
main primary|following subsequent|correct right|total overall|place location|location place|look gaze|looking gazing
walk stroll|walking strolling|reason cause|feel sense|purpose aim|describe depict|described depicted|mentioned stated
used utilised|using utilising|get obtain|put place|take grab|took grabbed|times occasions|count number|scene setting
event incident|events incidents|kind sort|type kind|hat cap|shirt top|dress frock|house home|street road|dog hound
ball sphere|background backdrop|final last|last final|first initial|because since|instances occurrences|true accurate
possible potential|action act|method technique|primarily mainly|mainly primarily|likely probable|overall general
"""
LITTLE = frozenset(
    "the and are was were been does did has have had with that which what who when where why how".split()
)
app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Asked:
    question: str
    options: tuple[str, ...]
    answer: str
    video: str


Variant = Callable[[Asked, random.Random], Asked]
Synonyms = Mapping[str, Sequence[str]]


def variants(synonyms: Synonyms) -> dict[str, Variant]:
    return {
        "verbatim": lambda one, rng: one,
        "re-cased": lambda one, rng: replace(
            one,
            question=one.question.upper(),
            options=tuple(option.lower() for option in one.options),
            answer=one.answer.lower(),
        ),
        "prefixed": lambda one, rng: replace(
            one, question=f"In this clip, {one.question[:1].lower()}{one.question[1:]}"
        ),
        "suffixed": lambda one, rng: replace(one, question=f"{one.question} Please answer."),
        "re-lettered": lambda one, rng: replace(one, options=tuple(rng.sample(one.options, len(one.options)))),
        "synonyms": lambda one, rng: replace(one, question=_in_other_words(one.question, synonyms, rng)),
        "garbled": lambda one, rng: replace(one, question=_garbled(one.question, rng)),
        "cut to 70%": lambda one, rng: replace(
            one, question=" ".join(one.question.split(" ")[: max(1, round(0.7 * len(one.question.split(" "))))])
        ),
    }


def _in_other_words(question: str, synonyms: Synonyms, rng: random.Random) -> str:
    words = question.split(" ")
    plain = [re.sub(r"\W", "", word).lower() for word in words]
    known = [place for place, word in enumerate(plain) if word in synonyms and word not in LITTLE]
    for place in rng.sample(known, min(len(known), max(1, round(0.2 * len(words))))):
        words[place] = words[place].lower().replace(plain[place], rng.choice(synonyms[plain[place]]))
    return " ".join(words)


def _garbled(question: str, rng: random.Random) -> str:
    """A fifth of the longer words with two letters swapped."""
    words = question.split(" ")
    for place, word in enumerate(words):
        if len(word) > 3 and rng.random() < 0.2:
            at = rng.randrange(len(word) - 1)
            words[place] = f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}"
    return " ".join(words)


def wordnet(folder: Path) -> Synonyms:
    """The other words of the first sense of each word, from WordNet's database files."""
    found: dict[str, list[str]] = {}
    for part in ("noun", "verb", "adj", "adv"):
        sets: dict[str, list[str]] = {}
        for line in (folder / f"data.{part}").read_text("latin-1").splitlines():
            if not line.startswith("  "):
                fields = line.split()
                sets[fields[0]] = [fields[4 + 2 * n].split("(")[0].lower() for n in range(int(fields[3], 16))]
        for line in (folder / f"index.{part}").read_text("latin-1").splitlines():
            if not line.startswith("  "):
                word, *fields = line.split()
                senses = int(fields[1])
                others = [other for other in sets[fields[-senses]] if other != word and "_" not in other]
                if others:
                    found.setdefault(word, others)
    return found


def _frame(asked: Sequence[Asked]) -> pl.DataFrame:
    schema = {"question": pl.String(), "options": pl.List(pl.String), "answer": pl.String()}
    rows = [{"question": one.question, "options": list(one.options), "answer": one.answer} for one in asked]
    return pl.DataFrame(rows, schema=schema)


def _read(place: str) -> list[Asked]:
    rows, _ = read_files([place])
    asked = []
    for row in rows.iter_rows(named=True):
        options = tuple(row["options"] or ())
        index = index_of(row["answer"], len(options))
        answer = row["answer"] if index is None else options[index]
        asked.append(Asked(row["question"], options, answer, row["video_uri"]))
    return asked


def _share(found: int, of: int) -> str:
    interval = binomtest(found, of).proportion_ci(method="wilson")
    return f"{100 * found / of:5.1f}% ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


@app.command()
def main(
    files: Annotated[list[str], typer.Argument(help="Question files of real evaluation sets.")],
    sample: Annotated[int, typer.Option(help="Questions that are asked again.")] = 600,
    size: Annotated[int | None, typer.Option(help="Questions of each side, for CPU seconds instead of recall.")] = None,
    wordnet_folder: Annotated[
        Path | None, typer.Option("--wordnet", help="Folder with WordNet's data.* files.")
    ] = None,
) -> None:
    synonyms = (
        wordnet(wordnet_folder) if wordnet_folder else dict(_pair(one) for one in re.split(r"[|\n]", TABLE) if one)
    )
    if size is not None:
        _at_size([one for place in files for one in _read(place)], size)
        return
    for place in files:
        asked = _read(place)
        evaluation = [one for one in asked if zlib.crc32(one.video.encode()) % 2]
        own = [one for one in asked if not zlib.crc32(one.video.encode()) % 2]
        again = random.Random(1).sample(evaluation, min(sample, len(evaluation)))
        print(f"\n{Path(place).name}: {len(evaluation):,} evaluation questions, {len(own):,} others in training")
        for name, vary in variants(synonyms).items():
            rng = random.Random(2)
            began = time.process_time()
            corpus = build(_frame([*own, *(vary(one, rng) for one in again)]), _frame(evaluation))
            pairs = compare(corpus)
            took = time.process_time() - began
            items = corpus.train.of_question
            of_again = items[len(own) :].tolist()
            verdict, any_pair = set(pairs.filter("verdict")["train"]), set(pairs["train"])
            same = set(pairs.filter(pl.col("rule") == "equal")["train"])
            recall = [sum(item in found for item in of_again) for found in (verdict, any_pair)]
            negatives = [item for item in items[: len(own)].tolist() if item not in same]
            false = sum(item in verdict for item in negatives)
            there = sum(item in same and item in verdict for item in items[: len(own)].tolist())
            templates = sum(item in same and item not in verdict for item in of_again)
            print(
                f"  {name:12s} verdict {_share(recall[0], len(again))}, or listed {_share(recall[1], len(again))}, "
                f"false {false} of {len(negatives):,} (precision {_share(recall[0], max(1, recall[0] + false))}), "
                f"templates {templates}, its own that are in the evaluation set {there}, {took:.2f} CPU s"
            )


def _at_size(asked: Sequence[Asked], size: int) -> None:
    rng = random.Random(3)
    words = [word for one in asked for word in one.question.split()]

    def mixed(one: Asked) -> Asked:
        drawn = (rng.choice(words) if rng.random() < 0.35 else word for word in one.question.split())
        return replace(one, question=" ".join(drawn))

    train, evaluation = (_frame([mixed(rng.choice(asked)) for _ in range(size)]) for _ in range(2))
    began = time.process_time()
    corpus = build(train, evaluation)
    built = time.process_time()
    pairs = compare(corpus)
    ended = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{size:,} against {size:,}: {ended - began:.1f} CPU s ({built - began:.1f} to index, {ended - built:.1f} to "
        f"compare), {pairs.height:,} pairs, {memory:.0f} MB"
    )


def _pair(line: str) -> tuple[str, list[str]]:
    word, other = line.split(" ")
    return word, [other]


if __name__ == "__main__":
    app()
