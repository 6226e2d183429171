"""The report in a real browser: it shows, sorts and filters, and asks the network for nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest

from podura.report.page import render_report
from report_data import HOSTILE_NAMES, hostile_results, make_results

pytestmark = pytest.mark.skipif(chromium.executable() is None, reason="there is no Chromium on this machine")

TAB, ENTER, ESCAPE = ("Tab", 9), ("Enter", 13, "\r"), ("Escape", 27)
LEFT, RIGHT, HOME, END = ("ArrowLeft", 37), ("ArrowRight", 39), ("Home", 36), ("End", 35)
VISIBLE_ROWS = "[...document.querySelectorAll('#species-table tbody tr')].filter(r => !r.hidden)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_report(make_results()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def partial_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything that a page may tell, so also that runs are missing."""
    path = tmp_path_factory.mktemp("partial") / "report.html"
    results = dataclasses.replace(
        make_results(n_detectors=4), missing=["YOLOv5m, seed 2: its training has not ended."]
    )
    path.write_text(render_report(results), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Browser]:
    with chromium.Browser() as opened:
        yield opened


def column(browser: chromium.Browser, number: int) -> list[str]:
    values = (
        f"{VISIBLE_ROWS}.map(r => r.cells[{number}].dataset.value ?? r.cells[{number}].textContent.trim())"
    )
    return browser.run(values)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_shows_without_complaint_and_fits_the_screen(
    browser: chromium.Browser, page: Path, width: int, dark: bool
) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    heights = browser.run("[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().height)")
    table = "document.querySelector('[aria-label=\"Table of species\"]')"
    hidden = browser.run(f"{table}.scrollWidth - {table}.clientWidth")
    assert (hidden <= 0) == (width > 1000), "on a laptop every column of the table of species is seen"
    # Those in tabs that are not chosen have no height.
    assert len(heights) == 12
    heights = [height for height in heights if height]
    assert len(heights) == 11
    # The flattest is the axis of two detectors, on a phone.
    assert min(heights) > 80


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_readable_in_light_and_dark(browser: chromium.Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    for selector in ("body", "figcaption", "td small", "nav a", ".good", ".bad", ".where"):
        assert browser.contrast(selector) >= 4.5, selector
    ink = browser.run("getComputedStyle(document.querySelector('svg text')).fill")
    assert (ink == "rgb(26, 26, 26)") != dark, "text in figures follows the theme"


def test_sorts_by_click_with_missing_values_last(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    button = "document.querySelectorAll('#species-table thead button')[4]"
    for direction, descending in (("ascending", False), ("descending", True)):
        browser.run(f"{button}.click()")
        assert browser.run(f"{button}.closest('th').getAttribute('aria-sort')") == direction
        values = column(browser, 4)
        numbers = [float(value) for value in values if value != "–"]
        assert numbers == sorted(numbers, reverse=descending)
        assert values[len(numbers) :] == ["–"] * 4
    assert browser.run("document.querySelectorAll('#species-table [aria-sort]').length") == 1


def test_sorts_by_keyboard(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('.filters button[type=reset]').focus()")
    browser.press(*TAB)  # the box that scrolls
    browser.press(*TAB)  # the first heading
    browser.press(*TAB)
    assert browser.run("document.activeElement.textContent") == "Detector"
    browser.press(*ENTER)
    names = column(browser, 1)
    assert names == sorted(names)
    assert names != sorted(names, reverse=True)


def choose(browser: chromium.Browser, form: str, **wanted: str) -> None:
    for name, value in wanted.items():
        browser.run(
            f"{{ const s = document.querySelector('{form} select[data-filter={name}]'); s.value = '{value}';"
            " s.dispatchEvent(new Event('change', {bubbles: true})); }"
        )


def test_filters_by_detector_species_seed_and_status(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    form = "form[data-table]"
    said = f"document.querySelector('{form} output').textContent"
    assert browser.run(said) == "20 of 20 rows"
    choose(browser, form, model="yolov5n", species="ISO-MIN")
    assert set(column(browser, 1)) == {"YOLOv5n (anchor-free head)"}
    assert set(column(browser, 0)) == {"Isotomiella minor"}
    assert browser.run(said) == "2 of 20 rows"
    choose(browser, form, seed="2")
    assert column(browser, 2) == ["2"]
    browser.run(f"document.querySelector('{form} button[type=reset]').click()")
    assert browser.run(said) == "20 of 20 rows"
    choose(browser, form, status="needs_more")
    assert set(column(browser, 0)) == {"Parisotoma notabilis"}


def test_filters_by_keyboard(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('form[data-table] select').focus()")
    browser.press("y", 89, "y")  # the first choice that begins so
    assert browser.run("document.querySelector('form[data-table] select').value") == "yolov5n"
    assert set(column(browser, 1)) == {"YOLOv5n (anchor-free head)"}


CHOSEN = (
    "[...document.querySelectorAll('.tabs')].map(t => t.querySelector('[aria-selected=true]').textContent)"
)
PANELS = (
    "[...document.querySelectorAll('[role=tabpanel]')].filter(p => p.offsetParent).map(p => p.dataset.tab)"
)


def test_tabs_by_mouse_and_keyboard(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run(CHOSEN) == ["The best detector", "Faster R-CNN Lite0"]
    browser.run("document.querySelectorAll('[role=tab]')[1].click()")
    assert browser.run(PANELS) == ["All detectors", "Faster R-CNN Lite0"]
    browser.run("document.querySelectorAll('[role=tab]')[2].focus()")
    browser.press(*RIGHT)
    assert browser.run("document.activeElement.textContent") == "YOLOv5n (anchor-free head)"
    assert browser.run(PANELS) == ["All detectors", "YOLOv5n (anchor-free head)"]
    browser.press(*RIGHT)
    assert browser.run(CHOSEN)[1] == "Faster R-CNN Lite0"
    browser.press(*END)
    assert browser.run(CHOSEN)[1] == "YOLOv5n (anchor-free head)"
    browser.press(*HOME)
    browser.press(*LEFT)
    assert browser.run(CHOSEN)[1] == "YOLOv5n (anchor-free head)"
    # One stop of the Tab key for all tabs of a list.
    assert browser.run("document.querySelectorAll('[role=tab][tabindex=\"0\"]').length") == 2


PICTURES = "[...document.querySelectorAll('.crops > li')].filter(li => li.offsetParent && !li.hidden).length"
TITLE = "document.getElementById('viewer-title').textContent.trim()"
PLACE = "document.querySelector('#viewer output').textContent"
OPEN = "document.getElementById('viewer').open"


def test_gallery_by_keyboard(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run(PICTURES) == 18
    choose(browser, ".gallery", kind="missed")
    assert browser.run(PICTURES) == 3
    assert (
        browser.run("[...document.querySelectorAll('.kind-group h4')].filter(h => h.offsetParent).length")
        == 1
    )
    browser.run("document.querySelector('.crops li:not([hidden]) button').focus()")
    browser.press(*ENTER)
    assert browser.run(OPEN)
    assert browser.run(PLACE) == "1 of 3"
    first = browser.run(TITLE)
    assert first.startswith("Isotomiella minor missed")
    browser.press(*RIGHT)
    assert browser.run(PLACE) == "2 of 3"
    assert browser.run(TITLE) != first
    browser.press(*END)
    browser.press(*RIGHT)
    assert browser.run(PLACE) == "3 of 3"
    browser.press(*HOME)
    assert browser.run(TITLE) == first
    browser.press(*RIGHT)
    browser.press(*ESCAPE)
    browser.settle()
    assert not browser.run(OPEN)
    shown = "document.activeElement.closest('li').querySelector('figcaption').textContent"
    assert "slide-02" in browser.run(shown), "the reader is back where he looked last"
    assert browser.complaints() == []


def test_gallery_by_mouse(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelectorAll('.crops button')[1].click()")
    assert browser.run(PLACE) == "2 of 18"
    picture = "document.querySelector('#viewer > img')"
    browser.settle(f"{picture}.decode()")
    assert browser.run(f"{picture}.naturalWidth") == 96
    for _ in range(2):
        browser.run("document.querySelector('[data-go=\"-1\"]').click()")
    assert browser.run(PLACE) == "1 of 18"
    assert browser.run("document.querySelector('[data-go=\"-1\"]').getAttribute('aria-disabled')") == "true"
    browser.run("document.querySelector('[data-close]').click()")
    assert not browser.run(OPEN)


def axe(browser: chromium.Browser, within: str = "body") -> list[str]:
    """What axe-core finds against WCAG 2.1, levels A and AA: rule, and the elements at fault.

    What is within a figure is left out: each is one picture with a name, and has thousands of elements.
    """
    core = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    browser.run((Path(core.__file__).parent / "axe.min.js").read_text(encoding="utf-8") + "; 0")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
    answer = browser.call(
        "Runtime.evaluate",
        expression=f"axe.run({{include: ['{within}'], exclude: ['svg > *']}}, {{runOnly: {tags}, "
        "resultTypes: ['violations']}).then(r => r.violations.map("
        "v => v.id + ': ' + v.nodes.slice(0, 5).map(n => n.html.slice(0, 200)).join(' | ')))",
        awaitPromise=True,
        returnByValue=True,
    )
    assert "exceptionDetails" not in answer, answer
    return answer["result"]["value"]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True)])
def test_nothing_stands_in_the_way_of_readers_with_other_abilities(
    browser: chromium.Browser, partial_page: Path, width: int, dark: bool
) -> None:
    browser.open(partial_page, width=width, dark=dark)
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert axe(browser) == []
    browser.run("document.querySelector('.crops button').click()")
    assert axe(browser, "#viewer") == []


def test_hostile_names_do_nothing(browser: chromium.Browser, tmp_path: Path) -> None:
    path = tmp_path / "evil.html"
    path.write_text(render_report(hostile_results()), encoding="utf-8")
    for width in (1280, 375):
        browser.open(path, width=width)
        assert browser.complaints() == []
        assert browser.requests() == [path.resolve().as_uri()]
        assert browser.run("window.hacked") is None
        assert browser.run("document.documentElement.scrollWidth") <= width
    assert axe(browser) == []
    # The filters know the names as they are.
    choose(browser, "form[data-table]", species="=1+1")
    assert set(column(browser, 0)) == {HOSTILE_NAMES[0]}


def test_nothing_is_wider_than_a_printed_page(browser: chromium.Browser, partial_page: Path) -> None:
    # A4 within margins of 15 mm, at 96 pixels an inch.
    browser.open(partial_page, width=680)
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert browser.run("document.documentElement.scrollWidth") <= 680
    sizes = browser.run(
        "[...document.querySelectorAll('#species-table td, #species-table small, caption, .note')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 7, "five points can still be read"


def test_captions_and_figures_on_a_phone(browser: chromium.Browser, partial_page: Path) -> None:
    browser.open(partial_page, width=390)
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true")
    ends = browser.run(
        "[...document.querySelectorAll('caption span, figcaption')].filter(e => e.offsetParent)"
        ".map(e => e.getBoundingClientRect().right)"
    )
    assert len(ends) > 10
    assert max(ends) <= 390, "no caption is cut off at the right"
    shown = browser.run(
        "[...document.querySelectorAll('.sized')].filter(e => e.offsetParent)"
        ".map(e => e.getBoundingClientRect().width / parseFloat(e.style.width))"
    )
    # Pixels for a point of 4/3 pixels: letters of 7.5 points have nine pixels and more.
    assert min(shown) > 1.2


def test_prints(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    assert browser.pdf().startswith(b"%PDF")
    assert browser.run("[...document.querySelectorAll('details')].every(d => d.open)")
    assert browser.run("[...document.images].every(i => i.loading !== 'lazy')")
