"""The page of a survey in a real browser: it fits, is accessible and asks the network for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import axe_core_python
import chromium
import pytest

from podura.report.survey_page import render_survey
from survey_report_data import make_survey

pytestmark = pytest.mark.skipif(chromium.executable() is None, reason="there is no Chromium on this machine")

AXE = Path(axe_core_python.__file__).parent / "axe.min.js"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("survey") / "report.html"
    path.write_text(render_survey(make_survey()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Browser]:
    with chromium.Browser() as opened:
        yield opened


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_fits_and_is_accessible(browser: chromium.Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.run(AXE.read_text(encoding="utf-8"))
    browser.run("axe.run(document).then(found => { window.found = found; })")
    browser.settle(
        "new Promise(done => { const look = () => window.found ? done() : setTimeout(look, 20); look(); })"
    )
    assert browser.run("window.found.violations.map(v => [v.id, v.nodes.map(n => n.html).slice(0, 3)])") == []
    assert browser.run("window.found.passes.length") > 15
    assert browser.run("document.querySelector('svg').getBoundingClientRect().height") > 100
