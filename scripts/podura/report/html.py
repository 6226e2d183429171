"""Templates, style sheets and scripts become pages that load nothing from the network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

#: Where templates, style sheets and scripts lie in the repository.
RESOURCES = Path(__file__).resolve().parents[3] / "resources" / "report"


def render(
    template: str,
    context: Mapping[str, Any],
    *,
    styles: Sequence[str],
    script: str | Sequence[str] | None,
    images: str,
    resources: Path = RESOURCES,
) -> str:
    """A page as HTML, with its style sheets and its script (of one or several files) within it.

    Every text of ``context`` is escaped unless it is Markup. ``images`` says where pictures may come
    from, as a source of the content security policy.
    """
    environment = Environment(
        loader=FileSystemLoader(resources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Whitespace around it is cut so that the hash below is that of the element's content.
    scripts = [script] if isinstance(script, str) else script or []
    code = "\n".join((resources / name).read_text(encoding="utf-8").strip() for name in scripts)
    style = "\n".join((resources / name).read_text(encoding="utf-8").strip() for name in styles)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    return environment.get_template(template).render(
        **context,
        script=Markup(code),
        script_source=Markup(f"'sha256-{digest}'" if code else "'none'"),
        image_source=Markup(images),
        style=Markup(style),
    )


def picture_source(jpeg: bytes) -> str:
    """A JPEG as the address of a picture that stands in the page itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
