"""Slides that are kept open from one region to the next, as many as fit into a limit of memory."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

from podura.slides.opening import open_slide
from podura.slides.slide import Slide


class OpenSlides:
    """Slides by path; those used longest ago are closed once the others hold ``limit`` bytes.

    It may be pickled and may be taken along into a forked process: open files stay behind.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._forget()

    def get(self, path: Path) -> Slide:
        """Return the slide of a file, opened if need be. Raises UserError as open_slide does."""
        if self._process != os.getpid():
            # Processes that share an open file move each other's place in it.
            self._forget()
        if path not in self._slides:
            slide = open_slide(path)
            while self._slides and self._held() + slide.held_bytes > self._limit:
                self._slides.popitem(last=False)[1].close()
            self._slides[path] = slide
        self._slides.move_to_end(path)
        return self._slides[path]

    def __getstate__(self) -> dict[str, Any]:
        return {"_limit": self._limit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._limit = state["_limit"]
        self._forget()

    def _held(self) -> int:
        return sum(slide.held_bytes for slide in self._slides.values())

    def _forget(self) -> None:
        self._slides: OrderedDict[Path, Slide] = OrderedDict()
        self._process = os.getpid()
