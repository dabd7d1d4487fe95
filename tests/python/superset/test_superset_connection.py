"""What a person who may type SQL can do to the warehouse and its host: nothing but read the warehouse's tables."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
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
    "select * from read_single_csv_file('/etc/passwd')",
    "select * from read_single_json_file('/etc/passwd')",
    "select * from read_single_parquet_file('{warehouse}')",
    "select * from parquet_full_metadata('{warehouse}')",
    "select * from enable_logging('QueryLog')",
    "select * from truncate_duckdb_logs()",
    "select * from force_checkpoint()",
    "select * from duckdb_settings()",
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

READS = [
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
uri, params = warehouse.mutate_connection(sqlalchemy.engine.make_url("duckdb:///{file}"), {{}})
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


def ask(statements: list[str], warehouse: Path, home: Path, file: str = "warehouse.duckdb") -> dict[str, str]:
    code = CODE.format(given=json.dumps(statements), file=file)
    answers: dict[str, str] = run_in_superset(code, warehouse, home)
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
    answers = ask(READS, published_warehouse, tmp_path)
    assert {statement: answer for statement, answer in answers.items() if not answer.startswith("rows: ")} == {}


def test_a_table_function_is_refused_unless_it_opens_no_file(published_warehouse: Path, tmp_path: Path) -> None:
    """The list is DuckDB's own, so that a function of its next version is refused until somebody has looked at it."""
    code = """
import json, duckdb, warehouse
refused, harmless = warehouse.refused_functions(), warehouse.HARMLESS
called, opened = [], []
with duckdb.connect() as bare:
    known = bare.execute(
        "select distinct function_name from duckdb_functions() where function_type in ('table', 'table_macro')"
    ).fetchall()
    for (name,) in known:
        try:
            warehouse.check(f"select * from {name}('x')")
            called.append(name)
        except warehouse.RefusedStatementError:
            continue
        for arguments in ("'/etc/passwd'", "['/etc/passwd']", "'select * from read_text(''/etc/passwd'')'", ""):
            try:
                if "root:" in str(bare.execute(f"select * from {name}({arguments}) limit 3").fetchall()):
                    opened.append(name)
            except duckdb.Error:
                pass
print()
known = [name for (name,) in known]
print(json.dumps({"called": called, "opened": opened, "refused": sorted(refused), "known": known}))
"""
    seen = run_in_superset(code, published_warehouse, tmp_path)
    assert seen["opened"] == []
    assert set(seen["called"]) | set(seen["refused"]) >= set(seen["known"])
    assert {"read_single_csv_file", "read_blob", "query", "enable_logging"} <= set(seen["refused"])


def test_the_stakeholders_file_holds_what_everybody_may_see_and_no_more(
    published_warehouse: Path, tmp_path: Path
) -> None:
    with duckdb.connect(str(published_warehouse / "current" / "warehouse.duckdb"), read_only=True) as connection:
        known = connection.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
    manifest = json.loads((published_warehouse / "dbt-target" / "manifest.json").read_text())
    described = [*manifest["nodes"].values(), *manifest["sources"].values()]
    open_tables = {
        f"{node['schema']}.{node['name']}"
        for node in described
        if node["config"].get("meta", {}).get("audience") == "stakeholders"
    }
    statements = [f"select count(*) from {name}" for (name,) in known]
    statements += ["select message from quality.runs", "select message from quality.test_results"]
    answers = ask(statements, published_warehouse, tmp_path, "stakeholders.duckdb")
    readable = {one.split()[-1] for one, answer in answers.items() if answer.startswith("rows: ") and "count" in one}
    assert readable == open_tables
    assert len(readable) < len(known) / 1.5
    assert "message" in answers["select message from quality.runs"]
    assert "message" in answers["select message from quality.test_results"]
    personal = {"customer_id", "order_id", "order_customer_id", "review_id", "raw_row", "message"}
    file = published_warehouse / "current" / "stakeholders.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        columns = connection.execute("select column_name from duckdb_columns() where not internal").fetchall()
        commented = connection.execute("select count(*), count(comment) from duckdb_tables()").fetchone()
    assert not {name for (name,) in columns} & personal
    assert commented == (len(readable), len(readable))
    assert file.stat().st_mode & 0o222 == 0


# What was found to break DuckDB: operators called by their names are refused, and what passes that check breaks one
# database of one worker, which is opened again.
BREAKING = [
    """select max("IS DISTINCT FROM"(customers, 'x')) from marts.segment_summary""",
    'select max("<="(9223372036854775807, "icu_collate_smn"(customer_state_iso))) from marts.delivery_performance',
    """select max("IS NOT DISTINCT FROM"("least"(interval 1 day), 1e308)) from marts.segment_summary""",
    """select ">="(recency_days, "struct_pack"()) from marts.customer_rfm""",
]


def test_what_is_known_to_break_the_database_is_refused(published_warehouse: Path, tmp_path: Path) -> None:
    answers = ask(BREAKING, published_warehouse, tmp_path)
    assert {answer.split(":")[1] for answer in answers.values()} == {" Permission Error"}, answers


def test_a_fatal_error_costs_its_query_and_no_other(published_warehouse: Path, tmp_path: Path) -> None:
    """DuckDB refuses everything after an internal error, for as long as anybody holds its database open."""
    code = """
import json, threading, time, warehouse
def ask(keeper, statement):
    connection = keeper.connect()
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        answers.append(str(cursor.fetchall()))
    except Exception as error:
        answers.append(type(error).__name__)
    finally:
        connection.close()
seen = []
for keeper in (warehouse.ANALYSTS, warehouse.STAKEHOLDERS):
    answers = []
    slow = "select count(*) from range(20000) as one, range(1000) as other where random() > 2"
    others = [threading.Thread(target=ask, args=(keeper, slow)) for _ in range(3)]
    for other in others:
        other.start()
    time.sleep(0.2)
    warehouse.check = lambda statement: None  # as if nobody knew of it yet
    ask(keeper, {breaking!r})
    ask(keeper, "select 1")
    for other in others:
        other.join()
    keeper.look()
    seen.append(answers)
print()
print(json.dumps(seen))
"""
    for answers in run_in_superset(code.format(breaking=BREAKING[0]), published_warehouse, tmp_path):
        assert sorted(answers) == ["InternalException", "[(0,)]", "[(0,)]", "[(0,)]", "[(1,)]"]


IN_A_CHILD = """
import json, os, signal
child = os.fork()
if child == 0:
    import bounds, warehouse
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    {setting}
    connection = warehouse.ANALYSTS.connect()
    cursor = connection.cursor()
    said = ""
    for statement in {statements!r}:
        try:
            cursor.execute(statement)
            said += str(cursor.fetchall())
        except Exception as error:
            said += type(error).__name__
    os.write(2, said.encode())
    open({told!r}, "w").write(said)
    os._exit(0)
_, status = os.waitpid(child, 0)
print()
print(json.dumps(os.waitstatus_to_exitcode(status)))
"""
# Both run between two vectors, where DuckDB looks at no interrupt.
ENDLESS = "select levenshtein(repeat('x', 200000), repeat('y', 200000))"


def in_a_child(setting: str, statements: list[str], warehouse: Path, home: Path) -> tuple[int, str]:
    told = home / "told"
    code = IN_A_CHILD.format(setting=setting, statements=statements, told=str(told))
    status = run_in_superset(code, warehouse, home)
    return status, told.read_text() if told.exists() else ""


def test_a_query_that_does_not_stop_costs_its_worker(published_warehouse: Path, tmp_path: Path) -> None:
    setting = "bounds.QUERY_SECONDS, bounds.GRACE_SECONDS = 0.5, 1.0"
    assert in_a_child(setting, [ENDLESS], published_warehouse, tmp_path) == (1, "")


def test_a_workers_memory_has_an_end_that_a_query_cannot_pass(published_warehouse: Path, tmp_path: Path) -> None:
    setting = "os.environ['SUPERSET_WORKER_MEMORY'] = '1000MB'; bounds.limit_memory()"
    # A single string, which DuckDB's own limit does not count: the query fails, the worker goes on.
    strings = ["select length(repeat('x', 4000000000))", "select 1"]
    assert in_a_child(setting, strings, published_warehouse, tmp_path) == (0, "OutOfMemoryException[(1,)]")
    # What fills the memory step by step leaves nothing for the next: the worker asks to be replaced.
    filling = ["select length(list(number)::varchar) from range(200000000) as numbers(number)"]
    assert in_a_child(setting, filling, published_warehouse, tmp_path)[0] == 7


def test_nobodys_queries_take_every_thread(published_warehouse: Path, tmp_path: Path) -> None:
    code = """
import json, threading, time, bounds
shares = bounds.Shares(most=2, patience=0.5)
said, go = [], threading.Event()
def hold(person):
    with shares.share_of(person):
        go.wait(5)
holders = [threading.Thread(target=hold, args=("account 1",)) for _ in range(2)]
for holder in holders:
    holder.start()
time.sleep(0.1)
started = time.monotonic()
with shares.share_of("account 2"):
    said.append("another's: at once")
try:
    with shares.share_of("account 1"):
        said.append("passed")
except bounds.BusyError as error:
    said.append(str(error).split(":")[0])
said.append(0.2 < time.monotonic() - started < 2)
go.set()
for holder in holders:
    holder.join()
with shares.share_of("account 1"):
    said.append("again")
# Quick ones wait for their turn and are not refused.
def quick():
    with shares.share_of("account 3"):
        time.sleep(0.05)
        said.append("quick")
many = [threading.Thread(target=quick) for _ in range(10)]
for one in many:
    one.start()
for one in many:
    one.join()
print(json.dumps(said))
"""
    said = run_in_superset(code, published_warehouse, tmp_path)
    assert said == ["another's: at once", "Busy", True, "again", *["quick"] * 10]


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
ours = sqlalchemy.create_engine("duckdb:///warehouse.duckdb", creator=warehouse.ANALYSTS.connect)
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
warehouse._seen.build = "one"
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
