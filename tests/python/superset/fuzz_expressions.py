"""Send the served file expressions that nobody would write, and keep those that break or crash DuckDB.

    python tests/python/superset/fuzz_expressions.py WAREHOUSE.duckdb [--expressions 100000] [--seconds 900] [--seed 1]

Each batch runs in a process of its own, with the server's settings and a limit on its memory; the expression that ends
it is printed as a line of JSON. What was found is kept in `BREAKING` of `test_superset_connection.py`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import duckdb

BATCH = 2000
EXPRESSION_SECONDS = 1.0
MEMORY = 3 * 2**30
CONSTANTS = [
    *("NULL", "0", "1", "-1", "2", "1.5", "'x'", "''", "'2020-01-01'", "date '2020-01-01'", "timestamp '2020-01-01'"),
    *("true", "interval 1 day", "[1, 2]", "['x']", "[]", "{'a': 1}", "map {'a': 1}", "9223372036854775807", "1e308"),
    *("'nan'::double", "'\\x00'::blob", "'101'::bit", "uuid()", "x -> x", "12::utinyint", "1::hugeint", "'[1]'::json"),
    *("'%Y'", "'day'", "time '12:00'", "array_value(1.0, 2.0)", "'abc' COLLATE NOCASE", "-0.0", "1::decimal(38, 10)"),
]
CASTS = [
    "varchar",
    "integer",
    "double",
    "date",
    "timestamp",
    "blob",
    "json",
    "bit",
    "variant",
    "decimal(5, 2)",
    "int[]",
]
SETTINGS: dict[str, Any] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": "1GB",
    "lock_configuration": True,
}


def expression(draw: random.Random, functions: list[tuple[str, int]], columns: list[str], depth: int) -> str:
    """Return one expression: functions and operators called by name, with columns and constants of any type."""
    kind = draw.random()
    if depth == 0 or kind < 0.15:
        return draw.choice(columns) if draw.random() < 0.5 else draw.choice(CONSTANTS)

    def inner() -> str:
        return expression(draw, functions, columns, depth - 1)

    if kind < 0.22:
        return f"try_cast({inner()} as {draw.choice(CASTS)})"
    if kind < 0.26:
        return f"case when {inner()} then {inner()} else {inner()} end"
    name, count = draw.choice(functions)
    count = count if draw.random() < 0.8 else draw.randint(0, 4)
    extra = ""
    if draw.random() < 0.08:
        extra = draw.choice([" over ()", f" over (order by {draw.choice(columns)})", f" filter (where {inner()})"])
    distinct = "distinct " if draw.random() < 0.03 else ""
    quoted = name.replace('"', '""')
    return f'"{quoted}"({distinct}{", ".join(inner() for _ in range(count))}){extra}'


def describe(file: Path) -> tuple[list[tuple[str, int]], dict[str, list[str]]]:
    """Return DuckDB's functions with numbers of arguments, and columns by table."""
    with duckdb.connect(str(file), read_only=True, config=SETTINGS) as connection:
        functions = connection.execute(
            r"""select distinct function_name, least(len(parameter_types), 4) from duckdb_functions()
            where function_type in ('scalar', 'aggregate', 'window', 'macro')
                and regexp_full_match(function_name, '\w+')  -- operators called by name are refused
            order by all"""
        ).fetchall()
        columns = connection.execute(
            """select schema_name || '.' || table_name, list(column_name) from duckdb_columns()
            where schema_name = 'marts' group by 1 order by 1"""
        ).fetchall()
    return functions, dict(columns)


def run_batch(file: str, seed: int, depth: int, numbers: range, pipe: Any) -> None:
    """Run expressions by number; say each before it runs, and stop at what breaks the database."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    functions, columns = describe(Path(file))
    connection = duckdb.connect(file, read_only=True, config=SETTINGS)
    for number in numbers:
        draw = random.Random(f"{seed}-{number}")  # noqa: S311  (it draws expressions, not secrets)
        table = draw.choice(sorted(columns))
        asked = expression(draw, functions, columns[table], depth)
        if draw.random() < 0.5:
            asked = f"max({asked})"
        statement = f"select {asked} from (from {table} limit 50)"
        pipe.send((number, statement, ""))
        timer = threading.Timer(EXPRESSION_SECONDS, connection.interrupt)
        timer.start()
        try:
            connection.execute(statement).fetchall()
        except (duckdb.InternalException, duckdb.FatalException) as error:
            pipe.send((number, statement, str(error).splitlines()[0]))
            return
        except (duckdb.Error, MemoryError, RuntimeError, ValueError, OverflowError, UnicodeDecodeError):
            pass
        finally:
            timer.cancel()
    pipe.send((numbers.stop, "", "done"))


def fuzz(file: Path, expressions: int, seconds: float, seed: int, depth: int) -> int:
    """Run all batches; print what was found and return how many expressions were run."""
    fork = multiprocessing.get_context("spawn")
    number, until = 0, time.monotonic() + seconds
    while number < expressions and time.monotonic() < until:
        ours, theirs = fork.Pipe(duplex=False)
        numbers = range(number, min(number + BATCH, expressions))
        worker = fork.Process(target=run_batch, args=(str(file), seed, depth, numbers, theirs))
        worker.start()
        theirs.close()
        last, said = (number, "", "nothing was run"), ""
        hung = False
        while True:
            try:
                if not ours.poll(120):
                    hung = True
                    worker.kill()
                    break
                last = ours.recv()
            except EOFError:
                break
        worker.join()
        if last[2] != "done":
            said = last[2] or ("hangs" if hung else f"exit {worker.exitcode}")
            print(json.dumps({"number": last[0], "said": said, "statement": last[1]}), flush=True)
            number = last[0] + 1
        else:
            number = last[0]
    return number


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--expressions", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--depth", type=int, default=2)
    given = parser.parse_args()
    run = fuzz(given.file.resolve(), given.expressions, given.seconds, given.seed, given.depth)
    print(f"{run} expressions run", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
