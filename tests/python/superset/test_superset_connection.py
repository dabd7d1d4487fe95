"""What a person who may type SQL can do to the warehouse and its host: nothing but read the warehouse's tables."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from superset_process import run_in_superset

pytestmark = pytest.mark.superset

# {warehouse} is the served file, {folder} a folder that anybody may write.
ATTACKS = [
    # read the host
    "select * from read_csv('/etc/passwd')",
    "select * from read_csv_auto('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('{warehouse}')",
    "select content from read_blob('{warehouse}')",
    "select * from READ_BLOB ('{warehouse}')",
    "select * from \"read_blob\"('{warehouse}')",
    "select * from read_blob/* */('{warehouse}')",
    "select * from main.read_blob('{warehouse}')",
    "select * from system.main.read_text('{warehouse}')",
    "from read_text('/etc/hostname')",
    "select * from glob('/*')",
    "select * from '/etc/passwd'",
    "select * from '{folder}/x.parquet'",
    "select * from read_parquet('{folder}/x.parquet')",
    "select * from parquet_metadata('{warehouse}')",
    "select * from read_json('/etc/passwd')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from query('select * from read_text(''/etc/passwd'')')",
    "select * from query_table('/etc/passwd')",
    "with stolen as (select * from read_text('/etc/passwd')) select * from stolen",
    "select (select content from read_text('/etc/passwd'))",
    "describe select * from read_text('/etc/passwd')",
    "summarize select * from read_text('/etc/passwd')",
    "explain analyze select * from read_text('/etc/passwd')",
    "select getenv('HOME')",
    "select * from duckdb_secrets()",
    # write the host, the warehouse included
    "copy (select 1) to '{folder}/out.csv'",
    "copy (select 1) to '{warehouse}' (format csv, use_tmp_file false)",
    "copy (select 1) to '{warehouse}.wal' (format csv, use_tmp_file false)",
    "/* innocent */ copy (select 1) to '{folder}/out.csv'",
    "-- innocent\ncopy (select 1) to '{folder}/out.csv'",
    "select 1; copy (select 1) to '{folder}/out.csv'",
    "explain analyze copy (select 1) to '{folder}/out.csv'",
    "explain copy (select 1) to '{folder}/out.csv'",
    "export database '{folder}'",
    "import database '{folder}'",
    "attach '{folder}/evil.duckdb'",
    "attach '{folder}/evil.duckdb' as evil (type sqlite)",
    "detach warehouse",
    "use memory",
    # change the warehouse
    "create table marts.evil as select 1",
    "create temp table evil as select 1",
    "create or replace view marts.fct_orders as select 1",
    "create macro evil() as 1",
    "create schema evil",
    "drop table marts.fct_orders",
    "delete from marts.fct_orders",
    "insert into marts.parameters values ('a', 'b', 'c', 'd')",
    "update marts.parameters set value = 'x'",
    "truncate marts.fct_orders",
    "alter table marts.fct_orders rename to evil",
    "comment on table marts.fct_orders is 'x'",
    "checkpoint",
    "vacuum",
    # change the settings, load code
    "set enable_external_access = true",
    "set global lock_configuration = false",
    "reset lock_configuration",
    "pragma enable_profiling",
    "pragma database_list",
    "set temp_directory = '{folder}'",
    "install httpfs",
    "load httpfs",
    "install evil from community",
    "call pragma_version()",
    "prepare evil as select 1",
    "execute evil",
    "begin; drop table marts.fct_orders; commit",
    "create secret evil (type s3)",
    "select * from read_csv('https://example.com/x.csv')",
]

HARMLESS = [
    "select count(*) from marts.fct_orders",
    "from marts.fct_orders limit 3",
    "-- a comment\nselect 1",
    "/* a comment; with a semicolon */ select ';'",
    "select 'copy (select 1) to ''x'' and read_text(''/etc/passwd'')' as words",
    "with orders as (select * from marts.fct_orders) select count(*) from orders",
    "describe marts.fct_orders",
    "summarize marts.parameters",
    "show all tables",
    "explain select count(*) from marts.fct_orders",
    "explain analyze select count(*) from marts.fct_orders",
    "pivot (select order_month, payment_type, orders from marts.payment_mix) on payment_type using sum(orders)",
    "select table_name from information_schema.tables",
    "select unnest([1, 2, 3]), * from generate_series(1, 2)",
    "select query from (select 1 as query)",
    "values (1), (2)",
]

CODE = """
import json, sys
import sqlalchemy
import warehouse
given = json.loads({given!r})
uri, params = warehouse.mutate_connection(sqlalchemy.engine.make_url("duckdb:///warehouse.duckdb"), {{}})
engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool, **params)
answers = {{}}
for statement in given:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        answers[statement] = "rows: " + str(len(cursor.fetchall()))
    except Exception as error:
        answers[statement] = "refused: " + str(error).splitlines()[0]
    finally:
        connection.close()
print()  # DuckDB may have drawn a progress bar on this line
print(json.dumps(answers))
"""


def ask(statements: list[str], warehouse: Path, home: Path) -> dict[str, str]:
    answers: dict[str, str] = run_in_superset(CODE.format(given=json.dumps(statements)), warehouse, home)
    return answers


def test_every_attack_is_refused_and_leaves_nothing(published_warehouse: Path, tmp_path: Path) -> None:
    served = (published_warehouse / "current" / "warehouse.duckdb").resolve()
    before = hashlib.sha256(served.read_bytes()).hexdigest()
    neighbours = sorted(served.parent.iterdir())
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    statements = [attack.format(warehouse=served, folder=open_folder) for attack in ATTACKS]
    answers = ask(statements, published_warehouse, tmp_path / "home")
    passed = [statement for statement, answer in answers.items() if not answer.startswith("refused")]
    assert passed == []
    assert list(open_folder.iterdir()) == []
    assert sorted(served.parent.iterdir()) == neighbours
    assert hashlib.sha256(served.read_bytes()).hexdigest() == before


def test_reading_works_in_all_its_forms(published_warehouse: Path, tmp_path: Path) -> None:
    answers = ask(HARMLESS, published_warehouse, tmp_path)
    assert {statement: answer for statement, answer in answers.items() if not answer.startswith("rows: ")} == {}


def test_a_query_that_runs_too_long_is_ended(
    published_warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERSET_QUERY_SECONDS", "1")
    endless = "select count(*) from range(10000000) as left_side, range(10000000) as right_side where random() > 2"
    answers = ask([endless, "select 1"], published_warehouse, tmp_path)
    assert "nterrupt" in answers[endless]
    assert answers["select 1"] == "rows: 1"


def test_every_duckdb_address_leads_to_the_published_warehouse(published_warehouse: Path, tmp_path: Path) -> None:
    code = """
import json, sqlalchemy, warehouse
uri, params = warehouse.mutate_connection(sqlalchemy.engine.make_url("duckdb:////{folder}/other.duckdb"), {{}})
engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool, **params)
with engine.connect() as connection:
    print(json.dumps(connection.execute("select count(*) from marts.parameters").scalar()))
"""
    assert run_in_superset(code.format(folder=tmp_path), published_warehouse, tmp_path) > 0
    assert not (tmp_path / "other.duckdb").exists()


def test_names_are_quoted_as_the_engine_quotes_them(published_warehouse: Path, tmp_path: Path) -> None:
    code = """
import json, duckdb_engine, sqlalchemy, warehouse
ours = sqlalchemy.create_engine("duckdb:///warehouse.duckdb", creator=warehouse.keeper.connect)
theirs = duckdb_engine.Dialect()
with ours.connect() as connection:
    schema = connection.execute("select current_schema()").scalar()
print(json.dumps([
    type(ours.dialect).__name__,
    ours.dialect.identifier_preparer.reserved_words == theirs.identifier_preparer.reserved_words,
    [ours.dialect.identifier_preparer.quote(name) for name in ("orders", "qualify", "Mixed")],
    ours.dialect.default_schema_name == schema,
]))
"""
    answer = run_in_superset(code, published_warehouse, tmp_path)
    assert answer == ["WarehouseDialect", True, ["orders", '"qualify"', '"Mixed"'], True]


def test_results_are_kept_under_the_build_they_came_from(published_warehouse: Path, tmp_path: Path) -> None:
    code = """
import json, warehouse
cache = warehouse.BuildCache("{folder}/cache")
build = "one"
warehouse.build_id = lambda: build
warehouse.keeper._seen.build = "one"
cache.set("key", 1)
seen = [cache.get("key")]
build = "two"                      # published while the query of build one was still running
seen.append(cache.get("key"))
cache.set("late", 1)
seen.append(cache.get("late"))
build = "one"
seen += [cache.get("key"), cache.get("late")]
print(json.dumps(seen))
"""
    assert run_in_superset(code.format(folder=tmp_path), published_warehouse, tmp_path) == [1, None, None, 1, 1]
