"""One running API for all tests that do not publish."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import Server, quick_model, serving

from scoring.table.model import TableModel


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api-models")


@pytest.fixture(scope="session")
def table_model(models_folder: Path) -> TableModel:
    return quick_model(models_folder)


@pytest.fixture(scope="session")
def server(
    published_warehouse: Path,
    table_model: TableModel,
    models_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    with serving(published_warehouse, tmp_path_factory.mktemp("api") / "home", models_folder) as running:
        yield running
