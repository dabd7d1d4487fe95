"""The build file is open in another tool: whoever reads it keeps it, whoever writes it is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from input_folder import small_shop

from pipeline.base import paths
from pipeline.base.errors import BuildError, DamagedBuildError
from pipeline.build.build import _last_seen_month, _prove_landing
from pipeline.build.build_file import failures_of_the_build_file, take_build_file
from pipeline.landing.load import Manifest, load

HOLD = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reader")
print(connection.execute("SELECT count(*) FROM orders").fetchone(), flush=True)
for line in sys.stdin:
    print(connection.execute("SELECT count(*) FROM orders").fetchone(), flush=True)
"""


@pytest.fixture
def build_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path))
    with duckdb.connect(str(paths.build_file())) as connection:
        connection.execute("CREATE TABLE orders AS FROM range(12)")
    return paths.build_file()


@contextmanager
def held(build_file: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(build_file), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "(12,)\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_reader_keeps_its_file_and_the_run_goes_on(build_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(build_file, "reader") as reader:
        with pytest.raises(duckdb.IOException):
            duckdb.connect(str(build_file))
        take_build_file()
        assert f"(process {reader.pid})" in capsys.readouterr().err
        with duckdb.connect(str(build_file)) as connection:
            connection.execute("INSERT INTO orders VALUES (12)")
            assert connection.execute("SELECT count(*) FROM orders").fetchone() == (13,)
        # and the other tool goes on with what it had
        assert reader.stdin is not None and reader.stdout is not None
        print("again", file=reader.stdin, flush=True)
        assert reader.stdout.readline() == "(12,)\n"
    assert [entry.name for entry in build_file.parent.iterdir()] == ["build.duckdb"]


def test_a_writer_is_named(build_file: Path) -> None:
    with held(build_file, "writer") as writer, pytest.raises(BuildError, match=rf"process {writer.pid}\).*Close it"):
        take_build_file()


def test_a_refresh_names_a_writer_too(build_file: Path) -> None:
    with held(build_file, "writer") as writer, pytest.raises(BuildError, match=rf"process {writer.pid}\).*Close it"):
        _last_seen_month()


def test_a_file_that_nobody_has_stays_where_it_is(build_file: Path) -> None:
    before = build_file.stat().st_ino
    take_build_file()
    assert build_file.stat().st_ino == before


@pytest.mark.parametrize("place", [0, 4_097, 8_195, 12_290])
def test_damage_has_a_name(build_file: Path, place: int) -> None:
    content = bytearray(build_file.read_bytes())
    content[place : place + 64] = bytes(letter ^ 0x5A for letter in content[place : place + 64])
    build_file.write_bytes(content)
    with pytest.raises(DamagedBuildError):
        take_build_file()
    with pytest.raises(ValueError), failures_of_the_build_file():
        raise ValueError


@pytest.mark.parametrize("orders", [12, 13])
def test_a_build_of_another_landing_is_no_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orders: int) -> None:
    monkeypatch.setenv("RAW_DIR", str(small_shop().write(tmp_path / "raw")))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    load()
    with duckdb.connect(str(paths.build_file())) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute(f"CREATE TABLE marts.build_info AS SELECT {orders} AS raw_orders, 24 AS raw_order_items")
    if orders == 12:
        _prove_landing(Manifest(paths.landing_dir()))
        return
    with pytest.raises(BuildError, match="raw_orders is 13 and should be 12"):
        _prove_landing(Manifest(paths.landing_dir()))
