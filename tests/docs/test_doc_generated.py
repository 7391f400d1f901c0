"""The generated pages are what the code gives now, and a stale one is named."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from doc_pages import ROOT

from docs.generate import __main__ as generate
from docs.generate.pages import PAGES


def test_generated_pages_are_up_to_date():
    assert generate.stale_pages(ROOT) == [], "run `make docs`"


def test_a_stale_page_is_named_and_fails_the_check(tmp_path, capsys, monkeypatch):
    for name in PAGES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    page = tmp_path / "docs/reference/settings.md"
    page.write_text(page.read_text().replace("`2048`", "`4096`", 1))
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    assert "docs/reference/settings.md is out of date" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["generate"])
    assert generate.main() == 0
    assert page.read_text() == (ROOT / "docs/reference/settings.md").read_text()


@pytest.mark.slow
def test_the_check_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
