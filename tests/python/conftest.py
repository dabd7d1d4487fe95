"""Raw folders and the warehouses built from them, each made once however many processes run the tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builds import ALL_TESTS, LEFT_OUT, PARSED_FOLDER, ROOT, UNIT_TESTS, build_warehouse, build_warehouses
from leftovers import end_with_this_run
from recompute.raw import shuffled, write_raw
from recompute.shop import Recomputed
from shop_cases import cells_shop, corner_shop, empty_shop, one_order_shop
from superset_process import stop_servers
from xdist.scheduler import LoadScopeScheduling

# Ctrl-C is what some tests are about. A shell that starts this in the background of a script has it ignored, and so
# would every process that a test starts.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A run that is killed takes its servers with it.
end_with_this_run()

# The project's packages are tested from the source tree; nothing is installed.
sys.path.insert(0, str(ROOT))

DEMO_ORDERS = 20_000

os.environ[LEFT_OUT] = UNIT_TESTS

# one running API for all tests that do not publish, and a shop of one's own for those of the mapping
pytest_plugins = ("api_server", "own_shop")

# Files that share what is expensive and lives in one process: servers, and numbers recomputed from the real files.
LANES = {
    "superset/": "superset",
    "models/test_marts_": "recomputed",
    "hypotheses/test_hypotheses_recomputed": "recomputed",
}
# The longest first, so that no process is left with one of them at the end.
FIRST = ("superset/", "build/", "scoring/", "models/test_marts_", "runs/test_crashes")


def lane(nodeid: str) -> str:
    """Return what a test must share a process with: its lane, or else its file."""
    file = nodeid.split("::", 1)[0].removeprefix("tests/python/")
    return next((lane for start, lane in LANES.items() if file.startswith(start)), file)


class LaneScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hand out whole lanes."""

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LaneScheduling:
    """Keep the tests of a lane in one process."""
    return LaneScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""

    def turn(item: pytest.Item) -> int:
        place = item.path.relative_to(ROOT / "tests/python").as_posix()
        return next((turn for turn, start in enumerate(FIRST) if place.startswith(start)), len(FIRST))

    items.sort(key=turn)


@pytest.fixture(scope="session", autouse=True)
def parsed_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Name the folder where the tests share what dbt has parsed."""
    os.environ[PARSED_FOLDER] = str(made_once(tmp_path_factory, "parsed", lambda folder: folder.mkdir()))


@pytest.fixture(scope="module", autouse=True)
def data_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep dbt's data tests from the builds of a file that is marked `rows_only`.

    Such a file compares what is built, of shops whose builds elsewhere run all data tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("rows_only"):
            patch.setenv(LEFT_OUT, ALL_TESTS)
        yield


def pytest_sessionfinish() -> None:
    """Stop the servers here: a worker process is given no time to do so as it ends."""
    stop_servers()


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first process to need it has made; the others wait for it.

    Where making it fails, the next process to need it tries again. TEST_SHARED_FOLDER names a folder in which several
    runs, one after another, share what they make. Builds that are shared run dbt's data tests.
    """
    base = Path(os.environ.get("TEST_SHARED_FOLDER", factory.getbasetemp()))
    if "PYTEST_XDIST_WORKER" in os.environ and "TEST_SHARED_FOLDER" not in os.environ:
        base = base.parent
    folder, made = base / name, base / f"{name}.made"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(LEFT_OUT, UNIT_TESTS)
                make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def demo_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a demo shop's raw files: TEST_DEMO_DIR when set, else generated."""
    if given := os.environ.get("TEST_DEMO_DIR"):
        return Path(given)
    from demo import generate

    return made_once(tmp_path_factory, "demo-raw", lambda folder: generate(folder, DEMO_ORDERS))


@pytest.fixture(scope="session")
def published_warehouse(demo_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the demo shop's published warehouse, with scores.

    TEST_DEMO_WAREHOUSE names one that was published before, for those who work on a single test.
    """
    if given := os.environ.get("TEST_DEMO_WAREHOUSE"):
        return Path(given)
    return made_once(
        tmp_path_factory, "demo-warehouse", lambda folder: build_warehouse(demo_raw, folder, unit_tests=True)
    )


@pytest.fixture(scope="session")
def served_warehouse(published_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a copy of what is published of the demo shop, for a server whose tests publish another build."""
    copy = tmp_path_factory.mktemp("served") / "warehouse"
    shutil.copytree(published_warehouse / "builds", copy / "builds")
    (copy / "current").symlink_to((published_warehouse / "current").readlink())
    return copy


@pytest.fixture(scope="session")
def olist_raw() -> Path:
    """Folder of the real Olist files."""
    folder = os.environ.get("OLIST_DIR")
    if not folder:
        pytest.skip("set OLIST_DIR to the folder of the real Olist files")
    return Path(folder)


@pytest.fixture(scope="session")
def olist_warehouse(olist_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the real files' published warehouse, with scores.

    TEST_OLIST_WAREHOUSE names one that was published before, for those who work on a single test.
    """
    if given := os.environ.get("TEST_OLIST_WAREHOUSE"):
        return Path(given)
    return made_once(tmp_path_factory, "olist-warehouse", lambda folder: build_warehouse(olist_raw, folder))


@pytest.fixture(scope="session")
def small_raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of the raw files of the shops made by hand, by name."""
    shops = {"corner": corner_shop(), "cells": cells_shop(), "one_order": one_order_shop(), "empty": empty_shop()}
    folder = tmp_path_factory.mktemp("small")
    written = {name: shop.write(folder / name) for name, shop in shops.items()}
    written["corner_shuffled"] = write_raw(shuffled(shops["corner"].raw(), seed=3), folder / "corner_shuffled")
    return written


@pytest.fixture(scope="session")
def small_warehouses(small_raw: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of the published warehouses of the shops made by hand, without scores, by name."""
    folder = made_once(
        tmp_path_factory,
        "small-warehouses",
        lambda folder: build_warehouses({name: (raw, folder / name, {}) for name, raw in small_raw.items()}),
    )
    return {name: folder / name for name in small_raw}


@dataclass(frozen=True)
class Case:
    """A published warehouse and the same numbers recomputed from its raw files."""

    warehouse: Path
    expected: Recomputed


@pytest.fixture(scope="session", params=["corner", "demo", pytest.param("olist", marks=pytest.mark.real)])
def case(request: pytest.FixtureRequest) -> Case:
    """Give a shop full of corners, the demo shop, then the real files, each built and ready to be compared."""
    if request.param == "corner":
        raw, warehouse = (request.getfixturevalue(name)["corner"] for name in ("small_raw", "small_warehouses"))
    else:
        raw = request.getfixturevalue(f"{request.param}_raw")
        warehouse = request.getfixturevalue("published_warehouse" if request.param == "demo" else "olist_warehouse")
    return Case(warehouse, Recomputed(raw))
