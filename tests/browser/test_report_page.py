"""The report in a real browser: it shows, sorts and filters, and asks the network for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest

from podura.report.page import render_report
from report_data import make_results

pytestmark = pytest.mark.skipif(chromium.executable() is None, reason="there is no Chromium on this machine")

TAB, ENTER = ("Tab", 9), ("Enter", 13, "\r")
VISIBLE_ROWS = "[...document.querySelectorAll('#species-table tbody tr')].filter(r => !r.hidden)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_report(make_results()), encoding="utf-8")
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
    assert len(heights) == 9
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
    browser.run("document.querySelectorAll('.filters select')[1].focus()")
    browser.press(*TAB)  # the box that scrolls
    browser.press(*TAB)  # the first heading
    browser.press(*TAB)
    assert browser.run("document.activeElement.textContent") == "Detector"
    browser.press(*ENTER)
    names = column(browser, 1)
    assert names == sorted(names)
    assert names != sorted(names, reverse=True)


def test_filters_by_detector_and_species(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("document.querySelector('.filters output').textContent") == "20 of 20 rows"
    choose = (
        "for (const [k, v] of [['model', 'yolov5n'], ['species', 'ISO-MIN']]) {"
        " const s = document.querySelector(`select[data-filter=${k}]`); s.value = v;"
        " s.dispatchEvent(new Event('change', {bubbles: true})); }"
    )
    browser.run(choose)
    assert set(column(browser, 1)) == {"YOLOv5n (anchor-free head)"}
    assert set(column(browser, 0)) == {"Isotomiella minor"}
    assert browser.run("document.querySelector('.filters output').textContent") == "2 of 20 rows"


def test_prints(browser: chromium.Browser, page: Path) -> None:
    browser.open(page)
    assert browser.pdf().startswith(b"%PDF")
    assert browser.run("[...document.querySelectorAll('details')].every(d => d.open)")
