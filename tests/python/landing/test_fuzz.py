"""Raw files damaged at random, with a fixed seed: every row is accounted for, or the refusal names the file."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builds import published_file, query, run
from input_folder import InputFolder, copied
from recompute.raw import Raw, read_raw, write_raw

from demo import generate
from pipeline.base.errors import InputError
from pipeline.landing.contract import raw_tables

# The long run is FUZZ_ROUNDS=500; every FUZZ_BUILDS-th round is built and published, if it may be.
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "24"))
BUILD_EVERY = int(os.environ.get("FUZZ_BUILDS", "24"))
SEED = int(os.environ.get("FUZZ_SEED", "2017"))

Mutation = Callable[[bytes, random.Random], bytes]


def lines(change: Callable[[list[bytes], random.Random], None]) -> Mutation:
    def mutated(content: bytes, dice: random.Random) -> bytes:
        found = content.split(b"\n")
        change(found, dice)
        return b"\n".join(found)

    return mutated


def somewhere(content: bytes, dice: random.Random) -> int:
    return dice.randrange(len(content) + 1)


def put(what: bytes) -> Mutation:
    def mutated(content: bytes, dice: random.Random) -> bytes:
        place = somewhere(content, dice)
        return content[:place] + what + content[place:]

    return mutated


def drop_bytes(content: bytes, dice: random.Random) -> bytes:
    place = somewhere(content, dice)
    return content[:place] + content[place + dice.randint(1, 40) :]


def scramble_cell(content: bytes, dice: random.Random) -> bytes:
    found = content.split(b"\n")
    number = dice.randrange(1, len(found))
    cells = found[number].split(b",")
    cells[dice.randrange(len(cells))] = dice.choice(
        (
            b"",
            b"-1",
            b"x",
            b"9" * 30,
            b"1900-01-01 00:00:00",
            b"nan",
            b"'; drop table orders; --",
            b"{{ 1/0 }}",
            b"=1+1",
            # stamps
            b"2018-01-01 10:00:00 PM",
            b"2018-01-01T10:00:00Z",
            b"2018-01-01 10:00:00-03:00",
            b"01/02/2018",
            b"2081-01-01 00:00:00",
            b"43101.5",
            # words for nothing, and numbers that tools have written
            b"NULL",
            b"\\N",
            b"nan",
            b"#N/A",
            b"1.23E+10",
            b"1_0",
            b"1e1",
            b"0x10",
            # zip prefixes
            b"1001",
            b"1001.0",
            b"01001-000",
            b"'01001",
        )
    )
    found[number] = b",".join(cells)
    return b"\n".join(found)


def flip(content: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << dice.randrange(8))]) + content[place + 1 :]


MUTATIONS: tuple[Mutation, ...] = (
    put(b'"'),
    put(b","),
    put(b"\n"),
    put(b"\r"),
    put(b"\0"),
    put(b"\xff\xfe"),
    put(b'""'),
    put("ção".encode("latin-1")),
    drop_bytes,
    scramble_cell,
    scramble_cell,
    flip,
    lines(lambda found, dice: found.insert(dice.randrange(1, len(found)), dice.choice(found[1:]))),
    lines(lambda found, dice: found.__delitem__(dice.randrange(len(found)))),
    lines(lambda found, dice: dice.shuffle(found)),
    lambda content, dice: content[: somewhere(content, dice)],
    lambda content, dice: content + content[somewhere(content, dice) :],
)


def excerpt(raw: Raw, count: int) -> Raw:
    """Return the first orders of a shop with all that belongs to them."""
    orders = raw.orders.head(count)
    items = raw.items[raw.items["order_id"].isin(orders["order_id"])]
    customers = raw.customers[raw.customers["customer_id"].isin(orders["customer_id"])]
    sellers = raw.sellers[raw.sellers["seller_id"].isin(items["seller_id"])]
    places = {*customers["customer_zip_code_prefix"], *sellers["seller_zip_code_prefix"]}
    return Raw(
        orders=orders,
        items=items,
        payments=raw.payments[raw.payments["order_id"].isin(orders["order_id"])],
        reviews=raw.reviews[raw.reviews["order_id"].isin(orders["order_id"])],
        customers=customers,
        geolocation=raw.geolocation[raw.geolocation["geolocation_zip_code_prefix"].isin(places)].head(2000),
        products=raw.products[raw.products["product_id"].isin(items["product_id"])],
        sellers=sellers,
        translation=raw.translation,
    )


@pytest.fixture(scope="module", params=["demo", pytest.param("real", marks=pytest.mark.real)])
def intact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> InputFolder:
    folder = tmp_path_factory.mktemp("intact")
    if request.param == "demo":
        generate(folder / "raw", 150)
    else:
        write_raw(excerpt(read_raw(request.getfixturevalue("olist_raw")), 150), folder / "raw")
    shop = InputFolder(folder / "raw", folder / "warehouse" / "landing")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAW_DIR", str(shop.raw))
        patched.setenv("WAREHOUSE_DIR", str(shop.landing.parent))
        shop.load()
    return shop


def test_damaged_files_lose_no_row_and_fail_with_an_explanation_only(
    intact: InputFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = copied(intact, tmp_path)
    monkeypatch.setenv("RAW_DIR", str(shop.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(shop.landing.parent))
    outcomes = {"landed": 0, "refused": 0}
    for number in range(ROUNDS):
        dice = random.Random(SEED + number)  # noqa: S311
        table = dice.choice(list(raw_tables()))
        for _ in range(dice.randint(1, 4)):
            file = shop.file(table)
            file.write_bytes(dice.choice(MUTATIONS)(file.read_bytes() or b"\n", dice))
        content = shop.file(table).read_bytes()
        try:
            # load() itself compares the books with what lies there
            books = shop.load()
        except InputError as error:
            outcomes["refused"] += 1
            assert shop.file(table).name in str(error), (SEED + number, error)
        else:
            outcomes["landed"] += 1
            if not set(b'"\r\0') & set(content) and content.isascii():
                records = [line for line in content.split(b"\n") if line]
                assert books[table].raw_rows == len(records) - 1, SEED + number
        if (number + 1) % BUILD_EVERY == 0:
            _built(shop.raw, tmp_path / "built")
        shutil.copy(intact.file(table), shop.file(table))
    assert outcomes["landed"] > 0


def _built(raw: Path, warehouse: Path) -> None:
    outcome = run(raw, warehouse, "warehouse", "--no-score")
    assert "Traceback" not in outcome.stderr
    assert outcome.returncode in (0, 3, 4), outcome.stderr
    if outcome.returncode == 0:
        failed = query(
            warehouse,
            """select count(*) as failed from quality.test_results
            where status in ('fail', 'error') and run_id = (select max(run_id) from quality.runs)""",
        )
        assert failed["failed"].item() == 0
    else:
        assert "error: " in outcome.stderr
        assert not published_file(warehouse).exists() or published_file(warehouse).stat().st_size > 0
