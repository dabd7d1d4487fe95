"""Run extractions in the environment that ``make extract`` sets up, and look at what they leave."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builds import ROOT
from services import find


def extract_python() -> str:
    """Return the Python of that environment; a test that needs it is skipped where it is not set up."""
    found = ROOT / ".venv-extract" / "bin" / "python"
    if not found.exists():
        # where it was promised, a silent skip would hide that nobody has looked
        refuse = pytest.fail if os.environ.get("REQUIRE_EXTRACT") else pytest.skip
        refuse("the environment of extraction is not set up: make .venv-extract/.installed")
    return str(found)


def environment(raw: Path, **variables: str) -> dict[str, str]:
    """Return the environment variables of an extraction into a folder, its working files beside it."""
    kept = {name: value for name, value in os.environ.items() if name != "SOURCES_FILE"}
    return {**kept, "RAW_DIR": str(raw), "WAREHOUSE_DIR": str(raw.parent / "warehouse"), **variables}


def extract(raw: Path, sources: str | None = None, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Extract into a folder, after writing its ``sources.yml`` if one is given."""
    if sources is not None:
        raw.mkdir(exist_ok=True)
        (raw / "sources.yml").write_text(sources)
    return subprocess.run(
        [extract_python(), "-m", "extraction", *options],
        cwd=ROOT,
        env=environment(raw, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


def run_sql(url: str, statements: str) -> None:
    """Run statements in a PostgreSQL."""
    ran = subprocess.run(
        [find("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", url],
        input=statements,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def rows(file: Path, select: str = "*") -> list[tuple[Any, ...]]:
    """Return the rows of a Parquet file in order."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(f"SELECT {select} FROM '{file}' ORDER BY ALL").fetchall()


def assert_same_landing(actual: Path, expected: Path) -> None:
    """Compare two landing folders table by table, row by row."""
    tables = sorted(folder.name for folder in expected.iterdir() if folder.is_dir() and any(folder.glob("*.parquet")))
    assert "orders" in tables
    with duckdb.connect() as connection:
        for table in tables:
            if table in ("quarantine", "load_summary"):  # they name the files that rows come from
                continue
            left, right = (f"(SELECT * FROM '{side}/{table}/*.parquet')" for side in (actual, expected))
            for one, other in ((left, right), (right, left)):
                found = connection.execute(f"{one} EXCEPT ALL {other} LIMIT 3").fetchall()
                assert not found, f"{table}: {found}"
