"""The prompt texts are complete and never reveal the answer to a player."""

import pytest

from videozoomer.protocol import load_prompts


def test_an_unknown_version_lists_the_known_ones():
    with pytest.raises(FileNotFoundError, match=r"'v99'.*v1"):
        load_prompts("v99")


def test_openings_differ_from_the_first_word_on_or_soon_after():
    openings = load_prompts("v1").openings
    assert len({opening.lower() for opening in openings}) == len(openings) >= 5


def test_only_the_judge_sees_the_answer():
    prompts = load_prompts("v1")
    for name in ("system", "question", "no_zoom", "go_on", "last_round", "fault", "reflect"):
        assert "{expected}" not in getattr(prompts, name) and "{answer}" not in getattr(prompts, name), name
    assert "{expected}" in prompts.judge and "{given}" in prompts.judge
