"""What each rule does to the balance: counts that add up, and warnings for shifts that are certain and large."""

import random
from collections import Counter
from itertools import pairwise

import polars as pl
import pytest
from filter_rows import Rows, answer_turn

from filters.balance import TRAITS, Balance, measure, sorted_values
from filters.rules import run_rules
from filters.shifts import LEAST_EFFECT, SIGNIFICANT, against_chance, of_rule
from videozoomer.settings.model import FilterSettings


def measured(rows: Rows, **settings) -> Balance:
    lake = rows.save()
    result = run_rules(lake, FilterSettings(**settings))
    lake.write("verdicts", result.verdicts)
    lake.write("question_stats", result.question_stats)
    return measure(lake)


def of(balance: Balance, kind: str, rule: str, trait: str) -> dict[str, tuple[int, int]]:
    mine = balance.counts.filter(kind=kind, rule=rule, trait=trait)
    return {row["value"]: (row["before"], row["after"]) for row in mine.iter_rows(named=True)}


def test_every_trait_is_counted_before_and_after_each_rule(rows):
    rows.video("v1", duration_s=50.0)
    rows.video("v2", duration_s=700.0)
    rows.question("q1", "v1", "Who wears the red hat?", answer="B", answer_type="choice", options=("a man", "a woman"))
    rows.question("q2", "v2", "谁戴着红色的帽子?", answer="red")
    rows.question("q3", "v2", "Which one is it?", answer="A", answer_type="choice", options=("the red one", "blue"))
    rows.tables["questions"][0]["topic"] = "people"
    say = "<think>I see it in the {} of the film, and it is clear.</think><answer>x</answer>"
    rows.trajectory("t1", "q1", zooms=0, turns=(answer_turn(say.format("start")),))
    rows.trajectory("t2", "q1", verdict="wrong", turns=(answer_turn(say.format("middle")),))
    rows.trajectory(
        "t3", "q2", video_id="v2", turns=(answer_turn("<think>我看到一顶红色的帽子，答案是红色。</think>"),)
    )
    rows.trajectory("t4", "q3", video_id="v2", status="failed", failure="timeout")
    balance = measured(rows, non_zoom_share=1.0)

    assert of(balance, "exemplar", "failed", "type") == {"choice": (3, 2), "text": (1, 1)}
    assert of(balance, "exemplar", "wrong_answer", "type") == {"choice": (2, 1), "text": (1, 1)}
    assert of(balance, "exemplar", "all rules", "letter") == {"A": (1, 0), "B": (2, 1)}
    assert of(balance, "exemplar", "all rules", "duration") == {"under 1 min": (2, 1), "10 to 30 min": (2, 1)}
    assert of(balance, "exemplar", "all rules", "language") == {"English": (2, 1), "Chinese": (1, 1)}
    assert of(balance, "exemplar", "all rules", "topic") == {"people": (2, 1)}
    assert of(balance, "exemplar", "all rules", "film") == {"v1.mp4": (2, 1), "v2.mp4": (2, 1)}
    assert of(balance, "exemplar", "all rules", "pass_rate") == {"50 to 99%": (2, 1), "100%": (1, 1)}
    assert of(balance, "question", "all rules", "longest") == {"the right one": (2, 2)}
    assert of(balance, "question", "all rules", "language") == {"Chinese": (1, 1), "English": (2, 2)}
    assert set(balance.counts["trait"]) == set(TRAITS)


def test_counts_of_the_rules_follow_from_one_another(rows):
    rng = random.Random(1)
    for film in range(6):
        rows.video(f"v{film}", duration_s=rng.choice((30.0, 100.0, 4000.0)))
        for number in range(5):
            question = f"q{film}-{number}"
            rows.question(
                question, f"v{film}", answer=rng.choice("ABC"), answer_type="choice", options=("x", "yy", "zzz")
            )
            for sample in range(3):
                verdict = rng.choice(("correct", "correct", "wrong", "unknown"))
                rows.trajectory(
                    f"t{question}-{sample}", question, video_id=f"v{film}", verdict=verdict, zooms=rng.randrange(3),
                    well_formed=rng.random() < 0.8, sample=sample,
                )  # fmt: skip
    balance = measured(rows, max_trajectories=1)
    outcomes = Counter(rows.lake.read("verdicts").select("outcome")["outcome"])
    for trait in ("letter", "type", "zooms", "duration"):
        steps = balance.counts.filter(kind="exemplar", trait=trait)
        by_rule = steps.filter(~pl.col("rule").is_in(["all rules", "chance"])).group_by("place", maintain_order=True)
        totals = [(part["before"].sum(), part["after"].sum()) for _, part in by_rule]
        assert all(earlier[1] == later[0] for earlier, later in pairwise(totals))
        assert totals[0][0] == 90 and totals[-1][1] == outcomes["kept"]
        whole = steps.filter(rule="all rules")
        assert (whole["before"].sum(), whole["after"].sum()) == (90, outcomes["kept"])
    funnel = run_rules(rows.lake, FilterSettings(max_trajectories=1)).funnel
    for reason, lost in funnel.filter(kind="exemplar", stage="rejected").select("reason", "rows").iter_rows():
        found = of(balance, "exemplar", reason, "letter")
        assert sum(before - after for before, after in found.values()) == lost, reason


def many(rows: Rows, right: str = "ABCD", *, wrong_of: tuple[str, ...] = (), questions: int = 240) -> None:
    """Choices whose right letters follow `right`; every exemplar of those whose letter is in `wrong_of` is wrong."""
    for number in range(questions):
        rows.video(f"v{number}", duration_s=100.0)
        letter = right[number % len(right)]
        rows.question(
            f"q{number}", f"v{number}", answer=letter, answer_type="choice", options=("one", "two", "three", "four")
        )
        for sample in range(2):
            verdict = "wrong" if letter in wrong_of and number % 3 else "correct"
            rows.trajectory(f"t{number}-{sample}", f"q{number}", video_id=f"v{number}", verdict=verdict, sample=sample)


def test_a_rule_that_drops_one_letter_more_often_is_named_with_its_numbers(rows):
    many(rows, wrong_of=("B",))
    shifted = measured(rows).shifts.drop_nulls("warning").filter(trait="letter", kind="exemplar")
    assert set(shifted["rule"]) == {"wrong_answer", "all rules", "chance"}
    warning = shifted.filter(rule="wrong_answer")["warning"][0]
    assert "exemplars, letter: 'B' goes from 25.0% of 480 to 10.0% of 400 by wrong_answer" in warning
    assert "240 questions" in warning and "Cohen's w" in warning and "chi-square" in warning


def test_rules_that_drop_all_letters_alike_and_small_sets_are_no_warning(rows):
    many(rows, wrong_of=("A", "B", "C", "D"))
    assert not measured(rows).shifts.filter(trait="letter").drop_nulls("warning").height
    few = Rows(rows.lake.root / "few")
    many(few, wrong_of=("B",), questions=12)
    assert not measured(few).warnings


def test_letters_that_chance_would_not_give_are_a_warning(rows):
    many(rows, right="ABBB")
    found = {
        row["kind"]: row["warning"] for row in measured(rows).shifts.filter(rule="chance", trait="letter").to_dicts()
    }
    assert "question" in found and all(
        "'B' in 75.0%" in warning and "chance gives 25.0%" in warning for warning in found.values()
    )


def test_a_longest_option_that_is_always_right_is_a_warning(rows):
    for number in range(80):
        rows.video(f"v{number}")
        options = ["one", "two", "six", "ten"]
        options[number % 4] = "a much longer one"
        rows.question(
            f"q{number}", f"v{number}", answer="ABCD"[number % 4], answer_type="choice", options=tuple(options)
        )
        rows.trajectory(f"t{number}", f"q{number}", video_id=f"v{number}")
    warnings = measured(rows).shifts.filter(rule="chance").drop_nulls("warning")
    assert set(warnings["trait"]) == {"longest"} and "'the right one' in 100.0%" in warnings["warning"][0]


@pytest.mark.parametrize("scale", [1, 10, 1000])
def test_an_effect_below_the_floor_is_no_warning_however_many_items_there_are(scale):
    before = {"A": 2500 * scale, "B": 7500 * scale}
    after = {"A": 2100 * scale, "B": 6700 * scale}
    shift = of_rule("exemplar", "rule", "letter", before, after, 10_000 * scale)
    assert shift.effect < LEAST_EFFECT and shift.warning is None
    assert scale < 10 or shift.p_value < SIGNIFICANT


def test_samples_of_one_question_count_as_one():
    before, after = {"A": 400, "B": 400}, {"A": 300, "B": 390}
    alone = of_rule("exemplar", "rule", "letter", before, after, 800)
    clustered = of_rule("exemplar", "rule", "letter", before, after, 100)
    assert alone.warning and clustered.warning is None
    assert clustered.chi_square == pytest.approx(alone.chi_square / 8) and clustered.effect == alone.effect


def test_chi_square_is_scipys_and_with_two_values_the_two_proportion_test():
    from scipy.stats import chi2_contingency

    before, after = {"A": 300, "B": 200, "C": 100}, {"A": 210, "B": 160, "C": 90}
    shift = of_rule("exemplar", "rule", "letter", before, after, 600)
    table = [[after[v] for v in before], [before[v] - after[v] for v in before]]
    expected = chi2_contingency(table, correction=False)
    assert shift.chi_square == pytest.approx(expected.statistic) and shift.p_value == pytest.approx(expected.pvalue)
    assert shift.degrees == 2
    one, other = of_rule("exemplar", "r", "letter", {"A": 300, "B": 200}, {"A": 210, "B": 160}, 500), 0.0
    kept, n = (210 + 160) / 500, (300, 200)
    other = (0.7 - 0.8) ** 2 / (kept * (1 - kept) * (1 / n[0] + 1 / n[1]))
    assert one.chi_square == pytest.approx(other)


def test_false_warnings_by_chance_are_rare():
    rng = random.Random(5)
    warned = 0
    for _ in range(2000):
        before = Counter(rng.choices("ABCD", k=120))
        after = {value: sum(rng.random() < 0.6 for _ in range(rows)) for value, rows in before.items()}
        warned += of_rule("exemplar", "r", "letter", before, after, 120).warning is not None
    assert warned <= 2


def test_rare_values_are_pooled_and_an_empty_result_is_no_test():
    before = {"A": 400, **{f"topic {n}": 2 for n in range(50)}}
    after = {"A": 300, **{f"topic {n}": 0 for n in range(50)}}
    shift = of_rule("exemplar", "rule", "topic", before, after, 500)
    assert shift.degrees == 1 and "'A' goes from 80.0%" in shift.warning
    assert of_rule("exemplar", "rule", "topic", {"A": 4}, {"A": 0}, 4).effect is None
    assert of_rule("exemplar", "rule", "topic", {}, {}, 0).effect is None
    assert against_chance("exemplar", "chance", "letter", {"A": 1.0, "B": 1.0}, {"A": 2, "B": 0}, 2).effect is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the man doing?", "English"),
        ("Is he running?", "English"),
        ("Was macht der Mann mit dem Ball?", "German"),
        ("Que fait le garçon dans la rue ?", "French"),
        ("¿Qué hay en la mesa?", "Spanish"),
        ("Che cosa c'è nella scatola?", "Italian"),
        ("O que está na mesa?", "Portuguese"),
        ("Wat doet het meisje op de fiets?", "Dutch"),
        ("男人在做什么?", "Chinese"),
        ("男の人は何をしていますか", "Japanese"),
        ("남자는 무엇을 하고 있습니까?", "Korean"),
        ("Что делает мужчина?", "Cyrillic"),
        ("ماذا يفعل الرجل؟", "Arabic"),
        ("Where is the sign 出口 shown?", "English"),
    ],
)
def test_the_language_of_a_question(rows, text, language):
    rows.video()
    rows.question(text=text)
    assert of(measured(rows), "question", "all rules", "language") == {language: (1, 1)}


def test_values_are_listed_as_a_person_would():
    counts = pl.DataFrame({"value": ["1 h and more", "1 to 3 min", "10 to 30 min", "under 1 min"]})
    listed = sorted_values("duration", counts)["value"].to_list()
    assert listed == ["under 1 min", "1 to 3 min", "10 to 30 min", "1 h and more"]
    assert sorted_values("topic", counts.clear()).height == 0


def test_a_home_without_questions_has_an_empty_balance(rows):
    balance = measure(rows.save())
    assert balance.counts.height == balance.shifts.height == 0
