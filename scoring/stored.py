"""What models that are stored as JSON share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def rounded_state(value: Any) -> Any:
    """Return Python's own values, and None for what is no number.

    Numbers have twelve significant digits: enough for every score, and the last bits of a sum make no new version.
    """
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.12g}") if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Mapping):
        return {key: rounded_state(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded_state(item) for item in value]
    return value


def digest_of(model: str) -> str:
    """Return ten letters that tell a model, as JSON, from every other."""
    return hashlib.sha256(model.encode()).hexdigest()[:10]


def read_state(text: str, version: int, what: str) -> dict[str, Any]:
    """Read what a model wrote.

    Raises
    ------
    ValueError
        The text is no model of this version of the format.
    """
    state = json.loads(text)
    if not isinstance(state, dict) or state.get("format") != version:
        raise ValueError(f"This is no {what} of format {version}.")
    return state
