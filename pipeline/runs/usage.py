"""What a run takes of the machine: memory and disk."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

MEGABYTE = 1_000_000
# What a unit of ``ru_maxrss`` is; macOS alone counts bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory_mb() -> float:
    """Return the most that one process of this run has held: this one or, where it was larger, scoring's.

    The two are not added: while scoring is at work, this process waits with little in its hands.

    Returns
    -------
    float
        Megabytes of a million bytes.
    """
    users = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    most = max(resource.getrusage(user).ru_maxrss for user in users)
    return round(most * RSS_UNIT / MEGABYTE, 1)


def folder_mb(folder: Path) -> float:
    """Return what a folder takes on the disk, a file of several names counted once.

    Parameters
    ----------
    folder : Path
        Need not exist; what vanishes while it is looked at counts for nothing.

    Returns
    -------
    float
        Megabytes of a million bytes.
    """
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(Path(place) / name)
            except OSError:
                continue
            seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return round(sum(seen.values()) / MEGABYTE, 1)
