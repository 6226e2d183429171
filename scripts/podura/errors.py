"""The one exception that means: the user can mend this."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """A mistake in what the user gave: shown as plain sentences, never as a traceback.

    A message says what is wrong, where (file, row, column or key) and what to write instead. A job that
    it ends has ``exit_code``.
    """

    exit_code = 1


class DivergedError(UserError):
    """A training whose loss is no longer finite: no mistake of whoever only tries its settings."""

    exit_code = 3


class UserErrors(UserError):
    """Several mistakes found in one reading, so that they can be mended in one go."""

    def __init__(self, messages: Sequence[str]) -> None:
        self.messages = tuple(messages)
        super().__init__("\n".join(f"- {message}" for message in self.messages))
