"""What was judged and fitted, and from what: as long as that is the same, it holds and is applied.

A file beside the build file, so that a build that starts from nothing finds it too. Whatever it cannot be read from, or
does not fit, is judged and fitted again: it only ever saves time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.base.files import write_whole
from scoring.shipped import ShippedModel

FILE = "churn_model.json"
FORMAT = 1
LIBRARIES = ("duckdb", "numpy", "scipy", "scikit-learn")
# Words about a result, not the result.
WORDING = ("model_card.py",)

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Origins:
    """What a model depends on.

    Parameters
    ----------
    windows : mapping of str to str
        Cut-off to a digest of its customers' features and outcomes.
    code : str
        Digest of this package, and the versions of what it computes with.
    settings : mapping of str to float
        Thresholds of the warehouse that it reads.
    horizon_days : int
    """

    windows: Mapping[str, str]
    code: str
    settings: Mapping[str, float]
    horizon_days: int

    def what_changed(self, before: Origins) -> str | None:
        """Say in a few words why what was found out before does not hold, or None when it does."""
        if self.horizon_days != before.horizon_days or self.settings != before.settings:
            return "a setting has changed"
        if self.code != before.code:
            return "the code has changed"
        if set(self.windows) - set(before.windows):
            return "another window has closed"
        if self.windows != before.windows:
            return "what is known of closed windows has changed"
        return None


@dataclass(frozen=True)
class Remembered:
    """A model with everything that was found out on the way to it.

    Parameters
    ----------
    origins : Origins
    model : ShippedModel
    tables : mapping of str to rows
        Contents of the score tables that say how good it is, without the day.
    messages : tuple of str
    card : str
        The model card.
    """

    origins: Origins
    model: ShippedModel
    tables: Mapping[str, Rows]
    messages: tuple[str, ...]
    card: str

    def write(self, folder: Path) -> None:
        """Keep it in the warehouse's folder."""
        state = {
            "format": FORMAT,
            "origins": asdict(self.origins),
            "model": self.model.to_json(),
            "tables": self.tables,
            "messages": self.messages,
            "card": self.card,
        }
        write_whole(folder / FILE, json.dumps(state, default=_plain, separators=(",", ":")) + "\n")


def read(folder: Path) -> Remembered | None:
    """Return what is kept in a folder; None when there is nothing, or nothing that can be read."""
    try:
        state = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if state["format"] != FORMAT:
            return None
        tables = {name: [_restored(row) for row in rows] for name, rows in state["tables"].items()}
        model = ShippedModel.from_json(state["model"])
        return Remembered(Origins(**state["origins"]), model, tables, tuple(state["messages"]), str(state["card"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def forget(folder: Path) -> None:
    """Have the next run judge and fit whatever has or has not changed."""
    (folder / FILE).unlink(missing_ok=True)


def code_digest() -> str:
    """Return a digest of the code that judges and fits, and of the versions of the libraries it uses."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for file in sorted([*folder.glob("*.py"), *folder.glob("models/*.py")]):
        if file.name not in WORDING:
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()


def _plain(value: Any) -> str:
    assert isinstance(value, date)
    return value.isoformat()


def _restored(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: date.fromisoformat(value) if name.endswith("_date") and isinstance(value, str) else value
        for name, value in row.items()
    }
