"""A policy that is rewarded by the graders looks for their holes. Wrong answers in every dress are never correct, right
ones in every dress never wrong.

A denial or a bound of the *right* answer is not `correct` either.
"""

from __future__ import annotations

import pytest
from hostile import ABSTENTIONS, DRESSES, PLAIN_DRESSES, TEMPLATES, WRONG_OF_RIGHT, asked, dressed, filled, never
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.grading import grade

OPTION_SETS = [
    ("a red van", "a blue boat", "a green tram", "a white plane"),
    ("3 dogs", "4 dogs", "5 dogs", "8 dogs"),
    ("He opens the box", "He closes the lid", "She feeds the bird", "They dance"),
    ("left", "right", "up", "down"),
    ("Paris", "Rome", "Oslo", "None of the above"),
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_wrong_choice_is_never_correct(data):
    options = data.draw(st.sampled_from(OPTION_SETS))
    right, other = data.draw(st.permutations(range(4)))[:2]
    letters = "ABCD"
    question = asked("choice", letters[right], options)
    names = [
        letters[right],
        f"({letters[right]})",
        f"option {letters[right]}",
        f"{letters[right]}. {options[right]}",
        options[right],
    ]
    others = [
        letters[other],
        f"({letters[other]})",
        f"option {letters[other]}",
        f"{letters[other]}. {options[other]}",
        options[other],
    ]
    mixed = [
        f"{letters[right]}. {options[other]}",
        f"({letters[right]}) {options[other]}",
        f"{letters[right]}: {options[other]}",
        f"{letters[other]}. {options[right]}",
        f"{letters[right]} - {options[other]}",
        "A B C D",
        "ABCD",
        "A, B, C, D",
        "all of them",
        "E",
        "Z) " + options[right],
    ]
    hostile = filled(WRONG_OF_RIGHT, R=data.draw(st.sampled_from(names)), O=data.draw(st.sampled_from(others)))
    answer = data.draw(dressed(st.one_of(hostile, st.sampled_from(mixed), st.sampled_from(ABSTENTIONS))))
    never("correct", question, answer)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_right_choice_is_never_wrong(data):
    options = data.draw(st.sampled_from(OPTION_SETS))
    right = data.draw(st.integers(0, 3))
    letter, text = "ABCD"[right], options[right]
    plain = st.sampled_from(
        [
            letter,
            f"({letter})",
            f"{letter}.",
            f"option {letter}",
            f"{letter}. {text}",
            f"({letter}) {text}",
            f"{letter}: {text}",
            text,
        ]
    )
    sentences = filled(
        [
            "{L} is correct",
            "I choose {L}",
            "It's {L}",
            "{L}, because the frames show it",
            "{L}. The zoom shows it at 12 s.",
            "{L}\n\nExplanation: it is seen twice.",
            "I would say {L}",
            "{L} is the right option",
            "After zooming in, I am sure that the answer is {L}.",
            "{L} 是正确的",
            "我选{L}",
            "{L}です",
            "{L}입니다",
            "Ich wähle {L}",
        ],
        L=letter,
    )
    answer = data.draw(st.one_of(dressed(plain, DRESSES), dressed(sentences, ["{}", "{}", " {} ", "**{}**", "{}</s>"])))
    never("wrong", asked("choice", letter, options), answer)


AGAINST_YES = TEMPLATES["against_yes"]
AGAINST_NO = TEMPLATES["against_no"]


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(["he", "she", "it", "the man"]))
def test_the_opposite_of_yes_or_no_is_never_correct(data, subject):
    against_yes = st.one_of(filled(AGAINST_YES, s=subject), st.sampled_from(ABSTENTIONS))
    never("correct", asked("yes_no", "yes"), data.draw(dressed(against_yes)))
    against_no = st.one_of(filled(AGAINST_NO, s=subject), st.sampled_from(ABSTENTIONS))
    never("correct", asked("yes_no", "no"), data.draw(dressed(against_no)))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(["he", "she", "it", "the man"]))
def test_a_right_yes_or_no_is_never_wrong(data, subject):
    yes = filled(
        [
            "yes",
            "Yes.",
            "Yes, {s} does",
            "yes, {s} does it at 12 s",
            "true",
            "correct",
            "{s} does",
            "是的",
            "はい",
            "네",
            "oui",
            "ja",
            "sí",
            "да",
        ],
        s=subject,
    )
    no = filled(
        [
            "no",
            "No.",
            "No, {s} does not",
            "no, {s} never does",
            "false",
            "incorrect",
            "{s} does not",
            "不是",
            "いいえ",
            "아니요",
            "non",
            "nein",
            "нет",
        ],
        s=subject,
    )
    never("wrong", asked("yes_no", "yes"), data.draw(dressed(yes, DRESSES)))
    never("wrong", asked("yes_no", "no"), data.draw(dressed(no, DRESSES)))


ITEMS = ["run", "a red jump", "swim", "old dog", "green cat", "sit", "the big door"]
JOINS = [", ", "; ", " -> ", "→", " > ", "\n", " | ", ", then ", " before ", "、", "，"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_another_order_is_never_correct_and_the_right_one_never_wrong(data):
    items = data.draw(st.permutations(ITEMS))[: data.draw(st.integers(3, 5))]
    question = asked("order", ", ".join(items), tuple(sorted(items)) if data.draw(st.booleans()) else ())
    join = data.draw(st.sampled_from(JOINS))
    other = data.draw(st.permutations(items).filter(lambda found: found != items))
    right = join.join(items)
    numbered = " ".join(f"{at}. {item}" for at, item in enumerate(items, start=1))
    never(
        "wrong",
        question,
        data.draw(dressed(st.sampled_from([right, numbered, f"First {', then '.join(items)}"]), PLAIN_DRESSES)),
    )
    hostile = [
        join.join(other),
        f"not {right}",
        f"{right} is wrong",
        f"{right}, or the other way round",
        f"{right}? no",
        join.join(items[:-1]),
        join.join([*items, items[0]]),
        f"{right} in reverse",
        join.join([items[0], *items]),
        " after ".join(items),
        f"{right} or {join.join(other)}",
        " or ".join(items),
        f"{items[1]} first, {right}",
    ]
    never("correct", question, data.draw(dressed(st.one_of(st.sampled_from(hostile), st.sampled_from(ABSTENTIONS)))))


PHRASES = [
    "green",
    "the old bridge",
    "a wooden spoon",
    "left hand",
    "two red cups",
    "New York",
    "opens the gate",
    "James",
    "glasses",
    "under the table",
    "C++",
    "-7",
    "12:30",
    "with a dog",
    "3-2",
    "the man in the hat",
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_another_text_is_never_correct_and_the_right_one_never_wrong(data):
    right, other = data.draw(st.permutations(PHRASES))[:2]
    hostile = [
        f"not {right}",
        f"{right} or {other}",
        f"{other}",
        f"{right} and {other}",
        f"{right}, no, {other}",
        f"anything but {right}",
        f"without {right}",
        f"maybe {right}",
        f"{right} is wrong",
        f"{other}, not {right}",
        f"the opposite of {right}",
        f"un{right}",
        f"{right} {right}",
        f"almost {right}",
        "I don't know",
        "",
        f"{right}?? {other}",
    ]
    never("correct", asked("text", right), data.draw(dressed(st.sampled_from(hostile))))
    never(
        "wrong",
        asked("text", right),
        data.draw(dressed(st.sampled_from([right, right.lower(), right.upper(), f"It is {right}", f"{right}."]))),
    )


@pytest.mark.parametrize("kind", ["choice", "number", "time", "yes_no", "order", "text"])
@settings(max_examples=150, deadline=None)
@given(answer=st.text(max_size=200))
def test_no_text_at_all_makes_a_grader_fail(kind, answer):
    truth = {"choice": "B", "number": "7", "time": "12.5", "yes_no": "no", "order": "red, blue", "text": "a red disc"}
    options = ("red", "blue") if kind in ("choice", "order") else ()
    assert grade(asked(kind, truth[kind], options), answer).verdict in ("correct", "wrong", "unknown")
