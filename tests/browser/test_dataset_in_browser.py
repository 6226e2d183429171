"""The pages of a data set in a real browser: filters, the viewer by keyboard and mouse, no network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import chromium
import pytest

from builders import write_image
from dataset_data import SPECIES, make_dataset, problem, rows
from podura.report.dataset_page import OVERLAYS, SHEETS, render_dataset
from podura.report.gallery import Subject, write_gallery
from podura.report.pens import box_style
from podura.report.results import full_names
from podura.report.specimens import Legend
from podura.slides.reading import read_reduced
from podura.tables import whole_folder, write_text

pytestmark = pytest.mark.skipif(chromium.executable() is None, reason="there is no Chromium on this machine")

LEFT, RIGHT, HOME, END = ("ArrowLeft", 37), ("ArrowRight", 39), ("Home", 36), ("End", 35)
ENTER, ESCAPE = ("Enter", 13, "\r"), ("Escape", 27)
SHOWN = (
    "[...document.querySelectorAll('#pictures li[id]')].filter(li => li.offsetParent && !li.hidden).length"
)
TITLE = "document.getElementById('viewer-title').textContent"
PLACE = "document.querySelector('#viewer output').textContent"
OPEN = "document.getElementById('viewer').open"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 21 images on ten slides, one of them broken, as it lies on a disk."""
    folder = tmp_path_factory.mktemp("a study with spaces, ä and #")
    problems = [
        problem("slide 00/field 1.png", "few_boxes", message="the image has 2 boxes"),
        problem("slide 03/field 0.png", "few_boxes"),
        problem("broken.png", "unreadable_image", "error"),
    ]
    dataset = make_dataset(rows(), problems=problems, dropped=[("broken.png", "slide 00")])
    image = write_image(folder / "images" / "any.png", (320, 240))
    subjects = [
        Subject(name, str(image) if used else str(folder / "none.png"), slide)
        for name, slide, used in dataset.images[["image", "slide", "used"]].itertuples(index=False, name=None)
    ]
    boxes = dataset.boxes
    legend = Legend({one["code"]: box_style(place) for place, one in enumerate(SPECIES)}, full_names(SPECIES))
    with whole_folder(folder / OVERLAYS) as temporary:
        pictures = write_gallery(
            subjects, boxes, legend, temporary, read=partial(read_reduced, max_side=1600)
        )
    dataset = make_dataset(rows(), problems=problems, dropped=[("broken.png", "slide 00")], pictures=pictures)
    page, sheets = render_dataset(dataset)
    write_text(page, folder / "index.html")
    for name, sheet in sheets.items():
        write_text(sheet, folder / SHEETS / name)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Browser]:
    with chromium.Browser() as opened:
        yield opened


@pytest.fixture
def sheet(browser: chromium.Browser, folder: Path) -> chromium.Browser:
    browser.open(folder / SHEETS / "sheet-1.html")
    return browser


def choose(browser: chromium.Browser, facet: str, value: str) -> None:
    browser.run(
        f"{{ const c = document.querySelector('[data-facet={facet}]'); c.value = '{value}';"
        " c.dispatchEvent(new Event('input', {bubbles: true})); }"
    )


def open_first(browser: chromium.Browser) -> None:
    browser.run("document.querySelector('#pictures li:not([hidden]) > a').focus()")
    browser.press(*ENTER)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("page", ["index.html", "sheets/sheet-1.html"])
def test_shows_without_complaint_without_network_and_fits_the_screen(
    browser: chromium.Browser, folder: Path, page: str, width: int, dark: bool
) -> None:
    browser.open(folder / page, width=width, dark=dark)
    browser.run("window.scrollTo(0, document.body.scrollHeight)")
    loaded = (
        "Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode().catch(() => 0))))"
        ".then(() => 0)"
    )
    browser.settle(loaded)
    assert browser.complaints() == []
    assert all(url.startswith(folder.resolve().as_uri()) for url in browser.requests())
    assert browser.run("[...document.querySelectorAll('.sheet img')].every(i => i.naturalWidth > 100)")
    assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("page", "selectors"),
    [
        (
            "index.html",
            ("body", ".note", "td.none", "tbody th small", "nav a", "dl.card dt", ".where", "tfoot td"),
        ),
        ("sheets/sheet-1.html", ("body", ".told small", ".told .bad", ".kind a", ".filters output")),
    ],
)
def test_text_is_readable_in_light_and_dark(
    browser: chromium.Browser, folder: Path, page: str, selectors: tuple[str, ...], dark: bool
) -> None:
    browser.open(folder / page, dark=dark)
    for selector in selectors:
        assert browser.contrast(selector) >= 4.5, selector


def test_filters_by_species_part_site_problem_and_name(sheet: chromium.Browser) -> None:
    said = "document.querySelector('.filters output').textContent"
    assert sheet.run(SHOWN) == 21
    choose(sheet, "species", "1")
    assert sheet.run(said) == "9 of 21 images"
    assert sheet.run(SHOWN) == 9
    choose(sheet, "part", "0")
    assert sheet.run(SHOWN) == 5  # slides 00, 04 and 08, of which one image is empty
    choose(sheet, "site", "0")
    assert sheet.run(SHOWN) == 0
    assert sheet.run("document.querySelector('.empty').offsetParent !== null")
    sheet.run("document.querySelector('.filters button[type=reset]').click()")
    sheet.settle()
    assert sheet.run(SHOWN) == 21
    choose(sheet, "kind", "any")
    assert sheet.run(SHOWN) == 3
    choose(sheet, "kind", "none")
    assert sheet.run(SHOWN) == 18
    choose(sheet, "kind", "")
    choose(sheet, "name", "SLIDE 07")
    assert sheet.run(SHOWN) == 2


def test_previous_and_next_by_keyboard_stay_within_the_filter(sheet: chromium.Browser) -> None:
    choose(sheet, "kind", "any")
    open_first(sheet)
    assert sheet.run(OPEN)
    assert sheet.run(TITLE) == "slide 00/field 1.png"
    assert sheet.run(PLACE) == "1 of 3"
    assert "the image has 2 boxes" in sheet.run("document.querySelector('#viewer .said').textContent")
    sheet.press(*RIGHT)
    assert sheet.run(TITLE) == "broken.png, slide 00"
    sheet.press(*RIGHT)
    sheet.press(*RIGHT)
    assert sheet.run(PLACE) == "3 of 3"
    sheet.press(*LEFT)
    assert sheet.run(PLACE) == "2 of 3"
    sheet.press(*END)
    assert sheet.run(TITLE) == "slide 03/field 0.png"
    sheet.press(*HOME)
    assert sheet.run(PLACE) == "1 of 3"
    sheet.press(*RIGHT)
    sheet.press(*ESCAPE)
    sheet.settle()
    assert not sheet.run(OPEN)
    focused = "document.activeElement.querySelector('b').textContent"
    assert sheet.run(focused) == "broken.png, slide 00", "the reader is back where he looked last"
    assert sheet.complaints() == []


def test_previous_and_next_by_mouse(sheet: chromium.Browser) -> None:
    sheet.run("document.querySelectorAll('#pictures li > a')[1].click()")
    assert sheet.run(PLACE) == "2 of 21"
    sheet.run("document.querySelector('[data-go=\"1\"]').click()")
    assert sheet.run(PLACE) == "3 of 21"
    for _ in range(2):
        sheet.run("document.querySelector('[data-go=\"-1\"]').click()")
    assert sheet.run(PLACE) == "1 of 21"
    assert sheet.run("document.querySelector('[data-go=\"-1\"]').getAttribute('aria-disabled')") == "true"
    sheet.run("document.querySelector('[data-close]').click()")
    assert not sheet.run(OPEN)


def test_the_picture_is_large_and_whole(sheet: chromium.Browser) -> None:
    open_first(sheet)
    picture = "document.querySelector('#viewer > img')"
    sheet.settle(f"{picture}.decode()")
    assert sheet.run(f"{picture}.naturalWidth") == 960
    height, bottom = sheet.run(f"[{picture}.clientHeight, {picture}.getBoundingClientRect().bottom]")
    assert height > 500
    assert bottom <= 900


def test_links_from_the_page_open_the_image_and_the_filter(browser: chromium.Browser, folder: Path) -> None:
    browser.open(folder / "index.html")
    targets = browser.run(
        "[...document.querySelectorAll('#problems a')].map(a => a.getAttribute('href'))"
        ".filter(h => h.includes('#'))"
    )
    image = next(target for target in targets if "#i-" in target)
    kind = next(target for target in targets if "#kind=" in target)
    browser.follow(image)
    assert browser.run(OPEN)
    browser.open(folder / "index.html")
    browser.follow(kind)
    assert not browser.run(OPEN)
    assert browser.run(SHOWN) == 1


def test_without_the_viewer_a_thumbnail_links_to_its_picture(sheet: chromium.Browser, folder: Path) -> None:
    links = sheet.run("[...document.querySelectorAll('#pictures li > a')].map(a => a.getAttribute('href'))")
    assert len(links) == 21
    assert all((folder / SHEETS / link).is_file() for link in links)


def test_prints(browser: chromium.Browser, folder: Path) -> None:
    for page in ("index.html", "sheets/sheet-1.html"):
        browser.open(folder / page)
        assert browser.pdf().startswith(b"%PDF")
