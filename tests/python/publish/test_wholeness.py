"""A published build that is lost or damaged is noticed by whoever asks, and published again."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builds import build_warehouse, published_file, query, run
from input_folder import small_shop
from snapshots import differing_tables

from pipeline.backup import backup, restore
from pipeline.base import files
from pipeline.base.errors import PipelineError
from pipeline.publish.publish import ID_FORMAT, _new_id, is_current, published
from pipeline.publish.wholeness import find_damage

pytestmark = pytest.mark.rows_only

PLACES = 14


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shop().write(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def built(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_warehouse(raw, tmp_path_factory.mktemp("built") / "warehouse", score=False)


@pytest.fixture
def warehouse(built: Path, tmp_path: Path) -> Path:
    """Return a copy that is the test's own: what is published is not writable, so its owner must say so first."""
    copy = tmp_path / "warehouse"
    shutil.copytree(built, copy, symlinks=True)
    for place in (copy / "builds").rglob("*"):
        place.chmod(0o755 if place.is_dir() else 0o644)
    return copy


def flip(file: Path, place: int) -> None:
    """Change two bytes, as a failing disk does: size and time of change stay."""
    content, state = bytearray(file.read_bytes()), file.stat()
    content[place : place + 2] = bytes(letter ^ 0x5A for letter in content[place : place + 2])
    file.write_bytes(content)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_two_bytes_changed_anywhere_in_a_published_build_are_noticed(warehouse: Path) -> None:
    current = warehouse / "current"
    assert find_damage(current) is None
    names = sorted(file.name for file in current.iterdir())
    assert "warehouse.duckdb" in names
    for name in names:
        whole = (current / name).read_bytes()
        for number in range(PLACES):
            flip(current / name, (len(whole) - 2) * number // (PLACES - 1))
            files._known.clear()  # as in a process that has not seen the file before
            assert name in str(find_damage(current)), number
            (current / name).write_bytes(whole)
    assert find_damage(current) is None


def lose_the_file(current: Path) -> None:
    (current / "warehouse.duckdb").unlink()


def cut_the_file(current: Path) -> None:
    os.truncate(current / "warehouse.duckdb", 10_000)


def damage_the_file(current: Path) -> None:
    flip(current / "warehouse.duckdb", 50_000)


def cut_the_description(current: Path) -> None:
    os.truncate(current / "build.json", 30)


def empty_the_description(current: Path) -> None:
    os.truncate(current / "build.json", 0)


def lose_the_build(current: Path) -> None:
    shutil.rmtree(current.resolve())


HARMS = (lose_the_file, cut_the_file, damage_the_file, cut_the_description, empty_the_description, lose_the_build)


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_refresh_with_nothing_new_publishes_a_damaged_build_again(
    raw: Path, warehouse: Path, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (warehouse / "current").resolve().name
    harm(warehouse / "current")
    monkeypatch.setenv("RAW_DIR", str(raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(warehouse))
    files._known.clear()
    # what `warehouse --if-changed` and `--if-absent` go by
    assert not is_current(with_scores=False) and published() is None
    told = run(raw, warehouse, "status")
    assert told.returncode == 1 and "DAMAGED" in told.stdout and "make refresh" in told.stderr
    outcome = run(raw, warehouse, "refresh", "--no-score")
    assert outcome.returncode == 0 and "damaged" in outcome.stderr, outcome.stderr
    # the build file was whole: nothing is built, only published
    assert "dbt" not in outcome.stderr
    assert (warehouse / "current").resolve().name > before
    assert find_damage(warehouse / "current") is None
    assert query(warehouse, "select count(*) as orders from marts.fct_orders")["orders"].item() == 12
    assert run(raw, warehouse, "status").returncode == 0
    assert is_current(with_scores=False) and published()
    assert "nothing new" in run(raw, warehouse, "refresh", "--no-score").stderr


def test_a_link_that_is_none_is_said(raw: Path, warehouse: Path) -> None:
    (warehouse / "current").unlink()
    (warehouse / "current").mkdir()
    outcome = run(raw, warehouse, "publish")
    assert outcome.returncode == 1 and "move it away" in outcome.stderr


def test_a_damaged_build_file_is_built_again_and_never_published(
    raw: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_file = warehouse / "build.duckdb"
    for place in range(12_288 + 1_000, build_file.stat().st_size - 2, 200_000):
        flip(build_file, place)
    before = (warehouse / "current").resolve()
    refused = run(raw, warehouse, "publish")
    assert refused.returncode == 4 and "build file is damaged" in refused.stderr
    assert "make warehouse" in refused.stderr and (warehouse / "current").resolve() == before
    lose_the_file(warehouse / "current")
    outcome = run(raw, warehouse, "refresh", "--no-score")
    assert outcome.returncode == 0 and "built again" in outcome.stderr, outcome.stderr
    assert published_file(warehouse).exists()
    assert query(warehouse, "select count(*) as orders from marts.fct_orders")["orders"].item() == 12


def test_ids_of_builds_sort_by_age_though_the_clock_was_set_back(tmp_path: Path) -> None:
    for name in ("20990101T000000Z", "20990101T000000Z.part", "notes"):
        (tmp_path / name).mkdir()
    assert _new_id(tmp_path) == "20990101T000001Z"
    (tmp_path / "20990101T000000Z").rmdir()
    assert _new_id(tmp_path) <= datetime.now(UTC).strftime(ID_FORMAT)


def test_a_backup_restored_into_another_folder_is_the_same_warehouse(
    raw: Path, warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAW_DIR", str(raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(warehouse))
    superset, campaigns = tmp_path / "warehouse-superset", tmp_path / "campaigns" / "spring"
    superset.mkdir()
    campaigns.mkdir(parents=True)
    (campaigns / "members.csv").write_text("person,group\n1,treated\n")
    (superset / "secret_key").write_text("nobody may see this")
    (superset / "superset.log").write_text("not worth a copy")
    with sqlite3.connect(superset / "metadata.db") as metadata:
        metadata.execute("CREATE TABLE dashboards AS SELECT 'my own' AS title")
        # somebody has the dashboards open
        file = backup(tmp_path / "backups")
    secrets = file.with_suffix(".secrets.tar")
    assert {oct(entry.stat().st_mode)[-3:] for entry in (file, secrets)} == {"600"}
    assert b"nobody may see this" not in file.read_bytes() and b"nobody may see this" in secrets.read_bytes()

    there = tmp_path / "another machine"
    monkeypatch.setenv("WAREHOUSE_DIR", str(there / "warehouse"))
    restore(file)
    assert differing_tables(warehouse, there / "warehouse", ["marts", "scores", "quality"]) == {}
    landed = [
        {entry.relative_to(place): entry.read_bytes() for entry in place.rglob("*") if entry.is_file()}
        for place in (warehouse / "landing", there / "warehouse" / "landing")
    ]
    assert landed[0] == landed[1]
    assert (there / "campaigns" / "spring" / "members.csv").read_text() == (campaigns / "members.csv").read_text()
    assert (there / "warehouse-superset" / "secret_key").read_text() == "nobody may see this"
    assert not (there / "warehouse-superset" / "superset.log").exists()
    with sqlite3.connect(there / "warehouse-superset" / "metadata.db") as metadata:
        assert metadata.execute("SELECT title FROM dashboards").fetchall() == [("my own",)]
    # the same files, code and settings: there is nothing to do
    assert "nothing new" in run(raw, there / "warehouse", "refresh", "--no-score").stderr

    with pytest.raises(PipelineError, match="not empty"):
        restore(file)
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "third" / "warehouse"))
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(PipelineError, match=r"cannot be restored|not what went in"):
        restore(file)


def test_what_is_damaged_is_not_backed_up(warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_DIR", str(warehouse))
    damage_the_file(warehouse / "current")
    files._known.clear()
    with pytest.raises(PipelineError, match="damaged"):
        backup(tmp_path / "backups")
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "nothing"))
    with pytest.raises(PipelineError, match="nothing to back up"):
        backup(tmp_path / "backups")
