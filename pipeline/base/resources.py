"""How much memory the engine may take, and how small its file must be: what the machine has decides.

Beyond the limit of memory DuckDB writes to disk and goes on. Its own account leaves out some of what a process holds,
hence the distance between the limit and what should be free.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
from pathlib import Path

import duckdb

from pipeline.base.errors import PipelineError
from pipeline.base.outcome import interrupt_when_stopped
from pipeline.base.sql import literal

# Half of the machine, for others live there too; and no more than this: what a process holds beyond the engine's own
# account came to a GB more at ten million orders.
SHARE = 0.5
MOST = 5 * 2**30
LEAST = 512 * 2**20
LEAST_AT_ALL = 64 * 2**20  # with less the engine cannot even open its file
# What the most expensive models hold: 2.7 GB with a million orders.
BYTES_PER_ORDER = 2_500
# What a build file with ids as they are (macros/tables.sql) takes, 18 GB with ten million orders; the published file,
# 8 GB; and what is spilled for a while, 36 GB with thirty million.
DISK_PER_ORDER = 3_800
# Address space, of which a limit may be set (ulimit -v): what loading and building reserve for libraries and threads
# before they hold any row. With less, a thread that cannot be started leaves dbt waiting for it for ever.
LEAST_TO_LOAD = 768 * 2**20
LEAST_TO_BUILD = 3 * 2**30
UNITS = {"MB": 2**20, "GB": 2**30}
# where a container says how much of the machine is its own
CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_limit() -> int:
    """Return how many bytes the engine may take.

    Raises
    ------
    PipelineError
        WAREHOUSE_MEMORY is set to something that is no amount of memory.
    """
    if given := os.environ.get("WAREHOUSE_MEMORY"):
        found = re.fullmatch(r"\s*([0-9]{1,6}(?:[.][0-9]{1,3})?)\s*(MB|GB)\s*", given, flags=re.IGNORECASE | re.ASCII)
        if found is None or float(found[1]) * UNITS[found[2].upper()] < LEAST_AT_ALL:
            raise PipelineError(f"WAREHOUSE_MEMORY is {given!r}; it must be an amount such as 4GB or 800MB.")
        return int(float(found[1]) * UNITS[found[2].upper()])
    return max(LEAST, min(MOST, int(SHARE * machine_memory())))


def refuse_tight_limit(least: int) -> None:
    """Stop where the address space of this process is limited to less than a step needs.

    Raises
    ------
    PipelineError
        Names the limit and what it should be.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < least:
        raise PipelineError(
            f"The address space of this process is limited to {limit // 2**20:,} MB (ulimit -v), and this step needs "
            f"{least // 2**20:,} MB. Raise the limit, or limit what the engine takes instead: WAREHOUSE_MEMORY=800MB."
        )


def models_at_once(orders: int) -> int:
    """Return how many models may be built at the same time.

    Two, so that dbt's own work for one is done while the engine works for the other; one in a shop so large that two
    would push each other out of memory: each of them already has all cores, and what is spilled is slow.

    Parameters
    ----------
    orders : int
        Landed orders.
    """
    return 2 if 2 * BYTES_PER_ORDER * orders <= memory_limit() else 1


def is_disk_scarce(orders: int, build_file: Path) -> bool:
    """Tell whether the disk is too small for a build that trades room for time; compressed, it takes a third less.

    Parameters
    ----------
    orders : int
        Landed orders.
    build_file : Path
        File that is built; what it takes now is room too.
    """
    room = shutil.disk_usage(build_file.parent).free
    if build_file.exists():
        room += build_file.stat().st_size
    return room < DISK_PER_ORDER * orders


def restrain(connection: duckdb.DuckDBPyConnection, spill: Path) -> None:
    """Hold a connection to the limit, say where it may write what does not fit, and have it hear Ctrl-C.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    spill : Path
        Folder that DuckDB makes when it needs it, and removes.
    """
    connection.execute(f"SET memory_limit = '{memory_limit() // 2**20}MiB'")
    connection.execute(f"SET temp_directory = {literal(spill)}")
    interrupt_when_stopped(connection)


def machine_memory() -> int:
    """Return how many bytes of memory this process may hope for: the machine's, its container's or its own limit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in CONTAINER_LIMITS:
        try:
            memory = min(memory, int(Path(file).read_text()))
        except (OSError, ValueError):
            continue
    of_the_process, _ = resource.getrlimit(resource.RLIMIT_AS)
    return memory if of_the_process == resource.RLIM_INFINITY else min(memory, of_the_process)
