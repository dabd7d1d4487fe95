"""Raw files, cells, folder names and settings changed at random by a fixed seed: nothing is wrong in silence.

Every row is accounted for or the refusal names the file; a cell is read as it says or its row is set aside; a folder
may have any name; a setting is what its rule says or is refused by its name.
"""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from builds import published_file, query, run
from input_folder import InputFolder, copied
from recompute.raw import Raw, read_raw, write_raw

from demo import generate
from pipeline.base.errors import InputError, PipelineError
from pipeline.base.paths import PROJECT
from pipeline.base.settings import project_vars
from pipeline.landing.contract import DEGREE, MONEY, STAMP, TEXT, Column, raw_tables

# The long run is FUZZ_ROUNDS=500; every FUZZ_BUILDS-th round is built and published, if it may be.
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "24"))
BUILD_EVERY = int(os.environ.get("FUZZ_BUILDS", "24"))
SEED = int(os.environ.get("FUZZ_SEED", "2017"))

# How often the folders get another name, as a share of the rounds.
MOVED_SHARE = 0.25
SIGNS = (
    *("[", "]", "{", "}", "{{", "}}", "(", ")", "*", "**", "'", '"', "%", "%s", "$", "#", "~", "&", "!", "="),
    *(";", ":", "@", ",", "+", "^", "`", "|", " ", "-", "\t", "\n", "a", "b", "1", "year=1"),
    *("\u00e9", "e\u0301", "\u00a0", "\u200b", "\u0433\u043e\u0434"),
)
# What a setting may be mistaken for.
VALUES = (
    *("no", "off", "on", "true", "NaN", ".nan", ".inf", "-.inf", "1e3", "1e400", "''", "[]", "{}", "null", "~"),
    *("-1", "0", "0.5", "'0.5'", "1.0", "1", "2", "90", "100", "9" * 30, "1_000", "0x10", "0.1.2", "5%"),
    *("warn", "stop", "BRL", "brl", "BR", "canceled", "[canceled, canceld]", "[canceled]", "[[canceled]]"),
    *("[canceled, canceled]", "2018-02-30", "2018-01-01", "2018-01-01 10:00:00", "America/Sao_Paulo"),
    *("Sao Paulo", "UTC", "[1, 2, 3, 4, 6]", "[1, 2, 2, 4, 6]", "[1, 2, true, 4, 6]", "{a: 1, a: 2}"),
    *("!!python/object:os.system", "&a [*a]", "{{ 1/0 }}", "'; drop table orders; --"),
)
BLANKS = " \t\n\r\u00a0\u200b\ufeff"
NOTHING = {"", "null", "\\n", "nan", "nat", "#n/a", "#ref!", "none", "undefined", "-", "\u2014", "n/a"}
UNKNOWN = {"(blank)", "unknown", "guest"}
TOOLS = {"", "NULL", "\\N", "#N/A", "#REF!", "nan", "undefined"}

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


# What people and tools write into cells: stamps, words for nothing, numbers, zip prefixes, and much else.
CELLS = (
    *("", "-1", "x", "9" * 30, "'; drop table orders; --", "{{ 1/0 }}", "=1+1", "TRUE"),
    *("São Paulo", "\uff33\uff30", "sp ", "S\u200bP"),
    *("2018-01-01 10:00:00 PM", "2018-01-01 12:30 am", "2018-01-01T10:00:00Z", "2018-01-01 10:00:00-03:00"),
    *("2018-01-01 10:00:00+15:00", "2018-01-01 10:00:00+99:99", "2018-02-29", "2018-01-01 24:00:00", "2018-01-01"),
    *("18-01-01", "01/02/2018", "2081-01-01 00:00:00", "1900-01-01 00:00:00", "43101.5", "1514800800"),
    *("2018-01-01 10:00:00.123456789", "now", "NULL", " null ", "\\N", "nan", "NaT", "#N/A", "#REF!", "None"),
    *("undefined", "-", "\u2014", "n/a", "(blank)", "unknown", "guest"),
    *("1.234\u00b756", "R$ 10", "1e3", "1.23E+10", "1_0", "0x10", "\u0663", "\u22125", "+5", ".5", "5."),
    *("\u00a07.5", "inf", "0.30000000000000004", "10.005", "1.0", "1.00", "007", "3.5", "1'000"),
    *("1001", "1001.0", "01001-000", "01001000", "1001000", "'01001", "01.001-000", "1001.5", "-1001", "123456"),
    "SW1A 1AA",
)


def scramble_cell(content: bytes, dice: random.Random) -> bytes:
    found = content.split(b"\n")
    number = dice.randrange(1, len(found))
    cells = found[number].split(b",")
    cells[dice.randrange(len(cells))] = dice.choice(CELLS).encode()
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
    shop = placed(copied(intact, tmp_path), monkeypatch)
    outcomes = {"landed": 0, "refused": 0}
    for number in range(ROUNDS):
        dice = random.Random(SEED + number)  # noqa: S311
        if dice.random() < MOVED_SHARE:
            shop = placed(moved(shop, tmp_path, dice), monkeypatch)
        table = dice.choice([table.name for table in raw_tables().values() if not table.is_extra])
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


def test_a_cell_is_read_as_it_says_or_its_row_is_set_aside(
    intact: InputFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = placed(copied(intact, tmp_path), monkeypatch)
    before = {table.name: Counter(shop.rows(table.name)) for table in raw_tables().values() if not table.is_extra}
    # a round changes one cell; one load reads as many rounds as there are tables
    for number in range(0, ROUNDS, len(before)):
        dice = random.Random(SEED + number)  # noqa: S311
        changes = {table: change_cell(shop.file(table), dice) for table in before}
        books = shop.load()
        orphans = Counter(table for table, *_, reason, _ in shop.quarantine() if "there is no such row" in reason)
        for table, (name, written) in changes.items():
            seed, column = (SEED + number, table, name, written), raw_tables()[table].fields[name]
            gone, new = (Counter(shop.rows(table)), before[table])
            gone, new = new - gone, gone - new
            # an id that now names another row costs no more than the two of them
            assert new.total() <= 1 and gone.total() <= 2 + orphans[table], seed
            place = list(raw_tables()[table].columns).index(name)
            for landed in new:
                assert landed[place] in readings(column, written), (*seed, landed[place])
            assert not gone or new or books[table].quarantined_rows + books[table].repeated_rows, seed
            shutil.copy(intact.file(table), shop.file(table))


def change_cell(file: Path, dice: random.Random) -> tuple[str, str]:
    """Write something else into one cell; returns the name of its column and what it holds."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    row, position, written = dice.randrange(1, len(rows)), dice.randrange(len(rows[0])), dice.choice(CELLS)
    rows[row][position] = written
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return rows[0][position], written


def readings(column: Column, written: str) -> set[object]:
    """Say in plain Python what a cell may be read as; independent of the SQL that reads it."""
    text = written.strip(BLANKS)
    if column.form == "free_text":
        return {None} if written in TOOLS else {written}
    if text.lower() in NOTHING or (column.form not in ("", "label") and text.lower() in UNKNOWN):
        return {column.where_absent if column.form == "label" else None}
    if column.kind == TEXT:
        return _texts(column, written, text)
    return _stamps(text) if column.kind == STAMP else _numbers(column, text)


def _numbers(column: Column, text: str) -> set[object]:
    plain = re.fullmatch(r"[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)", text)
    if column.kind == DEGREE:
        return {float(text)} if plain or re.fullmatch(r"[0-9]+(\.[0-9]+)?[eE][+]?[0-9]+", text) else set()
    if not plain:
        return set()
    amount = Decimal(text)
    cents = amount.quantize(Decimal("0.01"))
    if column.kind == MONEY:
        return {cents} if abs(amount - cents) < Decimal("0.00001") else set()
    return {int(amount)} if amount == int(amount) else set()


def _texts(column: Column, written: str, text: str) -> set[object]:
    number = re.fullmatch(r"([0-9]{1,15})[.]0+", text)
    if column.form == "zip_prefix":
        known = {"01001-000", "01001000", "1001000", "'01001", "01.001-000"}
        bare = number[1] if number else text
        return {"01001" if text in known else bare.zfill(5) if bare.isdigit() and len(bare) <= 5 else text}
    if column.form == "state":
        known = {"São Paulo", "\uff33\uff30", "sp", "S\u200bP"}
        return {"SP" if text in known else text.upper()}
    if column.form == "id":
        return {number[1] if number else unicodedata.normalize("NFKC", text).replace("\u200b", "")}
    return {written if column.form == "place" else text}


def _stamps(text: str) -> set[object]:
    day, _, clock = text.replace("T", " ").partition(" ")
    try:
        start = datetime.strptime(day, "%Y-%m-%d") if re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII) else None
    except ValueError:
        start = None
    found = re.fullmatch(
        r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: ([ap]m))?(Z|[+-](?:0\d|1[0-4]):[0-5]\d)?", clock, re.I | re.A
    )
    if start is None or (clock and not found):
        return set()
    if not found:
        return {start}
    hour, minute, second, fraction, half, offset = found.groups()
    hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
    shift = 0 if not offset or offset in "Zz" else int(offset[0] + "1") * (int(offset[1:3]) * 60 + int(offset[4:]))
    micro = int((fraction or "0").ljust(6, "0")[:6])
    return {start + timedelta(hours=hours, minutes=int(minute) - shift, seconds=int(second or 0), microseconds=micro)}


def test_a_setting_is_what_its_rule_says_or_refused_by_its_name() -> None:
    rules = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]["setting_rules"]
    taken = 0
    # no file is read: twenty cost less than one round of the others
    for number in range(20 * ROUNDS):
        dice = random.Random(SEED + number)  # noqa: S311
        name, written = dice.choice(list(rules)), dice.choice(VALUES)
        if dice.random() < 0.2:
            name = scramble_name(name, dice)
        try:
            value = project_vars(f"{{{name}: {written}}}")[name]
        except PipelineError as error:
            assert name in str(error) or "--vars" in str(error), (SEED + number, error)
        else:
            taken += 1
            assert _is_sane(rules[name]["is"], value), (SEED + number, name, written, value)
    assert taken


def scramble_name(name: str, dice: random.Random) -> str:
    place = dice.randrange(len(name))
    return name[:place] + dice.choice(("", "_", "x", name[place].upper())) + name[place + 1 :]


def _is_sane(kind: str, value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18
    match kind:
        case "number":
            return whole or (isinstance(value, float) and abs(value) < 1e18)
        case "whole number":
            return whole
        case "switch":
            return isinstance(value, bool)
        case "whole numbers" | "words":
            return isinstance(value, list) and len(value) == len({*map(str, value)})
        case _:
            return value is None or (isinstance(value, str) and bool(value.strip()))


def placed(shop: InputFolder, monkeypatch: pytest.MonkeyPatch) -> InputFolder:
    monkeypatch.setenv("RAW_DIR", str(shop.raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(shop.landing.parent))
    return shop


def moved(shop: InputFolder, folder: Path, dice: random.Random) -> InputFolder:
    """Give the raw folder and the warehouse another name, of signs that mean something to one tool or another."""
    raw, warehouse = (folder / strange_name(dice) for _ in range(2))
    if raw == warehouse or raw.exists() or warehouse.exists():
        return shop
    shop.raw.rename(raw)
    shop.landing.parent.rename(warehouse)
    return InputFolder(raw, warehouse / "landing")


def strange_name(dice: random.Random) -> str:
    # a question mark or a backslash is refused: test_names.py
    return "".join(dice.choice(SIGNS) for _ in range(dice.randint(1, 8))).replace("..", "a") or "a"


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
