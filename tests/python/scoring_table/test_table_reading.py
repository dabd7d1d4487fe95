"""Tables are read as a person would read them, and what is guessed is told."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pytest

from scoring.table.columns import Table
from scoring.table.errors import TableError
from scoring.table.outliers import find_outliers
from scoring.table.reading import read
from scoring.table.spellings import propose
from scoring.table.spellings import read as read_spellings
from scoring.table.spellings import write as write_spellings

LINES = [
    ("CustomerID", "Tenure", "City", "Since", "Spent", "Churn"),
    *[
        (
            1000 + row,
            row % 7 if row % 5 else "",
            ("Rome", "Oslo", "N/A")[row % 3],
            f"2024-01-{row % 28 + 1:02}",
            row / 4,
            row % 2,
        )
        for row in range(60)
    ],
]


def written(folder: Path, kind: str) -> Path:
    file = folder / f"table.{kind}"
    if kind == "xlsx":
        book = openpyxl.Workbook()
        notes = book.active
        assert notes is not None
        notes.append(["what the columns mean"])
        sheet = book.create_sheet("data")
        for line in LINES:
            sheet.append([None if cell == "" else cell for cell in line])
        book.save(file)
    elif kind == "parquet":
        plain = written(folder, "csv")
        duckdb.sql(f"copy (from read_csv('{plain}')) to '{file}'")
    else:
        comma = ";" if kind == "txt" else ","
        text = "\n".join(comma.join(str(cell) for cell in line) for line in LINES)
        file.write_text(text.replace(".", ",") if kind == "txt" else text)
    return file


@pytest.mark.parametrize("kind", ["csv", "txt", "xlsx", "parquet"])
def test_every_kind_of_file_gives_the_same_table(tmp_path: Path, kind: str) -> None:
    found = read(written(tmp_path, kind), "churn")
    assert sorted(found.table.numbers) == ["Spent", "Tenure"] and list(found.table.words) == ["City"]
    assert found.table.numbers["Spent"][3] == 0.75
    assert np.isnan(found.table.numbers["Tenure"]).sum() == 12
    assert list(found.table.words["City"][:3]) == ["Rome", "Oslo", None]
    assert found.left_out == {
        "CustomerID": "an id",
        "Since": "it holds dates: give days since then as a number instead",
    }
    assert found.positive == "1" and found.is_positive.sum() == 30


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,Churn\n1,1\n2,1\n", "nothing to tell apart"),
        ("a,Churn\n1,\n2,\n", "no row with a Churn"),
        ("a,Churn\n", "holds no row"),
        ("a,b\n1,2\n", "no column Churn"),
        ("a,Churn\n1,red\n2,blue\n", "--positive"),
        ("a,Churn\n1,0\n2,1\n3,2\n", "two values are needed"),
        ("a,Churn\n5,0\n5,1\n", "no column to learn from"),
    ],
)
def test_what_cannot_be_learned_from_is_told_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(TableError, match=said):
        read(file, "Churn")


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    for name, content in (("a.xlsx", b"no workbook"), ("a.parquet", b"no parquet"), ("a.pdf", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TableError):
            read(tmp_path / name, "Churn")
    with pytest.raises(TableError, match="no file"):
        read(tmp_path / "absent.csv", "Churn")


def test_features_may_be_named(tmp_path: Path) -> None:
    file = written(tmp_path, "csv")
    assert list(read(file, "Churn", features=("Tenure",)).features) == ["Tenure"]
    with pytest.raises(TableError, match="Since cannot be a feature"):
        read(file, "Churn", features=("Since",))


def test_spellings_are_proposed_and_merged_when_confirmed(tmp_path: Path) -> None:
    words = {
        "device": ["Mobile Phone"] * 5 + ["Phone"] * 3 + ["Computer"],
        "payment": ["Credit Card"] * 4 + ["CC"] * 2 + ["Debit Card"] * 2 + ["COD"],
        "other": ["Cash on Delivery"] * 5 + ["COD", "cash-on-delivery", "UPI", "E wallet"],
    }
    table = Table(9, {}, {name: np.array(values, dtype=object) for name, values in words.items()})
    proposed = propose(table)
    assert proposed == {
        "device": {"Phone": "Mobile Phone"},
        "payment": {"CC": "Credit Card"},
        "other": {"COD": "Cash on Delivery", "cash-on-delivery": "Cash on Delivery"},
    }
    write_spellings(tmp_path / "spellings.yml", proposed, "table.csv")
    assert read_spellings(tmp_path / "spellings.yml") == proposed
    assert set(table.merged(proposed).words["device"]) == {"Mobile Phone", "Computer"}


def test_outliers_are_counted() -> None:
    values = np.append(np.arange(100.0), [1_000.0, -500.0, np.nan])
    (found,) = find_outliers(Table(103, {"amount": values}, {}))
    assert found.rows == 2
