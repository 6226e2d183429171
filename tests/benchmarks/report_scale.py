"""The report of a large study: how heavy its page is, and how long a browser takes to open it.

    python tests/benchmarks/report_scale.py [--detectors 20] [--seeds 5] [--species 50] [--page report.html]

Tables are made up; pictures of errors have the size of real ones. Opening is timed in headless Chromium from
the address to the first frame after loading, as the least of some tries, beside that of an empty page. The
page should stay below 15 MB and open in less than 3 seconds; exit code 1 if not.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "browser"), str(TESTS.parent / "scripts")]

import chromium  # noqa: E402

from podura.report.archive import MOST_PAGE, fitted_page  # noqa: E402
from podura.report.crops import LONGEST  # noqa: E402
from podura.report.examples import SHOWN_MODELS, SHOWN_OF_KIND  # noqa: E402
from podura.report.page import embedded_figures  # noqa: E402
from report_data import make_results  # noqa: E402
from report_diagnosis import make_crops  # noqa: E402

MOST_SECONDS = 3.0


def grainy_jpeg(number: int) -> bytes:
    """A picture that is as hard to pack as that of a slide: smooth, with the noise of a camera."""
    generator = np.random.default_rng(number)
    smooth = Image.fromarray(generator.integers(120, 230, (12, 16, 3), dtype=np.uint8))
    pixels = np.asarray(
        smooth.resize((LONGEST, LONGEST * 3 // 4), Image.Resampling.BICUBIC), dtype=np.float64
    )
    noisy = np.clip(pixels + generator.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def seconds_to_open(browser: chromium.Browser, page: Path, tries: int) -> float:
    found = []
    for _ in range(tries):
        begun = time.perf_counter()
        browser.open(page)
        browser.settle("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        found.append(time.perf_counter() - begun)
    return min(found)


def main(arguments: argparse.Namespace) -> int:
    results = make_results(
        n_detectors=arguments.detectors, n_seeds=arguments.seeds, n_species=arguments.species, n_epochs=30
    )
    table, files = make_crops(results, SHOWN_MODELS, SHOWN_OF_KIND, side=LONGEST)
    crops = {name: grainy_jpeg(number) for number, name in enumerate(files)}
    results = dataclasses.replace(results, crops_table=table, crops=crops)
    begun = time.perf_counter()
    figures = embedded_figures(results)
    html, n_pictures = fitted_page(results, figures)
    made = time.perf_counter() - begun
    size = len(html.encode("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        page = arguments.page or Path(folder, "report.html")
        page.write_text(html, encoding="utf-8")
        empty = Path(folder, "empty.html")
        empty.write_text("<!DOCTYPE html><title>empty</title>", encoding="utf-8")
        with chromium.Browser() as browser:
            nothing = seconds_to_open(browser, empty, arguments.tries)
            opened = seconds_to_open(browser, page, arguments.tries)
            complaints = browser.complaints()
    print(f"{arguments.detectors} detectors x {arguments.seeds} seeds x {arguments.species} species")
    print(
        f"page: {size / 1e6:.2f} MB, of which figures {sum(map(len, figures.values())) / 1e6:.1f}; ", end=""
    )
    print(f"{n_pictures} pictures; made in {made:.0f} s")
    print(f"open: {opened:.2f} s (an empty page: {nothing:.2f} s)")
    for complaint in complaints:
        print(f"complaint: {complaint}")
    return int(size > MOST_PAGE or opened > MOST_SECONDS or bool(complaints))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--detectors", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--species", type=int, default=50)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--page", type=Path, help="where to leave the page")
    sys.exit(main(parser.parse_args()))
