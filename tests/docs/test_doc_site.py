"""The site builds without a warning and asks nobody for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from doc_pages import ROOT

_LOADED = re.compile(r"<(?:script|img|iframe|source)[^>]*\bsrc=[\"']([^\"']+)|<link[^>]*\bhref=[\"']([^\"']+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site. Network access of the build is cut off by an unreachable proxy."""
    target = tmp_path_factory.mktemp("site")
    environment = os.environ | {
        "NO_MKDOCS_2_WARNING": "1",
        **{name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")},
    }
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(target)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere(site):
    loaded = {
        (page.relative_to(site).as_posix(), address)
        for page in site.rglob("*.html")
        for found in _LOADED.findall(page.read_text(encoding="utf-8"))
        for address in found
        if re.match(r"(?:https?:)?//", address)
    }
    assert loaded == set()


@pytest.mark.slow
def test_no_page_has_a_mermaid_diagram_which_the_theme_would_fetch(site):
    assert not [page for page in site.rglob("*.html") if 'class="mermaid"' in page.read_text(encoding="utf-8")]


@pytest.mark.slow
def test_the_python_api_has_its_docstrings(site):
    page = (site / "reference/api/video.html").read_text(encoding="utf-8")
    assert "ReaderPool" in page and "frames_at" in page


@pytest.mark.slow
def test_python_sources_of_the_generator_are_not_published(site):
    assert not list(site.rglob("*.py"))
