"""What a question file says is what is understood, in every form of file, options and answer; or the row is refused."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from videozoomer.settings.sources import Source
from videozoomer.sources.questions import read_source
from videozoomer.sources.understood import understood

TEXTS = st.one_of(
    st.text(st.sampled_from("abAB 12.,;:|()[]'\"\\\\?-\u2028é漢🎬&<>{}"), min_size=1, max_size=8),
    st.sampled_from(["red", "a car", "A", "B.", "(a)(b)", "(b)(a)", "1", "2", "0", "3", "yes", "A. x", "None", "1, 2",
                     "x|y", '"quoted"', "it's", "12:30", "option B", "RED", "red."]),
).map(str.strip).filter(bool)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    question: str
    options: tuple[str, ...]
    right: int


@st.composite
def asked(draw):
    options = draw(st.lists(TEXTS, min_size=2, max_size=5, unique=True))
    return Asked(draw(TEXTS) + "?", tuple(options), draw(st.integers(0, len(options) - 1)))


def lettered(asked, mark="{}. {}"):
    return [mark.format(letter, text) for letter, text in zip("ABCDE", asked.options, strict=False)]


SHUFFLE = (2, 0, 1, 4, 3)


def shuffled(asked):
    lines = lettered(asked)
    return [lines[place] for place in SHUFFLE if place < len(lines)]


def columns(names):
    return lambda asked: dict(zip(names, asked.options, strict=False))


OPTIONS = {
    "list": lambda asked: {"options": list(asked.options)},
    "choices": lambda asked: {"choices": list(asked.options)},
    "by letter": lambda asked: {"options": dict(zip("ABCDE", asked.options, strict=False))},
    "by number": lambda asked: {"options": {str(n): text for n, text in enumerate(asked.options)}},
    "lettered": lambda asked: {"options": lettered(asked)},
    "in brackets": lambda asked: {"options": lettered(asked, "({}) {}")},
    "shuffled": lambda asked: {"options": shuffled(asked)},
    "lines": lambda asked: {"options": "\n".join(lettered(asked, "{}) {}"))},
    "bars": lambda asked: {"options": "|".join(asked.options)},
    "JSON": lambda asked: {"options": json.dumps(asked.options)},
    "printed": lambda asked: {"options": repr(list(asked.options))},
    "A to E": columns("ABCDE"),
    "option_0": columns([f"option_{n}" for n in range(5)]),
    "Option 1": columns([f"Option {n}" for n in range(1, 6)]),
    "in the question": lambda asked: {"question": "\n".join([asked.question, *lettered(asked)])},
}
ANSWERS = {
    "letter": lambda asked: "ABCDE"[asked.right],
    "(b)": lambda asked: f"({'abcde'[asked.right]})",
    "tagged": lambda asked: f"<answer>{'ABCDE'[asked.right]}</answer>",
    "text": lambda asked: asked.options[asked.right],
    "letter and text": lambda asked: lettered(asked)[asked.right],
    "from 0": lambda asked: asked.right,
    "from 1": lambda asked: asked.right + 1,
}


def written(rows, form, encoding):
    """The bytes of a file."""
    if form in ("json", "lines", "questions"):
        texts = {"json": json.dumps(rows, ensure_ascii=False), "questions": json.dumps({"questions": rows}),
                 "lines": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)}  # fmt: skip
        return texts[form].encode(encoding)
    names = list(dict.fromkeys(name for row in rows for name in row))
    handle = io.StringIO()
    table = csv.writer(handle, delimiter={"comma": ",", "semicolon": ";", "tab": "\t"}[form])
    table.writerow(names)
    for row in rows:
        table.writerow([
            json.dumps(cell) if isinstance(cell, list | dict) else cell for cell in (row.get(name) for name in names)
        ])  # fmt: skip
    return handle.getvalue().encode(encoding)


SUFFIX = {"json": ".json", "questions": ".json", "lines": ".jsonl", "comma": ".csv", "semicolon": ".csv", "tab": ".tsv"}


@settings(max_examples=200, deadline=None)
@given(
    questions=st.lists(asked(), min_size=1, max_size=4, unique_by=lambda item: item.question),
    options=st.sampled_from(sorted(OPTIONS)),
    answer=st.sampled_from(sorted(ANSWERS)),
    form=st.sampled_from(sorted(SUFFIX)),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    says_base=st.booleans(),
)
def test_what_was_written_is_understood_or_refused(questions, options, answer, form, encoding, says_base):
    assume(options != "bars" or not any("|" in text for item in questions for text in item.options))
    rows = [
        {"video": "a.mp4", "question": item.question, "answer": ANSWERS[answer](item)} | OPTIONS[options](item)
        for item in questions
    ]
    base = {"from 0": 0, "from 1": 1}.get(answer) if says_base else None
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"questions{SUFFIX[form]}"
        path.write_bytes(written(rows, form, encoding))
        source = Source(name="films", videos="/films", questions=str(path), index_base=base)
        reading = read_source(source, ["/films/a.mp4"])
    assert len(reading.rows) == len(questions)
    refused = sum(row["status"] != "ok" for row in reading.rows)
    assert len(reading.problems) == refused
    assert all(problem.where.split()[0] in ("line", "entry") and problem.sentence for problem in reading.problems)
    for row, item in zip(reading.rows, questions, strict=True):
        if row["status"] == "ok":
            if answer.startswith("from") and base is None and row["answer"] != "ABCDE"[item.right]:
                # Nothing in the file tells an index from a text; then it is said which was understood.
                assert item.options["ABCDE".index(row["answer"])] == str(ANSWERS[answer](item))
                assert "if they are indices, set index_base" in understood(reading)[0]
                continue
            assert (row["question"], bare(row["options"], item), row["answer"]) == (
                item.question, list(item.options), "ABCDE"[item.right],
            )  # fmt: skip


def bare(options, item):
    """Options as they were meant; a text that itself starts with its letter may have lost it."""
    return [
        meant if read == meant or (meant.endswith(read) and len(options) == len(item.options)) else read
        for read, meant in zip(options, item.options, strict=False)
    ]
