"""Files that are whole or not there: written beside their place and renamed, read back only as they were written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_SEAL = "digest"
# What the digest of a file was when it had this place on the disk, size and time: a process reads a file once for it.
_known: dict[tuple[int, int, int, int], str] = {}


def write_whole(file: Path, content: str | bytes) -> None:
    """Replace a file: whoever reads it finds the old content or the new one, never a part, whatever stops this run.

    Parameters
    ----------
    file : Path
        Its folder must exist.
    content : str or bytes
        Text is written as UTF-8.
    """
    part = part_of(file)
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    part.replace(file)


def part_of(file: Path) -> Path:
    """Return where a file is written until it is whole."""
    return file.with_name(f"{file.name}.part")


def write_record(file: Path, record: dict[str, Any]) -> None:
    """Write a small file of state as JSON that carries the digest of what it says."""
    write_whole(file, json.dumps({**record, _SEAL: _seal(record)}, indent=1))


def read_record(file: Path, *, may_be_older: bool = False) -> dict[str, Any] | None:
    """Return what :func:`write_record` wrote; None where the file is absent, cut off, or not as it was written.

    Parameters
    ----------
    file : Path
    may_be_older : bool
        Take a record without any digest too: versions before this one wrote none, and what people read stays readable.
    """
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict):
        return None
    if may_be_older and _SEAL not in record:
        return record
    if record.pop(_SEAL, None) != _seal(record):
        return None
    return record


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes; computed once per process, as long as its size and time stay the same.

    Raises
    ------
    OSError
        The file is absent or cannot be read.
    """
    state = file.stat()
    place = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
    if place not in _known:
        with file.open("rb") as stream:
            _known[place] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _known[place]


def is_as_written(file: Path, digest: str) -> bool:
    """Tell whether a file is there and has the bytes that were once digested."""
    try:
        return digest_of(file) == digest
    except OSError:
        return False


def _seal(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
