"""A PostgreSQL and an SQLite file into the raw folder: types, changes, a kill, secrets, and the shop's figures."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow.parquet as pq
import pytest
from builds import ROOT, build_warehouse, published_file, run
from extracting import assert_same_landing, environment, extract, extract_python, rows, run_sql
from services import postgresql

from benchmarks.extract import measure_extraction
from demo.shapes import DATABASE_VARIABLE, TABLES_FOLDER, generate_for_database
from demo.shop import SHOP_FILE
from demo.tables import TABLES
from pipeline.landing.contract import raw_tables

pytestmark = [pytest.mark.long, pytest.mark.rows_only]

# Marts that need no scores.
COMPARED = ("fct_orders", "fct_order_items", "fct_payments", "fct_reviews", "customer_rfm", "cohort_retention")


@dataclass(frozen=True)
class Database:
    """A PostgreSQL: its owner's address, and a reader whose password has every awkward sign."""

    owner: str
    password: str

    def sources(self, tables: str) -> str:
        """Write a ``sources.yml`` that takes tables of this database."""
        address = self.owner.rpartition("@")[2]
        return (
            f"databases:\n  shop:\n    url: postgresql+psycopg2://reader:${{SHOP_WORD}}@{address}\n"
            f"    tables: {tables}\n"
        )

    def extract(self, raw: Path, tables: str | None, *options: str) -> subprocess.CompletedProcess[str]:
        """Extract tables as the reader."""
        return extract(raw, self.sources(tables) if tables else None, *options, SHOP_WORD=self.password)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """Run an empty PostgreSQL."""
    extract_python()
    with postgresql() as uri:
        owner, word = uri.replace("+psycopg2", ""), f"p@s's/w%rd: ${secrets.token_hex(6)}"
        quoted = word.replace("'", "''")
        run_sql(owner, f"create role reader login password '{quoted}'; grant pg_read_all_data to reader")
        yield Database(owner, word)


def fill(database: Database, tables: Path) -> None:
    """Write the tables of a folder into the database, as `make demo SHAPE=postgres` does."""
    filled = subprocess.run(
        [extract_python(), "-m", "extraction.demo", str(tables)],
        cwd=ROOT,
        env=environment(tables, DEMO_DATABASE_URL=database.owner),
        capture_output=True,
        text=True,
        check=False,
    )
    assert filled.returncode == 0, filled.stderr


@pytest.fixture(scope="module")
def demo_extracted(database: Database, demo_tables: Path) -> Path:
    """Folder of what was extracted of the demo shop after it was written into the database."""
    fill(database, demo_tables)
    assert not demo_tables.exists()
    raw = demo_tables.parent
    done = extract(raw, DEMO_DATABASE_URL=database.owner)
    assert done.returncode == 0, done.stderr
    return raw


@pytest.fixture(scope="module")
def demo_tables(demo_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the demo shop's tables as ``make demo SHAPE=postgres`` makes them, beside their ``sources.yml``."""
    out = tmp_path_factory.mktemp("demo") / "postgres"
    orders = json.loads((demo_raw / SHOP_FILE).read_text())["orders"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(DATABASE_VARIABLE, "set")
        generate_for_database(out, orders)
    return out / TABLES_FOLDER


def test_the_demo_shop_is_the_same_from_postgresql(
    demo_extracted: Path, published_warehouse: Path, tmp_path: Path
) -> None:
    # what make demo leaves is a raw folder with nothing but its sources
    assert {file.stem for file in demo_extracted.iterdir()} == {"sources", *TABLES}
    warehouse = build_warehouse(demo_extracted, tmp_path / "warehouse", score=False)
    assert_same_landing(warehouse / "landing", published_warehouse / "landing")
    with duckdb.connect() as connection:
        for name, built in (("actual", warehouse), ("expected", published_warehouse)):
            connection.execute(f"ATTACH '{published_file(built).resolve()}' AS {name} (READ_ONLY)")
        for table in COMPARED:
            for one, other in (("actual", "expected"), ("expected", "actual")):
                differing = f"FROM {one}.marts.{table} EXCEPT ALL FROM {other}.marts.{table} LIMIT 3"
                assert not connection.execute(differing).fetchall(), table


@pytest.mark.real
def test_the_real_shop_lands_the_same_from_postgresql(
    database: Database, olist_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed, raw = tmp_path / "typed", tmp_path / "raw"
    typed.mkdir()
    with duckdb.connect() as connection:
        for table in raw_tables().values():
            if not (file := olist_raw / f"{table.stem}.csv").exists():
                continue
            read = f"read_csv('{file}', all_varchar = true, delim = ',', quote = '\"', escape = '\"', header = true)"
            names = [row[0] for row in connection.execute(f"DESCRIBE FROM {read}").fetchall()]
            cells = ", ".join(f'"{name}"::{_typed(table.columns[name])} AS "{name}"' for name in names)
            connection.execute(f"COPY (SELECT {cells} FROM {read}) TO '{typed / table.stem}.parquet'")
    fill(database, typed)
    stems = [table.stem for table in raw_tables().values() if (olist_raw / f"{table.stem}.csv").exists()]
    listed = ", ".join(f"{stem}: {{from: demo_shop.{stem}}}" for stem in stems)
    done = database.extract(raw, f"{{{listed}}}")
    assert done.returncode == 0, done.stderr
    for folder, side in ((raw, "database"), (olist_raw, "files")):
        loaded = run(folder, tmp_path / side, "load")
        assert loaded.returncode == 0, loaded.stderr
    assert_same_landing(tmp_path / "database" / "landing", tmp_path / "files" / "landing")


def _typed(kind: str) -> str:
    """Keep what a database would hold as text."""
    return kind if kind.startswith(("DECIMAL", "TIMESTAMP")) else "VARCHAR"


def test_types_stay_exact(database: Database, tmp_path: Path) -> None:
    run_sql(
        database.owner,
        """
        create type mood as enum ('good', 'bad');
        create table kinds (id bigint, exact numeric(30,15), free numeric, zoned timestamptz, plain timestamp, day date,
            words text, padded char(4), bytes bytea, thing jsonb, list int[], mood mood, span interval, ratio float8,
            yes boolean, small smallint);
        insert into kinds values
            (1, 123456789012345.123456789012345, 1e50, '2018-03-04 05:06:07.123456+03', '2018-03-04 05:06:07.123456',
             '2018-03-04', E'é😀"\\n, ''', 'ab', '\\x00ff', '{"a": [1]}', '{1,NULL}', 'good', '1 day', 0.1, true, -3),
            (2, 0.000000000000001, 'NaN', '1970-01-01 00:00:00+00', '0001-01-01', '9999-12-31', '', '', '', '[]', '{}',
             'bad', '00:00', 'NaN', false, 0),
            (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
        """,
    )
    done = database.extract(tmp_path / "raw", "{kinds: {}}")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "raw" / "kinds.parquet"
    first, second, third = pq.read_table(file).to_pylist()
    assert first == {
        "id": 1,
        "exact": Decimal("123456789012345.123456789012345"),
        "free": "1" + "0" * 50,
        "zoned": dt.datetime(2018, 3, 4, 2, 6, 7, 123456, tzinfo=dt.UTC),
        "plain": dt.datetime(2018, 3, 4, 5, 6, 7, 123456),
        "day": dt.date(2018, 3, 4),
        "words": "é😀\"\n, '",
        "padded": "ab  ",
        "bytes": b"\x00\xff",
        "thing": '{"a": [1]}',
        "list": "{1,NULL}",
        "mood": "good",
        "span": "1 day",
        "ratio": 0.1,
        "yes": True,
        "small": -3,
    }
    assert (second["exact"], second["free"], second["words"]) == (Decimal("1e-15"), "NaN", "")
    assert (second["plain"], second["day"]) == (dt.datetime(1, 1, 1), dt.date(9999, 12, 31))
    assert set(third.values()) == {3, None}
    # a query, and an empty one
    done = database.extract(
        tmp_path / "raw",
        "{kinds: {query: 'select id, exact * 2 as twice, md5(words) as words from kinds where id > 5;'}, some: "
        "{from: kinds, columns: [id, exact]}}",
    )
    assert done.returncode == 0, done.stderr
    assert pq.read_schema(file).names == ["id", "twice", "words"] and rows(file) == []
    assert pq.read_schema(file.with_name("some.parquet")).names == ["id", "exact"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("'infinity'::timestamptz", "odd holds infinity, or a year beyond 9999"),
        ("'infinity'::date", "odd holds infinity, or a year beyond 9999"),
        ("'NaN'::numeric(9,2)", "odd holds a value that is no number of 9 digits, such as NaN"),
    ],
)
def test_what_no_file_can_hold_is_refused(database: Database, tmp_path: Path, value: str, message: str) -> None:
    run_sql(database.owner, f"create or replace view odd as select 1 as id, {value} as odd; ")
    done = database.extract(tmp_path / "raw", "{odd: {}}")
    run_sql(database.owner, "drop view odd")
    assert done.returncode == 3 and message in done.stderr, done.stderr
    assert [file.name for file in (tmp_path / "raw").iterdir()] == ["sources.yml"]


def test_what_changed_since_replaces_what_was_there(database: Database, tmp_path: Path) -> None:
    run_sql(
        database.owner,
        """
        create table changes (id bigint primary key, status text, changed_at timestamptz);
        insert into changes select i, 'new', timestamptz '2024-01-01 00:00+00' + i * interval '1 day'
        from generate_series(1, 10) i;
        """,
    )
    raw, file = tmp_path / "raw", tmp_path / "raw" / "changes.parquet"
    declared = "{changes: {key: id, cursor: changed_at, overlap: 2 days}}"
    assert "10 rows" in database.extract(raw, declared).stderr
    before = file.stat().st_mtime_ns
    again = database.extract(raw, None)
    assert "3 rows read again, nothing new" in again.stderr, again.stderr
    assert file.stat().st_mtime_ns == before
    run_sql(
        database.owner,
        """
        update changes set status = 'sent', changed_at = '2024-01-12 00:00+00' where id = 3;
        insert into changes values (11, 'late', '2024-01-09 06:00+00'), (12, 'new', '2024-01-13 00:00+00'),
            (13, 'too late', '2024-01-02 00:00+00'), (14, 'unknown', null);
        delete from changes where id = 1;
        """,
    )
    done = database.extract(raw, None)
    assert done.returncode == 0, done.stderr
    seen = {row[0]: row[1] for row in rows(file, "id, status")}
    # beyond the overlap nothing is looked for, and what was deleted is not seen
    assert seen == {
        **dict.fromkeys((1, 2, *range(4, 11), 12), "new"),
        **{3: "sent", 11: "late", 14: "unknown"},
    }
    database.extract(raw, None, "--whole")
    assert {row[0] for row in rows(file, "id")} == set(range(2, 15))
    # another column, another declaration: from the beginning
    run_sql(database.owner, "alter table changes add column paid numeric(12,2) default 5")
    done = database.extract(raw, None)
    assert "its columns have changed, so it is read whole" in done.stderr
    assert {row[0] for row in rows(file, "paid")} == {Decimal("5.00")}
    database.extract(raw, declared.replace("key: id", "columns: [id, changed_at], key: id"))
    assert pq.read_schema(file).names == ["id", "changed_at"] and len(rows(file)) == 13


def test_all_tables_are_as_of_one_moment(database: Database, tmp_path: Path) -> None:
    run_sql(database.owner, "create table moment as select 1 as id")
    raw = tmp_path / "raw"
    raw.mkdir()
    slow = "slow: {query: select 1 as id from pg_sleep(3)}"
    (raw / "sources.yml").write_text(database.sources(f"{{{slow}, moment: {{}}}}"))
    process = subprocess.Popen(
        [extract_python(), "-m", "extraction"], cwd=ROOT, env=environment(raw, SHOP_WORD=database.password)
    )
    # a row that comes while the first table is read
    run_sql(
        database.owner,
        """
        do $$ begin
            for attempt in 1..2000 loop
                exit when exists (select from pg_stat_activity
                    where state = 'active' and query like '%pg_sleep(3)%' and pid <> pg_backend_pid());
                perform pg_sleep(0.01);
                perform pg_stat_clear_snapshot();
            end loop;
        end $$;
        insert into moment values (2);
        """,
    )
    assert process.poll() is None, "it was not at work any more"
    assert process.wait(60) == 0
    assert rows(raw / "moment.parquet") == [(1,)]
    assert database.extract(raw, "{moment: {}}").returncode == 0
    assert rows(raw / "moment.parquet") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("{wrong: {from: changing, key: kind, cursor: id, overlap: 5}}", "key: 1 values of kind name several rows"),
        ("{wrong: {from: changing, key: id, cursor: id, overlap: 2 days}}", "overlap: id holds values such as 3"),
        (
            "{wrong: {from: changing, key: ident, cursor: id, overlap: 0}}",
            "ident is no column of it. There are: id, ki",
        ),
        ("{wrong: {from: absent}}", 'relation "absent" does not exist'),
        ("{wrong: {query: 'delete from changing returning *'}}", "cannot be read"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(
    database: Database, tmp_path: Path, declared: str, message: str
) -> None:
    run_sql(
        database.owner,
        "drop table if exists changing; "
        "create table changing as select i as id, 'a' as kind from generate_series(1, 3) i",
    )
    raw = tmp_path / "raw"
    done = database.extract(raw, declared)
    if done.returncode == 0:  # it is seen when the next run asks from where to go on
        done = database.extract(raw, None)
    assert done.returncode == 3 and message in done.stderr, done.stderr


def test_tables_of_a_source_change_together_and_nothing_foreign_is_replaced(database: Database, tmp_path: Path) -> None:
    run_sql(database.owner, "create table first as select 1 as id; create table second as select 1 as id")
    raw = tmp_path / "raw"
    database.extract(raw, "{first: {}, second: {}}")
    run_sql(database.owner, "insert into first values (2); drop table second")
    assert database.extract(raw, None).returncode == 3
    assert rows(raw / "first.parquet") == [(1,)]
    for name in ("first.csv", "first.csv.gz"):
        (raw / name).touch()
        refused = database.extract(raw, "{first: {}}")
        assert refused.returncode == 3 and f"holds {name}" in refused.stderr
        (raw / name).unlink()
    pq.write_table(pq.read_table(raw / "first.parquet").replace_schema_metadata(None), raw / "first.parquet")
    refused = database.extract(raw, None)
    assert refused.returncode == 3 and "was not written by an extraction" in refused.stderr
    assert rows(raw / "first.parquet") == [(1,)]


def test_a_killed_run_leaves_whole_files_and_the_next_one_ends_the_same(database: Database, tmp_path: Path) -> None:
    run_sql(
        database.owner,
        """
        create table lines as select i as id, md5(i::text) as words, (i / 7.0)::numeric(12,2) as price,
            timestamp '2024-01-01' + i * interval '1 minute' as changed_at from generate_series(1, 150000) i;
        create table few as select i as id from generate_series(1, 10) i;
        """,
    )
    declared = "{few: {}, lines: {key: id, cursor: changed_at, overlap: 1 day}, again: {from: lines}}"
    raw, peace = tmp_path / "raw", tmp_path / "peace"
    assert database.extract(raw, declared).returncode == 0
    run_sql(
        database.owner,
        """
        insert into few values (11);
        update lines set price = 1, changed_at = '2025-01-01' where id % 1000 = 0;
        insert into lines select i, 'more', 2, '2025-01-02' from generate_series(150001, 160000) i;
        """,
    )
    started = time.monotonic()
    assert database.extract(peace, declared).returncode == 0
    lasts = time.monotonic() - started
    wanted = {file.name: rows(file) for file in peace.glob("*.parquet")}
    earlier = {file.name: rows(file) for file in raw.glob("*.parquet")}
    for share in (0.3, 0.5, 0.7, 0.8, 0.9):
        process = subprocess.Popen(
            [extract_python(), "-m", "extraction"],
            cwd=ROOT,
            env=environment(raw, SHOP_WORD=database.password),
            stderr=subprocess.DEVNULL,
        )
        time.sleep(lasts * share)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for file in raw.glob("*.parquet"):
            assert rows(file) in (earlier[file.name], wanted[file.name]), f"{file.name} after {share}"
    done = database.extract(raw, None)
    assert done.returncode == 0, done.stderr
    assert {file.name: rows(file) for file in raw.glob("*.parquet")} == wanted
    assert not [file for file in raw.iterdir() if file.name.startswith(".")]


def test_no_password_is_shown_or_kept(database: Database, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    run_sql(database.owner, "create table kept as select 1 as id")
    address = database.owner.rpartition("@")[2]
    others = ("postgresql://reader:${WORD}@127.0.0.1:1/x", "mysql+pymysql://reader:${WORD}@127.0.0.1:1/x")
    tried = [database.extract(raw, "{kept: {}}"), database.extract(raw, "{absent: {}}")]
    tried += [
        extract(raw, f"databases: {{s: {{url: '{url}', tables: {{kept: {{}}}}}}}}", WORD=database.password)
        for url in (*others, f"postgresql://${{WORD}}:${{WORD}}@{address}", f"nothing://x:${{WORD}}@{address}")
    ]
    whole = f"postgresql://reader:{quote(database.password, safe='')}x@{address}"
    tried.append(extract(raw, "databases: {s: {url: '${ALL}', tables: {kept: {}}}}", ALL=whole))
    assert [done.returncode for done in tried] == [0, *[3] * 6]
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    for secret in (database.password, quote(database.password, safe="")):
        assert all(secret not in done.stdout + done.stderr for done in tried)
        assert all(secret.encode() not in content for content in kept)
    assert all("Traceback" not in done.stderr for done in tried)
    assert "password authentication failed" in tried[-1].stderr
    assert (tmp_path / "extract").stat().st_mode & 0o777 == 0o700


def test_an_sqlite_file_keeps_its_types_and_its_changes(tmp_path: Path) -> None:
    extract_python()
    raw, file = tmp_path / "raw", tmp_path / "shop.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "create table sales (id integer primary key, price numeric(12,2), sold timestamp, words text, "
            "free numeric, bytes blob, unused text)"
        )
        connection.execute("create table empty (id integer, words text)")
        connection.execute("create view dear as select id from sales where price > 10")
        connection.executemany(
            "insert into sales values (?, ?, ?, ?, ?, ?, null)",
            [
                (1, 19.9, "2024-01-01 10:00:00.123456", "a\0b é😀", 1.25, b"\0\xff"),
                (2, None, None, None, None, None),
                (3, 7, "2024-01-02 10:00:00", "", 0, b""),
            ],
        )
    sources = f"databases: {{s: {{url: 'sqlite:///{file}', tables: {{%s}}}}}}"
    declared = "sales: {key: id, cursor: sold, overlap: 1 hour}, empty: {}, dear: {}"
    done = extract(raw, sources % declared)
    assert done.returncode == 0, done.stderr
    first, second, third = pq.read_table(raw / "sales.parquet").to_pylist()
    assert first["price"] == Decimal("19.90") and first["sold"] == dt.datetime(2024, 1, 1, 10, 0, 0, 123456)
    assert first["words"] == "a\0b é😀" and first["bytes"] == b"\0\xff" and Decimal(first["free"]) == Decimal("1.25")
    assert set(second.values()) == {2, None} and third["words"] == ""
    assert pq.read_schema(raw / "empty.parquet").names == ["id", "words"] and rows(raw / "dear.parquet") == [(1,)]
    with sqlite3.connect(file) as connection:
        connection.execute("update sales set price = 8, sold = '2024-01-03 10:00:00' where id = 1")
        connection.execute("insert into sales (id, price, sold) values (4, 1, '2024-01-02 09:30:00')")
    done = extract(raw)
    assert done.returncode == 0, done.stderr
    assert [(row[0], row[1]) for row in rows(raw / "sales.parquet", "id, price")] == [
        (1, Decimal("8.00")),
        (2, None),
        (3, Decimal("7.00")),
        (4, Decimal("1.00")),
    ]
    refused = extract(raw, sources % "sales: {query: select 1}")
    assert refused.returncode == 3 and "queries are for PostgreSQL" in refused.stderr
    missing = extract(raw, sources % "sales: {columns: [id, prise]}")
    assert missing.returncode == 3 and "prise is no column of it. There are: id, price" in missing.stderr


def test_the_benchmark_counts_what_it_extracts(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, database.owner)
    report = measure_extraction(200, 1, tmp_path)
    assert report.splitlines()[-1].startswith("| 200 | ") and "| orders | rows | seconds |" in report


def test_the_block_of_the_guide_works(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "your-shop.md").read_text()
    (block,) = re.findall(r"```bash\n(.*?)```", guide, flags=re.DOTALL)
    # what make would do once its environments are there
    for target, command in (
        ("make extract", f"{extract_python()} -m extraction"),
        ("make map", f"{sys.executable} -m pipeline map"),
    ):
        assert target in block
        block = block.replace(target, command)
    for entry in ROOT.iterdir():
        if entry.name not in ("data", "target", "logs", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "data").mkdir()
    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=tmp_path,
        env={**os.environ, "WAREHOUSE_DIR": str(tmp_path / "data" / "warehouse")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Every row is accounted for" in done.stdout and "\nQuarantine" not in done.stdout
