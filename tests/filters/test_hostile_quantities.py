"""Numbers and times: a wrong one in any dress is never correct, a right one never wrong."""

from __future__ import annotations

from hostile import ABSTENTIONS, DRESSES, TEMPLATES, WRONG_OF_RIGHT, asked, dressed, filled, never
from hypothesis import given, settings
from hypothesis import strategies as st

BOUNDS = TEMPLATES["bounds"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_wrong_number_is_never_correct(data):
    value = data.draw(st.integers(2, 9_000))
    other = data.draw(st.integers(2, 9_000).filter(lambda found: found not in (value, value * 10, value * 12)))
    words = st.one_of(
        filled(BOUNDS, R=value, O=other), filled(WRONG_OF_RIGHT, R=value, O=other), st.sampled_from(ABSTENTIONS)
    )
    never("correct", asked("number", str(value)), data.draw(dressed(words)))


UNIT_PAIRS = [
    ("km/h", "mph"),
    ("°C", "°F"),
    ("m", "km"),
    ("kg", "g"),
    ("m", "ft"),
    ("%", "kg"),
    ("cm", "m"),
    ("l", "ml"),
    ("kg", "lb"),
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_another_unit_sign_or_currency_is_never_correct(data):
    unit, other = data.draw(st.sampled_from(UNIT_PAIRS))
    value = data.draw(st.integers(1, 500).filter(lambda found: (unit, found) != ("°C", 40)))
    never(
        "correct",
        asked("number", f"{value} {unit}"),
        data.draw(dressed(st.sampled_from([f"{value} {other}", f"{value}{other}"]))),
    )
    never("correct", asked("number", f"-{value}"), data.draw(dressed(st.just(str(value)))))
    never(
        "correct",
        asked("number", f"${value}"),
        data.draw(dressed(st.sampled_from([f"€{value}", f"{value} cents", f"{value}%"]))),
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_right_number_is_never_wrong(data):
    value = data.draw(st.integers(0, 99_999))
    forms = [
        str(value),
        f"{value:,}",
        f"{value}.0",
        f"{value} cars",
        f"{value} times",
        f"{value} (that is {value})",
        spelled(value),
        spelled(value).capitalize(),
    ]
    sentences = filled(
        [
            "There are {R}.",
            "I count {R}",
            "A total of {R}",
            "{R} in total",
            "It's {R}",
            "{R}, because each one is counted once",
            "一共{R}个",
            "{R}個",
            "Es sind {R}",
            "Il y en a {R}",
            "Hay {R}",
        ],
        R=value,
    )
    answer = data.draw(
        st.one_of(dressed(st.sampled_from(forms), DRESSES), dressed(sentences, ["{}", "**{}**", " {}", "{}</s>"]))
    )
    never("wrong", asked("number", str(value)), answer)


def spelled(value):
    """English words of a number below 100,000."""
    ones = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen"
    ).split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    if value < 20:
        return ones[value]
    if value < 100:
        return tens[value // 10 - 2] + (f"-{ones[value % 10]}" if value % 10 else "")
    if value < 1000:
        return f"{ones[value // 100]} hundred" + (f" and {spelled(value % 100)}" if value % 100 else "")
    rest = value % 1000
    return f"{spelled(value // 1000)} thousand" + (f"{' and' if rest < 100 else ''} {spelled(rest)}" if rest else "")


TIME_BOUNDS = TEMPLATES["time_bounds"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_wrong_time_is_never_correct(data):
    time_s = data.draw(st.integers(5, 5000))
    other_s = data.draw(st.integers(0, 5000).filter(lambda found: abs(found - time_s) > 2))
    right, other = (
        data.draw(st.sampled_from([clock, seconds_of, minutes_of])),
        data.draw(st.sampled_from([clock, seconds_of])),
    )
    figures = filled(
        [
            "{R} frames",
            "frame {R}",
            "{R} people",
            "{R} km/h",
            "{R}%",
            "{R} times",
            "{R} minutes",
            "{R} hours",
            "{R} ms",
            "video {R}",
            "${R}",
            "{R}th",
            "{R} points",
        ],
        R=time_s,
    )
    words = st.one_of(filled(TIME_BOUNDS, R=right(time_s), O=other(other_s)), figures, st.sampled_from(ABSTENTIONS))
    never("correct", asked("time", str(time_s)), data.draw(dressed(words)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_right_time_is_never_wrong(data):
    time_s = data.draw(st.integers(0, 9000))
    form = data.draw(
        st.sampled_from(
            [
                clock,
                seconds_of,
                minutes_of,
                lambda found: f"{found}",
                lambda found: f"{found}.0 s",
                lambda found: f"{found}秒",
                lambda found: f"{found // 60}分{found % 60}秒",
            ]
        )
    )
    words = filled(
        [
            "{R}",
            "at {R}",
            "At about {R}",
            "around {R}",
            "It happens at {R}",
            "{R} into the video",
            "the {R} mark",
            "{R}, because the light changes",
        ],
        R=form(time_s),
    )
    never(
        "wrong",
        asked("time", str(time_s)),
        data.draw(dressed(words, ["{}", "**{}**", "\\boxed{{{}}}", "Answer: {}", "{}</s>"])),
    )


def clock(time_s):
    return f"{time_s // 60}:{time_s % 60:02d}"


def seconds_of(time_s):
    return f"{time_s} s"


def minutes_of(time_s):
    return f"{time_s // 60} minutes and {time_s % 60} seconds"
