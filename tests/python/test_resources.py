"""The engine keeps to its share of the machine, or to what was asked for."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipeline.errors import PipelineError
from pipeline.resources import LEAST, MOST, memory_limit, models_at_once, restrain


def test_the_machine_decides_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAREHOUSE_MEMORY", raising=False)
    assert LEAST <= memory_limit() <= MOST
    monkeypatch.setenv("WAREHOUSE_MEMORY", "1.5gb")
    assert memory_limit() == 3 * 2**29


@pytest.mark.parametrize("given", ["much", "0GB", "12", "-1GB"])
def test_no_amount_of_memory_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("WAREHOUSE_MEMORY", given)
    with pytest.raises(PipelineError, match="WAREHOUSE_MEMORY"):
        memory_limit()


def test_models_of_a_large_shop_are_built_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_MEMORY", "5GB")
    assert [models_at_once(orders) for orders in (0, 100_000, 1_000_000, 10_000_000)] == [2, 2, 2, 1]
    monkeypatch.setenv("WAREHOUSE_MEMORY", "500MB")
    assert [models_at_once(orders) for orders in (0, 50_000, 200_000)] == [2, 2, 1]


def test_what_does_not_fit_is_spilled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAREHOUSE_MEMORY", "100MB")
    with duckdb.connect() as connection:
        restrain(connection, tmp_path / "spill")
        rows = connection.execute(
            "SELECT count(*) FROM (SELECT md5(i::varchar) AS key FROM range(3000000) AS numbers (i) ORDER BY key)"
        ).fetchone()
        assert rows == (3_000_000,)
        settings = dict(
            connection.execute(
                "SELECT name, value FROM duckdb_settings() WHERE name IN ('memory_limit', 'temp_directory')"
            ).fetchall()
        )
    assert settings == {"memory_limit": "100.0 MiB", "temp_directory": str(tmp_path / "spill")}
