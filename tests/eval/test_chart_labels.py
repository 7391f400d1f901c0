"""Labels that end the renderer's process, or make it fail, are drawn."""

import pytest

from eval.charts import bars, dots, drawable, to_svg


def drawn(label: str) -> str:
    row = {"label": label, "value": 0.5, "low": None, "high": None, "who": "one", "count": 3}
    return to_svg(bars([row], "label", "count", x_title="topic", y_title="questions"), "a", "a plot") + to_svg(
        dots([row], label="label", color="who", title="pass rate"), "b", "a plot"
    )


@pytest.mark.parametrize("length", [1, 8, 9, 10, 11, 30])
def test_a_label_of_emoji_is_drawn_at_any_length(length):
    assert "😀" in drawn("😀" * length)
    assert "😀" in drawn("a" + "😀" * length)


@pytest.mark.parametrize("label", ["a\x0bb", "a\x00b", "a\ud83db"])
def test_a_label_with_a_control_character_or_half_a_character_is_drawn(label):
    assert "a?b" in drawn(label)


def test_shortened_labels_stay_apart_and_others_stay_as_they_are():
    labels = ["sport 🏀 of the world", "sport 🏀 of the city", "a\x0bb", "sport of the whole wide world", "🏀"]
    shown = drawable({"values": labels, "domain": labels})
    assert shown["values"] == shown["domain"] and len(set(shown["values"])) == len(labels)
    assert shown["values"][3:] == labels[3:]
