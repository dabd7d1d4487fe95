"""A path is a name, whatever it holds: never a pattern, SQL, a call, a format, or a column."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from builds import run
from input_folder import InputFolder, small_shop

from pipeline.base.errors import InputError, PipelineError
from pipeline.base.outcome import exit_code_of
from pipeline.landing.dbt_plugin import Plugin
from pipeline.landing.load import load

pytestmark = pytest.mark.rows_only

NAMES = (
    "wh[1]",
    "wh[!a]",
    "wh*",
    "**",
    "data (1)",
    "Ana's data",
    'the "real" one',
    "year=2024",
    "{name}",
    "{{ name }}",
    "%s %20",
    "a;b,c",
    "$HOME",
    "~",
    "-x",
    "#1",
    "md:x",
    "two\nlines",
    " blanks ",
    "São João",
    os.fsdecode(b"latin-\xe3"),
)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shop().write(tmp_path_factory.mktemp("raw"))


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_folder_of_any_name_lands_its_own_shop(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # what the name would match if it were a pattern holds another shop, of one order less
    neighbour = InputFolder(tmp_path / "raw1", tmp_path / "wh1" / "landing")
    shutil.copytree(raw, neighbour.raw)
    neighbour.change("orders", lambda content: b"\n".join(content.split(b"\n")[:-2]) + b"\n")
    own = tmp_path / "own" / f"raw {name}"
    shutil.copytree(raw, own)
    for folder, warehouse in ((neighbour.raw, tmp_path / "wh1"), (own, tmp_path / name)):
        monkeypatch.setenv("RAW_DIR", str(folder))
        monkeypatch.setenv("WAREHOUSE_DIR", str(warehouse))
        books = load()
    assert books["orders"].landed_rows == 12
    # dbt gets the same rows, and the columns that are in the files
    with duckdb.connect(str(tmp_path / "build.duckdb")) as connection:
        Plugin("landing", {}).configure_connection(connection)
        assert connection.execute("SELECT count(*) FROM olist.orders").fetchall() == [(12,)]
        columns = [column for column, *_ in connection.execute("DESCRIBE olist.sellers").fetchall()]
        assert columns == ["seller_id", "seller_zip_code_prefix", "seller_city", "seller_state"]
        assert connection.execute("SELECT sum(landed_rows) FROM load.load_summary").fetchall() != [(None,)]


@pytest.mark.parametrize("name", ["wh?", "a\\b"])
def test_a_folder_that_duckdb_cannot_open_is_refused_with_the_cure(raw: Path, tmp_path: Path, name: str) -> None:
    outcome = run(raw, tmp_path / name, "load")
    assert outcome.returncode == 1
    assert "Set WAREHOUSE_DIR to another folder" in outcome.stderr and "Traceback" not in outcome.stderr


@pytest.fixture
def shop(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InputFolder:
    shutil.copytree(raw, tmp_path / "raw")
    found = InputFolder(tmp_path / "raw", tmp_path / "warehouse" / "landing")
    monkeypatch.setenv("RAW_DIR", str(found.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    return found


@pytest.mark.parametrize("piece", ["[bc]", "?", "*", "x'y", "year=2024"])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_raw_file_is_read_by_its_name(shop: InputFolder, piece: str, ending: str) -> None:
    header, *rows = shop.file("sellers").read_text().splitlines()
    frame = pd.DataFrame([row.split(",") for row in rows], columns=header.split(","))
    shop.file("sellers").unlink()
    # each piece has one row; were the name a pattern, one row would come twice and one not at all
    for number, name in enumerate(("b", "c", piece)):
        file = shop.file("sellers", ending, piece=name)
        part = frame.iloc[number : number + 1]
        if ending == ".csv":
            part.to_csv(file, index=False)
        else:
            part.to_parquet(file, index=False)
    books = shop.load()
    assert books["sellers"].raw_rows == books["sellers"].landed_rows == 3
    assert {row[0] for row in shop.rows("sellers")} == set(frame["seller_id"])


@pytest.mark.parametrize("inside", [False, True])
def test_a_raw_file_whose_name_is_no_text_is_refused_by_name(shop: InputFolder, inside: bool) -> None:
    strange = os.fsencode(shop.file("sellers", piece="x")).replace(b"_x", b"_\xe3")
    if inside:
        folder = shop.raw / "olist_sellers_dataset"
        folder.mkdir()
        strange = os.fsencode(folder) + b"/\xe3.csv"
    shutil.copy(os.fsencode(shop.file("sellers")), strange)
    with pytest.raises(InputError, match=r"not UTF-8.*Rename it"):
        load()
    outcome = run(shop.raw, shop.landing.parent, "load")
    assert outcome.returncode == 3 and "not UTF-8" in outcome.stderr and "Traceback" not in outcome.stderr


def test_a_link_that_belongs_to_somebody_else_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.base import paths

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"retention-warehouse-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(PipelineError, match="belongs to somebody else"):
        paths.openable(tmp_path / "#1")


@pytest.mark.parametrize("name", ["#1", "two\nlines", "\u00a0hard", os.fsdecode(b"latin-\xe3")], ids=ascii)
def test_a_message_names_the_folder_that_a_person_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv("RAW_DIR", str(tmp_path / name))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / f"warehouse {name}"))

    def land() -> None:
        load()

    assert exit_code_of(land) == InputError.exit_code
    shown = name.replace("\n", "\\n").replace("\u00a0", "\\xa0").replace("\udce3", "\\udce3")
    assert f"There is no folder {tmp_path}/{shown}." in capsys.readouterr().err
