"""`videozoomer view` in headless Chromium: open, filter, look at a frame, review by keyboard, reload; axe's checks."""

import os
import re
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from lake_fixture import write_lake
from playwright.sync_api import expect, sync_playwright

sys.path.append(str(Path(__file__).parents[1] / "eval" / "viewer"))
from live_server import serving

from eval.viewer.live.index import Index, Live
from eval.viewer.live.pictures import Pictures
from eval.viewer.live.reviewing import Book, draw
from eval.viewer.live.server import Shown
from videozoomer.lake.lake import Lake
from videozoomer.reviews import applying

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def chromium():
    assert CHROMIUM, "there is no chromium; install it (apt-get install chromium) or set CHROMIUM to its path"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Lake:
    return write_lake(tmp_path_factory.mktemp("world"), width=160).lake


@pytest.fixture
def lake(finished, tmp_path) -> Lake:
    shutil.copytree(finished.root, tmp_path / "tables")
    return Lake(tmp_path / "tables")


def shown(lake: Lake, sample: list[str] | None = None, blind: bool = False) -> Shown:
    book = Book(lake, "ann", blind)
    live = Live(lake, opened=lambda one: Index(one, sample), look_s=0.2, changed=book.changed)
    return Shown(live, Pictures(), "a run", book=book)


@pytest.fixture
def opened(chromium, lake):
    """The page, and everything that went wrong in it."""
    with serving(shown(lake)) as server:
        page = chromium.new_page(viewport={"width": 1300, "height": 900})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        token = server.address
        server.cookie = ""
        page.goto(token)
        page.locator("#list a").first.wait_for()
        yield page
        page.close()
        assert not wrong


def test_open_filter_look_and_come_back(opened, lake):
    page = opened
    assert "token" not in page.url
    total = lake.read("trajectories").height
    expect(page.locator("#count")).to_have_text(f"{total} trajectories")
    page.locator("#selects label", has_text="kind").locator("select").first.select_option("reflection")
    reflections = lake.read("trajectories").filter(pl.col("kind") == "reflection").height
    expect(page.locator("#count")).to_have_text(f"{reflections} of {total} trajectories")
    page.keyboard.press("Escape")
    page.locator("#search").fill("harbour")
    expect(page).to_have_url(re.compile("q=harbour"))
    page.locator("#list a").first.click()
    expect(page.locator("main h2")).to_contain_text("harbour")
    expect(page.locator(".lanes tbody tr")).to_have_count(6)
    before = page.url
    page.locator(".lanes a", has_text="student 0").first.click()
    expect(page).not_to_have_url(before)
    page.go_back()
    expect(page).to_have_url(before)
    page.reload()
    expect(page.locator("#selects label", has_text="kind").locator("select").first).to_have_value("reflection")
    expect(page.locator("#search")).to_have_value("harbour")
    expect(page.locator("#list a[aria-current]")).to_have_count(1)


def test_a_frame_opens_large_and_a_repair_stands_beside_its_parent(opened):
    page = opened
    page.locator("#selects label", has_text="kind").locator("select").first.select_option("reflection")
    page.locator("#list a").first.click()
    frame = page.locator(".turns .strip button").first
    frame.click()
    large = page.locator("#large")
    expect(large).to_be_visible()
    assert large.locator("img").evaluate("image => image.complete && image.naturalWidth") == 160
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    page.keyboard.press("b")
    expect(page.locator(".pair > section")).to_have_count(2)
    page.keyboard.press("b")
    expect(page.locator(".pair")).to_have_count(0)


def test_review_by_keyboard_lasts(opened, lake):
    page = opened
    page.locator("#list a").first.wait_for()
    page.keyboard.press("j")
    page.locator("#review").wait_for()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("judge it good")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator(".said")).to_contain_text("drop")
    page.keyboard.press("t")
    page.keyboard.type("blurred d j k")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_contain_text("blurred d j k")
    page.reload()
    expect(page.locator(".said li")).to_have_count(2)
    expect(page.locator("#list a[aria-current] .mark")).to_have_text("drop")
    page.keyboard.press("u")
    expect(page.locator(".said li")).to_have_count(1)
    assert [(one.decision, one.value, one.who) for one in applying(lake)] == [("tag", "blurred d j k", "ann")]


def test_what_a_run_adds_appears_without_a_reload(opened, lake):
    page = opened
    total = lake.read("trajectories").height
    lake.write(
        "trajectories", lake.read("trajectories").head(5).with_columns(pl.col("trajectory_id") + "-new"), "b.new"
    )
    expect(page.locator("#count")).to_have_text(f"{total + 5} trajectories", timeout=15_000)


def test_a_blind_sample_is_judged_one_after_the_other(chromium, lake):
    sample = draw(lake, 3, "1")
    with serving(shown(lake, sample, blind=True)) as server:
        page = chromium.new_page()
        page.goto(server.address)
        page.locator("#list a").first.wait_for()
        page.keyboard.press("j")
        for n, (key, said) in enumerate({"g": "good", "x": "bad", "s": "unsure"}.items()):
            expect(page).to_have_url(re.compile(sample[n]))
            page.locator("#review").wait_for()
            for name in ("kept", "correct", "rejected"):
                expect(page.locator(f".badge:text-is('{name}')")).to_have_count(0)
            page.keyboard.press(key)
            expect(page.locator("#said")).to_contain_text(f"judged: {said}")
        page.close()
    assert {one.value for one in applying(lake)} == {"good", "bad", "unsure"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_axe_finds_nothing_and_nothing_is_cut_off(chromium, lake, scheme, width):
    with serving(shown(lake)) as server:
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto(server.address)
        page.locator("#list a").first.wait_for()
        page.goto(page.url + "?kind=reflection")
        page.locator("#list a").first.click()
        page.locator("#review").wait_for()
        page.locator(".lanes tbody tr").first.wait_for()
        page.locator(".rules summary").click()
        # The policy of the page forbids to add scripts to it; axe is one.
        result = Axe().run(page, options={"resultTypes": ["violations"]})
        assert result.violations_count == 0, result.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = page.evaluate(
            """() => [...document.querySelectorAll('main td, main th, main button')].filter((e) => e.offsetParent
                && !e.closest('.wide') && e.getBoundingClientRect().right > innerWidth + 1).length"""
        )
        assert cut == 0
        page.close()
