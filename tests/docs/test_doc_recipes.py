"""Every piece of a recipe in the written pages is valid, and every setting that they name exists."""

from __future__ import annotations

import re

import pytest
import yaml
from doc_pages import GENERATED, PAGES, blocks, name_of, spans

from docs.generate.settings import setting_names
from videozoomer.settings import Recipe

BASE = {
    "name": "docs",
    "home": "runs/docs",
    "sources": [{"name": "films", "videos": "films/", "questions": "films.jsonl"}],
    "teacher": {"base_url": "http://127.0.0.1:8000/v1"},
    "policy": {"tiny": {}},
}
SECTIONS = tuple(Recipe.model_fields)
WRITTEN = [page for page in PAGES if not name_of(page).startswith(GENERATED)]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_yaml_blocks_are_pieces_of_a_recipe(page):
    for block in blocks(page):
        if block.language == "yaml":
            Recipe.model_validate(BASE | yaml.safe_load(block.text))


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_settings_that_are_named_exist(page):
    known = setting_names()
    dotted = re.compile(rf"(?:{'|'.join(SECTIONS)})\.[a-z_.]+")
    named = {span.split(":")[0] for span in spans(page) if dotted.fullmatch(span.split(":")[0])}
    wrong = {name for name in named if name not in known and not _is_module(name)}
    assert wrong == set(), f"{name_of(page)} names settings that do not exist"


def _is_module(name: str) -> bool:
    from test_doc_paths import path_exists

    return path_exists(name)
