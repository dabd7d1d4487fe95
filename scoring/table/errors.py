"""What is wrong with a table, in a sentence."""

from __future__ import annotations

from pipeline.base.errors import InputError


class TableError(InputError):
    """The table cannot be learned from; the message says why and what to do."""
