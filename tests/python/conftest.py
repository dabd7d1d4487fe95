"""Raw folders and the warehouses built from them, each made once per test session."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from builds import ROOT, build_warehouse, build_warehouses
from recompute.raw import shuffled, write_raw
from recompute.shop import Recomputed
from shop_cases import cells_shop, corner_shop, empty_shop, one_order_shop

# The project's packages are tested from the source tree; nothing is installed.
sys.path.insert(0, str(ROOT))

DEMO_ORDERS = 20_000


@pytest.fixture(scope="session")
def demo_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a demo shop's raw files: TEST_DEMO_DIR when set, else generated."""
    if given := os.environ.get("TEST_DEMO_DIR"):
        return Path(given)
    from pipeline.demo import generate

    folder = tmp_path_factory.mktemp("demo") / "raw"
    generate(folder, DEMO_ORDERS)
    return folder


@pytest.fixture(scope="session")
def published_warehouse(demo_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the demo shop's published warehouse, with scores.

    TEST_DEMO_WAREHOUSE names one that was published before, for those who work on a single test.
    """
    if given := os.environ.get("TEST_DEMO_WAREHOUSE"):
        return Path(given)
    return build_warehouse(demo_raw, tmp_path_factory.mktemp("demo-warehouse"), unit_tests=True)


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
    return build_warehouse(olist_raw, tmp_path_factory.mktemp("olist-warehouse"))


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
    folder = tmp_path_factory.mktemp("small-warehouses")
    return build_warehouses({name: (raw, folder / name, {}) for name, raw in small_raw.items()})


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
