"""The same question asked again is found in any dress; other questions of the same author are not."""

import json
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from filters.contamination import find_leaks
from filters.question_leaks.boilerplate import strip
from filters.question_leaks.candidates import candidates
from filters.question_leaks.content import content_id, pair_id
from filters.question_leaks.corpus import build
from filters.question_leaks.table import find_pairs
from filters.question_leaks.tokens import tokenise
from videozoomer.reviews.current import pair_decisions
from videozoomer.reviews.journal import Journal
from videozoomer.settings.model import FilterSettings
from videozoomer.sources.files import SourceError


@dataclass(frozen=True)
class Asked:
    question: str
    options: tuple[str, ...]
    answer: str
    """The answer's text."""
    film: str = "f"


NOUNS = (
    "harbour lantern accordion glacier turbine beehive telescope saddle quarry windmill orchard cathedral "
    "submarine bakery violin scarecrow locomotive greenhouse chandelier hammock drawbridge carousel typewriter "
    "lighthouse tractor anvil canoe sundial trampoline fireplace"
).split()
PLACES = (
    "garage attic valley museum courtyard stadium canyon library workshop meadow ferry tunnel market balcony cellar "
    "chapel desert kitchen rooftop swamp"
).split()
DEEDS = (
    "repairs paints measures carries polishes photographs dismantles inspects decorates lifts sketches weighs washes "
    "hides auctions"
).split()


def corpus(count: int = 240) -> list[Asked]:
    """Questions of one author: alike in form, each about something else."""
    rng = np.random.default_rng(5)
    asked = []
    for number in range(count):
        noun, other, third, fourth = rng.choice(NOUNS, 4, replace=False)
        place, deed, before = rng.choice(PLACES), rng.choice(DEEDS), rng.choice(DEEDS)
        options = (f"the {noun} near the {place}", f"a rusty {other}", f"an old {third}", f"the {fourth} of {place}")
        question = (
            f"Which object does the visitor who {before} the {fourth} with the {third} in the {place} {deed} before "
            f"the {other} arrives in scene {number}?"
        )
        asked.append(Asked(question, options, options[number % 4], f"film-{number}"))
    return asked


SYNONYMS = {"object": "thing", "visitor": "guest", "before": "ahead of", "arrives": "appears", "which": "what"}


def reworded(question: str) -> str:
    words = question.replace("?", "").split()
    return " ".join(SYNONYMS.get(word.lower(), word) for word in words)


VARIANTS = {
    "verbatim": lambda one: one,
    "recased": lambda one: replace(
        one, question=one.question.upper(), options=tuple(map(str.title, one.options)), answer=one.answer.lower()
    ),
    "prefixed": lambda one: replace(one, question=f"In this clip, {one.question[0].lower()}{one.question[1:]}"),
    "suffixed": lambda one: replace(one, question=f"{one.question} Please answer."),
    "both": lambda one: replace(one, question=f"Watch the clip: {one.question} Answer with the letter only."),
    "relettered": lambda one: replace(one, options=one.options[::-1]),
    "reworded": lambda one: replace(one, question=reworded(one.question), options=one.options[2:] + one.options[:2]),
    "cut": lambda one: replace(one, question=" ".join(one.question.split()[:18])),
}


def frame(asked: list[Asked], prefix: str = "q") -> pl.DataFrame:
    rows = [
        {
            "question_id": f"{prefix}{number:05d}", "source": "s", "question": one.question,
            "options": list(one.options), "answer": one.answer, "video_id": one.film,
        }
        for number, one in enumerate(asked)
    ]  # fmt: skip
    schema = {
        "question_id": pl.String, "source": pl.String, "question": pl.String, "options": pl.List(pl.String),
        "answer": pl.String, "video_id": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def statuses(train: list[Asked], evaluation: list[Asked], **others) -> dict[str, str]:
    """The status of each training question's first pair; `t00000` is the first one."""
    found = find_pairs(frame(train, "t"), frame(evaluation, "e"), **others)
    order = {"confirmed": 0, "verdict": 1, "listed": 2, "refused": 3}
    best: dict[str, str] = {}
    for train_id, status in found.select("train_id", "status").iter_rows():
        if order[status] < order.get(best.get(train_id, ""), 9):
            best[train_id] = status
    return best


@pytest.mark.parametrize("name", VARIANTS)
def test_a_question_asked_again_on_another_film_is_found_in_any_dress(name):
    asked = corpus()
    evaluation, own = asked[:120], asked[120:]
    again = [VARIANTS[name](replace(one, film="other")) for one in evaluation[:40]]
    found = statuses([*again, *own], evaluation)
    assert {f"t{number:05d}" for number in range(40)} == {key for key, status in found.items() if status == "verdict"}


def test_one_prefixed_question_among_many_plain_ones_is_found_by_its_options():
    asked = corpus()
    again = replace(asked[3], question=f"Hello there, dear player, {asked[3].question}", film="other")
    assert statuses([again, *asked[120:]], asked[:120]) == {"t00000": "verdict"}


def test_another_answer_is_another_question():
    asked = corpus()
    again = [replace(one, answer=one.options[(number + 1) % 4]) for number, one in enumerate(asked[:40])]
    assert statuses([*again, *asked[120:]], asked[:120]) == {}


CHINESE = [
    Asked(
        f"视频中{who}在{where}把{what}放到了哪里？",
        (f"{what}架子", f"{where}的桌上", "书包里", f"{who}的手里"),
        "书包里",
    )
    for who in ("老师", "小男孩", "厨师", "司机", "护士")
    for where in ("教室", "厨房", "车站", "花园", "医院")
    for what in ("红色雨伞", "玻璃杯", "旧照片", "木头盒子")
]


def test_languages_without_spaces_are_compared_by_their_characters():
    again = [replace(one, question=f"请看片段，{one.question.rstrip('？')}", film="other") for one in CHINESE[:6]]
    found = statuses([*again, *CHINESE[50:]], CHINESE[:50])
    assert [key for key, status in found.items() if status == "verdict"] == [f"t{number:05d}" for number in range(6)]


def test_words_are_normalised_the_same_way_in_every_script():
    def said(text: str) -> list[str]:
        return tokenise([text]).of(0)

    assert said("The Two RED hats") == said("two red hat") == ["2", "red", "hat"]
    assert said("Что делает МУЖЧИНА?") == said("что делает мужчина")
    assert said("ｈａｔ café") == said("HAT cafe\u0301")
    assert said("红色雨伞") == ["红色", "色雨", "雨伞"]
    assert said("C++") != said("C") and said("25 °C") != said("25 °F") and said("1.5") != said("15")
    assert said("") == [""] and said("?!") != said("...")
    assert said("the") == ["the"], "a text of articles alone keeps them"


def test_templates_are_listed_and_no_verdict():
    """'What is the man doing?' is asked about many films; that it is asked again proves nothing."""
    menu = ("walking", "running", "sitting", "cooking")
    evaluation = [Asked("What is the man doing?", menu, menu[number % 4], f"e{number}") for number in range(8)]
    train = [Asked("What is the man doing?", menu, menu[number % 4], f"t{number}") for number in range(8)]
    assert set(statuses(train, evaluation + corpus(40)).values()) == {"listed"}
    alone = [Asked("Is a dog seen?", (), "yes" if number % 2 else "no", f"t{number}") for number in range(8)]
    found = statuses(alone, [Asked("Is a dog seen?", (), "yes", "e"), *corpus(40)])
    assert set(found.values()) == {"listed"}, "many training films are asked with either answer"


def test_a_copied_question_with_one_mislabelled_copy_is_still_a_leak():
    asked = corpus()
    wrong = replace(asked[0], answer=asked[0].options[1])
    found = statuses([asked[0], asked[0], wrong, *asked[120:]], asked[:120])
    assert found == {"t00000": "verdict", "t00001": "verdict"}


def test_menus_of_options_are_no_evidence():
    """Everyone offers the same colours; half of the words and one answer are then a chance."""
    colours = ("red", "blue", "green", "black")
    nouns = NOUNS[:20]
    evaluation = [
        Asked(f"What colour is the {noun} at the end of the video?", colours, colours[number % 4], noun)
        for number, noun in enumerate(nouns)
    ]
    train = [replace(one, question=one.question.replace(noun, f"{noun}s in the {PLACES[number]}"))
             for number, (one, noun) in enumerate(zip(evaluation, nouns, strict=True))]  # fmt: skip
    assert "verdict" not in statuses(train, [*evaluation, *corpus(100)]).values()


def test_the_same_menu_with_common_words_is_no_evidence_though_its_options_are_rare():
    """Options that are offered with other answers elsewhere are a menu, however rare each is."""
    menu = ("a basalt column", "a brass kettle", "a velvet curtain", "a clay oven")
    evaluation = [
        Asked(f"Which thing is next to the {noun} in the {PLACES[n]}?", menu, menu[n % 4], noun)
        for n, noun in enumerate(NOUNS[:4])
    ]
    train = [
        Asked(f"Which thing is next to the {NOUNS[n]} of the {DEEDS[n]} crowd?", menu, menu[n % 4]) for n in range(4)
    ]
    assert "verdict" not in statuses(train, [*evaluation, *corpus(200)]).values()
    assert statuses(train[:1], [evaluation[0], *corpus(200)]) == {"t00000": "verdict"}


def test_a_phrase_after_another_phrase_is_boilerplate_too():
    """Once it is taken off the others, too few are left to find it again."""
    plain = corpus(60)
    asked = [replace(one, question=f"As shown here, {one.question}") if n < 6 else one for n, one in enumerate(plain)]
    again = [replace(one, question=f"In this clip, {one.question}") for one in [*asked[:2], *asked[10:20]]]
    texts = [one.question for one in [*asked, *again]]
    stripped = strip(tokenise(texts)).tokens
    assert [stripped.of(number) for number in (60, 61)] == [tokenise([one.question]).of(0) for one in plain[:2]]


def test_yes_no_numbers_and_letters_weigh_nothing():
    for options in (("Yes", "No"), ("1", "2", "3", "4"), ("A", "B", "C", "All of the above"), ("True", "False")):
        evaluation = [Asked(f"Does the {noun} appear in the {PLACES[n % 20]}?", options, options[n % 2], noun)
                      for n, noun in enumerate(NOUNS)]  # fmt: skip
        train = [Asked(f"Is the {PLACES[n % 20]} shown with a {noun} that someone {DEEDS[n % 15]}?", options,
                       options[n % 2], f"t{n}") for n, noun in enumerate(NOUNS)]  # fmt: skip
        assert "verdict" not in statuses(train, evaluation).values(), options


def test_an_open_question_that_was_a_multiple_choice_is_found():
    asked = corpus()
    again = [replace(one, options=()) for one in asked[:20]]
    found = statuses([*again, *asked[120:]], asked[:120])
    assert {key: "verdict" for key in [f"t{number:05d}" for number in range(20)]} == found


def test_film_evidence_makes_a_verdict_of_what_is_only_listed():
    asked = corpus()
    short = replace(asked[0], question="visitor scene 0 object", options=(), film="copy")
    evaluation = asked[:120]
    assert statuses([short, *asked[120:]], evaluation)["t00000"] == "listed"
    films = [("copy", "film-0")]
    assert statuses([short, *asked[120:]], evaluation, films=films)["t00000"] == "verdict"
    assert statuses([short, *asked[120:]], evaluation, films=[("copy", "film-1")])["t00000"] == "listed"


def test_a_persons_decision_stays_with_the_pair():
    asked = corpus()
    listed = replace(asked[0], question="visitor scene 0 object", options=(), film="other")
    copied = replace(asked[1], film="other")
    pairs = find_pairs(frame([listed, copied, *asked[120:]], "t"), frame(asked[:120], "e"))
    by_question = {row["train_id"]: row for row in pairs.iter_rows(named=True) if row["train_id"] < "t00002"}
    assert [by_question[key]["status"] for key in ("t00000", "t00001")] == ["listed", "verdict"]
    decisions = {by_question["t00000"]["pair_id"]: "confirm", by_question["t00001"]["pair_id"]: "refuse"}
    # Other ids, other films, another order of the options and other neighbours: the decisions hold.
    relettered = replace(copied, options=copied.options[::-1], film="third")
    found = statuses([relettered, listed, *asked[150:]], asked[:100], decisions=decisions)
    assert found == {"t00000": "refused", "t00001": "confirmed"}


def test_a_review_settles_a_pair(rows):
    rows.video("v1")
    rows.video("v2")
    rows.question("t", "v1", "Which instrument leans against the blue door?", answer="a lute")
    rows.question("e", "v2", "Which instrument leans against the blue door?", answer="a lute", split="evaluation")
    lake = rows.save()
    found = find_leaks(lake, FilterSettings())
    lake.write("question_leaks", found.questions)
    (pair,) = found.questions["pair_id"]
    journal = Journal(lake)
    for decision, status, dropped in (("no_leak", "refused", []), ("leak", "confirmed", ["t"])):
        journal.decide("ann", "pair", pair, decision, None, None)
        found = find_leaks(lake, FilterSettings(), pair_decisions(lake))
        assert found.questions["status"].to_list() == [status]
        assert found.leaks["train_id"].to_list() == dropped


def test_ids_of_contents():
    one = content_id("What?", ["a", "b"], "a")
    assert one == content_id("What?", ["b", "a"], "a") and len(one) == 16
    assert len({one, content_id("what?", ["a", "b"], "a"), content_id("What?", ["a", "b"], "b")}) == 3
    assert pair_id("x", "y") != pair_id("y", "x")


def test_every_pair_that_shares_enough_words_is_a_candidate():
    """The joins against a comparison of all pairs with all."""
    asked = corpus(160)
    rng = np.random.default_rng(2)
    cut = [replace(one, question=" ".join(np.array(one.question.split())[rng.random(len(one.question.split())) < 0.8]))
           for one in asked[:80]]  # fmt: skip
    built = build(frame(cut), frame(asked))
    train, evaluation = built.train, built.evaluation
    held = (evaluation.words > 0).astype(float)
    shared = (train.words @ held.T).toarray()
    lighter = np.minimum(train.words.sum(axis=1)[:, None], evaluation.words.sum(axis=1)[None, :])
    alike = (shared >= 0.7 * lighter) & (train.answer[:, None] == evaluation.answer[None, :])
    expected = set(zip(*(axis.tolist() for axis in np.nonzero(alike)), strict=True))
    found = set(zip(*(axis.tolist() for axis in candidates(train, evaluation, 0.7)), strict=True))
    assert len(expected) >= 80 and expected <= found


def test_the_evidence_is_in_the_row():
    asked = corpus()
    (row,) = find_pairs(frame([VARIANTS["reworded"](asked[7])], "t"), frame(asked[:120], "e")).iter_rows(named=True)
    assert (row["evaluation_id"], row["rule"], row["shared_options"], row["template"]) == (
        "e00007",
        "options",
        4,
        False,
    )
    assert {"scene", "7"} <= set(row["shared_words"]) and "object" not in row["shared_words"]
    assert 0.5 <= row["score"] < 1


@pytest.mark.parametrize("train, evaluation", [([], []), (corpus(3), []), ([], corpus(3))])
def test_an_empty_side_has_no_pairs(train, evaluation):
    assert statuses(train, evaluation) == {}


def test_a_further_evaluation_set_is_a_plain_file_in_any_layout(rows, tmp_path):
    rows.video("v1")
    rows.question("t", "v1", "Which instrument leans against the blue door?", answer="B", options=("a lute", "a cello"))
    file = tmp_path / "bench.json"
    nested = [{
        "video_id": "x", "video_path": "x.mp4", "conversations": [
            {"question": "Which instrument leans against the blue door?", "choices": ["a cello", "a lute"],
             "answer": "a cello"},
            {"question": "", "choices": ["a", "b"], "answer": "a"},
        ],
    }]  # fmt: skip
    file.write_text(json.dumps(nested))
    lake = rows.save()
    found = find_leaks(lake, FilterSettings(evaluation_questions=(str(file),)))
    (leak,) = found.leaks.iter_rows(named=True)
    assert (leak["kind"], leak["train_id"]) == ("question_text", "t")
    assert leak["evaluation_id"].startswith(f"{file}#")
    assert found.questions["evaluation_set"].to_list() == [str(file)]
    with pytest.raises(SourceError, match="absent"):
        find_leaks(lake, FilterSettings(evaluation_questions=(str(tmp_path / "absent.json"),)))
