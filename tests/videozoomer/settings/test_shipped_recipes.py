from pathlib import Path

import pytest

from videozoomer.settings import load_recipe

FOLDER = Path(__file__).resolve().parents[3] / "recipes"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_loads(path):
    assert load_recipe(path).name == path.stem


def test_the_7b_recipe_has_the_papers_numbers():
    recipe = load_recipe(FOLDER / "videozoomer-7b.yaml")
    sft = recipe.sft
    assert (sft.learning_rate, sft.warmup_share, sft.epochs, sft.max_tokens, sft.zero_stage) == (
        5e-6,
        0.1,
        1.0,
        32_768,
        3,
    )
    assert recipe.policy.freeze_vision and recipe.teacher.temperature == 1.0
    protocol = recipe.protocol
    assert (protocol.overview_fps, protocol.overview_frames, protocol.zoom_frames, protocol.max_zooms) == (
        0.5,
        64,
        16,
        4,
    )
    assert (protocol.min_pixels, protocol.max_pixels) == (25_088, 100_352)
