"""What is kept of the raw files may be lost or damaged anywhere: it is noticed, and made again."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from input_folder import InputFolder, small_shop

from pipeline.base import files
from pipeline.landing.contract import raw_tables

pytestmark = pytest.mark.rows_only

# Places in a file, from its first byte to its last: 14 of them, once in the normal run.
PLACES = 14


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InputFolder:
    found = InputFolder(small_shop().write(tmp_path / "raw"), tmp_path / "warehouse" / "landing")
    # an orphan, of which the place in its file is kept, a row that cannot be read, and two files of one table
    found.append("order_items", "no-such-order,1,product-1,seller-1,2024-01-01 00:00:00,1.00,0.00")
    found.append("order_payments", "order-00001,9,boleto,1,a lot")
    found.piece("customers", "later", "of-order-00001,person-0,01001,campinas,SP")
    monkeypatch.setenv("RAW_DIR", str(found.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    return found


def landed(shop: InputFolder) -> dict[str, list[tuple[object, ...]]]:
    found = {name: shop.rows(name) for name in raw_tables()}
    return {**found, "quarantine": shop.quarantine()}


def kept_files(shop: InputFolder) -> list[Path]:
    return sorted(file for file in shop.landing.rglob("*") if file.is_file())


def damage(file: Path, number: int, dice: random.Random) -> None:
    """Change two bytes as a failing disk does: size and time stay."""
    content, state = bytearray(file.read_bytes()), file.stat()
    place = (len(content) - 2) * number // (PLACES - 1)
    content[place : place + 2] = bytes(letter ^ dice.randint(1, 255) for letter in content[place : place + 2])
    file.write_bytes(content)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_damage_at_any_place_of_any_kept_file_is_healed(shop: InputFolder) -> None:
    shop.load()
    right, names = landed(shop), kept_files(shop)
    assert {".parquet", ".json"} == {file.suffix for file in names}
    assert any(file.name.endswith(".rejected.parquet") for file in names)
    dice = random.Random(5)  # noqa: S311
    for number in range(PLACES):
        for file in kept_files(shop):
            damage(file, number, dice)
        files._known.clear()  # as a new process begins
        shop.load()
        assert landed(shop) == right, number
    assert {file.name for file in kept_files(shop)} == {file.name for file in names}


def test_damage_of_what_was_read_is_healed_though_its_card_is_whole(shop: InputFolder) -> None:
    shop.load()
    right = landed(shop)
    dice = random.Random(6)  # noqa: S311
    for number in range(0, PLACES, 4):
        for file in (shop.landing / ".files").rglob("*.parquet"):
            damage(file, number, dice)
        next((shop.landing / "customers").iterdir()).unlink()  # so that it is needed
        files._known.clear()
        shop.load()
        assert landed(shop) == right, number


@pytest.mark.parametrize("harm", ["lost", "empty", "cut", "a folder"])
def test_a_kept_file_that_is_lost_or_cut_is_healed(shop: InputFolder, harm: str) -> None:
    shop.load()
    right = landed(shop)
    for file in kept_files(shop):
        content = file.read_bytes()
        file.unlink()
        if harm == "a folder" and file.suffix == ".parquet":
            continue
        if harm in ("empty", "cut"):
            file.write_bytes(b"" if harm == "empty" else content[: len(content) // 2])
    files._known.clear()
    shop.load()
    assert landed(shop) == right


def test_one_damaged_file_is_named_and_the_others_stay(shop: InputFolder, capsys: pytest.CaptureFixture[str]) -> None:
    shop.load()
    before = {file: file.stat().st_ino for file in kept_files(shop)}
    (harmed,) = (shop.landing / "customers").glob("2024-03.*")
    harmed.write_bytes(harmed.read_bytes()[::-1])
    capsys.readouterr()
    shop.load()
    assert f"customers/{harmed.name}" in capsys.readouterr().err
    again = [file for file in before if file.stat().st_ino != before[file]]
    assert harmed in again and not [
        file for file in again if file.parent.name in ("orders", "sellers", "customers") and file != harmed
    ]


def test_what_is_not_of_the_landing_does_not_stay_in_it(shop: InputFolder) -> None:
    shop.load()
    right = landed(shop)
    foreign = shop.landing / "orders" / "zz.parquet"
    shutil.copy(next((shop.landing / "orders").iterdir()), foreign)
    shop.load()
    assert not foreign.exists() and landed(shop) == right
