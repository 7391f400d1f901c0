import io

import numpy as np
import pytest
from PIL import Image

from eval.figures import contact_sheet, curves_png, loss_curve_png

METRICS = [{"step": n, "loss": 3.0 - 0.05 * n} for n in range(30)] + [{"step": 30, "validation_loss": 1.4}]


def jpeg(colour: str, size: tuple[int, int] = (64, 36)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


def test_contact_sheet_shows_every_frame_in_order_with_its_time():
    colours = ["red", "lime", "blue", "white", "black"]
    sheet = Image.open(io.BytesIO(contact_sheet([(n * 2.0, jpeg(c)) for n, c in enumerate(colours)], 3, width=100)))
    assert sheet.format == "JPEG" and sheet.size == (3 * 104 + 4, 2 * (56 + 4) + 4)
    for n, colour in enumerate(colours):
        left, top = 4 + n % 3 * 104, 4 + n // 3 * 60
        expected = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
        assert np.allclose(sheet.getpixel((left + 85, top + 45)), expected, atol=12), "the frame itself"
        label = np.asarray(sheet.crop((left, top, left + 60, top + 22)).convert("L"))
        assert label.min() < 60 and label.max() > 180, "its time: light letters on a dark background"


def test_contact_sheet_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="0 frames"):
        contact_sheet([], 4)


def test_loss_curve_is_a_png_and_needs_a_loss():
    assert Image.open(io.BytesIO(loss_curve_png(METRICS))).format == "PNG"
    with pytest.raises(ValueError, match="none of the 1 rows"):
        loss_curve_png(METRICS[-1:])


def test_curves_are_drawn_only_for_metrics_with_values():
    rounds = [{"step": n, "reward": 0.1 * n, "accuracy": None, "hit_rate": None if n < 2 else 0.5} for n in range(1, 5)]
    one, two = (
        Image.open(io.BytesIO(curves_png(rounds, names))) for names in (["reward"], ["reward", "hit_rate", "accuracy"])
    )
    assert one.format == "PNG" and one.width < two.width < 2.5 * one.width, "a second plot, and no third"
    with pytest.raises(ValueError, match="accuracy"):
        curves_png(rounds, ["accuracy"])
