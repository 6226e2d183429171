"""How figures look, and how they become files or a part of a page, with the same bytes every time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, Literal, ParamSpec

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from podura import tables
from podura.report import results as res

_Arguments = ParamSpec("_Arguments")

#: A line style as matplotlib knows it: a name, or an offset and the lengths of dashes and gaps.
Line = Literal["-", "--", ":"] | tuple[float, tuple[float, ...]]

INK = "#1a1a1a"
MUTED = "#5c5c5c"
GRID = "#dddddd"
CONTROL = "#8c8c8c"
OTHER = "#9db2c6"
PAPER = "#ffffff"

# Okabe & Ito 2008, "Color universal design": told apart with any colour vision; the marker, the dashes
# and the order tell them apart in grey print. Yellow is left out: it vanishes on white.
HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", ">")
# Colours of one lightness cannot be told apart in grey; dashes can, along a whole curve.
_LINES: tuple[Line, ...] = (
    "-",
    (0, (6, 1.2)),
    (0, (2.5, 1)),
    (0, (6, 1, 1, 1)),
    (0, (1, 0.8)),
    (0, (6, 1, 1, 1, 1, 1)),
)
#: So many detectors get a colour and a marker of their own; more could not be told apart.
DISTINCT = len(HUES)

# In a page these colours follow the page's light or dark theme (resources/report/page.css).
_THEMED = {
    INK: "var(--figure-ink)",
    MUTED: "var(--figure-muted)",
    GRID: "var(--figure-grid)",
    PAPER: "var(--figure-paper)",
}

RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a $ in a model's name is a $
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.dpi": 200,
    "figure.constrained_layout.w_pad": 0.07,  # inches
    "svg.hashsalt": "podura",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # TrueType: text in a PDF stays text
    "savefig.dpi": 200,
}

# Whatever a writer would take from the clock or the machine.
_NO_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "ModDate": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class ModelStyle:
    """How one model is drawn everywhere."""

    label: str
    color: str
    marker: str
    line: Line
    control: bool
    distinct: bool


def styled(draw: Callable[_Arguments, Figure]) -> Callable[_Arguments, Figure]:
    """Draw with Podura's settings, leave matplotlib's own as they were, and lay the parts out for good."""

    @wraps(draw)
    def wrapper(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Figure:
        with mpl.rc_context(RC):
            figure = draw(*args, **kwargs)
            # The layout would be solved anew, a little differently, each time that a file is written.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            return figure

    return wrapper


def model_styles(models_table: pd.DataFrame) -> dict[str, ModelStyle]:
    """A style for each model: the best-ranked detectors in colour, controls in grey, controls last."""
    styles = {}
    for place, row in res.ordered_models(models_table, "detector").iterrows():
        distinct = int(str(place)) < DISTINCT
        look: tuple[str, str, Line] = (OTHER, "o", "-")
        if distinct:
            number = int(str(place))
            look = HUES[number], _MARKERS[number], _LINES[number]
        styles[str(row["model"])] = ModelStyle(str(row["label"]), *look, control=False, distinct=distinct)
    for place, row in res.ordered_models(models_table, "control").iterrows():
        first = int(str(place)) % 2 == 0
        styles[str(row["model"])] = ModelStyle(
            str(row["label"]),
            CONTROL,
            marker="X" if first else "d",
            line=":" if first else "--",
            control=True,
            distinct=True,
        )
    return styles


def save_figure(
    figure: Figure, stem: Path | str, formats: Sequence[str] = ("svg", "pdf", "png")
) -> list[Path]:
    """Write ``<stem>.<format>`` for each format, whole or not at all; the same figure, the same bytes."""
    paths = []
    for name in formats:
        path = Path(f"{stem}.{name}")
        with mpl.rc_context(RC), tables.whole_file(path) as temporary:
            figure.savefig(temporary, format=name, facecolor=PAPER, metadata=_NO_METADATA[name])
        paths.append(path)
    return paths


def inline_svg(figure: Figure, prefix: str, description: str) -> str:
    """The figure as an ``<svg>`` element for a page: themed, named for screen readers, ids unique.

    ``prefix`` is put before each id, so that several figures can stand in one page.
    """
    buffer = io.StringIO()
    # Text stays text: it can be found and read, and is a tenth of the size of its outlines.
    with mpl.rc_context({**RC, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA["svg"])
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for tag in ("metadata", "style"):  # the style would hold for the whole page; page.css has it
        svg = re.sub(rf"<{tag}\b.*?</{tag}>", "", svg, count=1, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    # Only tags are rewritten, never the text between them, which may hold any name.
    svg = re.sub(r"<[^>]+>", lambda tag: _page_tag(tag.group(), prefix, used), svg)
    width, height = figure.get_size_inches() * 72
    opening = (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="width:{width:g}pt" role="img" '
        f'aria-label="{escape(description)}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, svg, count=1)


def _page_tag(tag: str, prefix: str, used: set[str]) -> str:
    # A hundredth of a point cannot be seen; six decimals make half of the file.
    tag = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number.group()):.2f}", tag)
    tag = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", tag)
    for color, variable in _THEMED.items():
        tag = tag.replace(color, variable)
    return tag
