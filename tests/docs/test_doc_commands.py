"""Every command in the written pages exists and accepts its arguments; every shell block says whether it is run."""

from __future__ import annotations

import pytest
from doc_commands import DocCommandError, check
from doc_pages import GENERATED, PAGES, SHELL, blocks, commands, name_of, spans

MARKS = ("run: ", "run in background: ", "not run: ")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_blocks_parse(page):
    for block in blocks(page):
        if block.language in SHELL:
            for words in commands(block.text):
                try:
                    check(words)
                except DocCommandError as error:
                    pytest.fail(f"{block.where}: {' '.join(words)}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_sentences_exist(page):
    for span in spans(page):
        if span.startswith(("videozoomer ", "make ", "python -m ", "torchrun ", "deepspeed ")):
            for words in commands(span.split(" | ")[0]):
                try:
                    check(words, complete=False)
                except DocCommandError as error:
                    pytest.fail(f"{name_of(page)}: `{span}`: {error}")


def test_every_shell_block_is_run_or_says_why_not():
    unmarked = [
        block.where
        for page in PAGES
        for block in blocks(page)
        if block.language in SHELL and not block.mark.startswith(MARKS) and not name_of(page).startswith(GENERATED)
    ]
    assert unmarked == []


def test_blocks_without_a_language_do_not_hide_commands():
    hidden = [
        block.where
        for page in PAGES
        for block in blocks(page)
        if not block.language and any(line.startswith(("videozoomer ", "make ")) for line in block.text.splitlines())
    ]
    assert hidden == []


@pytest.mark.parametrize(
    "words",
    [
        ["videozoomer", "rnu"],
        ["videozoomer", "run", "--recipe", "my.yaml", "--dry"],
        ["videozoomer", "video", "clip", "film.mp4", "one", "two", "-o", "scene.mp4"],
        ["make", "nothing"],
        ["python", "-m", "train.nothing"],
        ["python", "-m", "train.sft", "--shards", "S"],
        ["python", "-m", "benchmarks.distill", "thruput"],
        ["torchrun", "--nproc_per_node", "8", "-m", "train.sft", "--shard", "S"],
        ["videozoom", "run"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_noticed(words):
    with pytest.raises(DocCommandError):
        check(words)
