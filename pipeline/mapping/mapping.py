"""A shop's files through its ``shop.yml`` to raw tables, which the landing then judges as any others."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml

from pipeline.base import paths
from pipeline.base.console import say, step
from pipeline.base.errors import InputError
from pipeline.base.files import digest_of, is_as_written, read_record, write_record
from pipeline.base.resources import restrain
from pipeline.base.sql import literal, name_of
from pipeline.landing.contract import contract_digest, raw_tables
from pipeline.mapping.expressions import Expressions
from pipeline.mapping.ledger import Ledger, Outcome
from pipeline.mapping.shopfile import Shop, read_shop, shop_file
from pipeline.mapping.sources import Sources, find_files, plain

MAPPED = ".mapped"
RECORD = "mapped.json"


@dataclass
class Mapped:
    """What a shop's files were mapped to.

    Attributes
    ----------
    folder : Path
        Holds one Parquet file of texts for each raw table.
    files : dict of str to str
        Table to what its rows come from, as messages call it.
    rows : dict of str to int
        Records of each file of the shop's.
    left_out : dict of str to int
        Lines that the shop's file says to leave out, by why.
    notes : list of str
        What a person should know.
    keeps_zips : bool
        Whether zip codes are taken as they are written; five digits are Brazil's way and that of the United States.
    """

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    keeps_zips: bool = False


def settings_of_shop(variables: str | None) -> str | None:
    """Put what the shop's file decides under the variables of a command line.

    Parameters
    ----------
    variables : str, optional
        dbt variables as YAML; what they say goes before the shop's file.
    """
    file = shop_file()
    if file is None:
        return variables
    known = yaml.safe_load((paths.PROJECT / "dbt_project.yml").read_text())["vars"]
    decided = {name: value for name, value in read_shop(file).settings().items() if name in known}
    try:
        given = yaml.safe_load(variables) if variables else {}
    except yaml.YAMLError:
        return variables
    if not decided or not isinstance(given, dict):
        return variables
    return yaml.safe_dump({**decided, **given}, default_flow_style=True, width=10_000).strip()


def state_of_shop() -> list[str] | None:
    """List what the shop's tables are made from, without reading the files; None where the shop has no ``shop.yml``."""
    file = shop_file()
    if file is None:
        return None
    shop = read_shop(file)
    listed = [f"shop={shop.digest()}"]
    for table, files in shop.files.items():
        for path in find_files(_raw_dir(), table, files):
            state = path.stat()
            listed.append(f"{table}={path.name}:{path.resolve()}:{state.st_size}:{state.st_mtime_ns}")
    return listed


def _raw_dir() -> Path:
    folder = paths.raw_dir()
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Set RAW_DIR to the folder of the shop's files.")
    return folder


def refuse_other_settings(given: Mapping[str, Any]) -> None:
    """Stop where dbt runs by itself with other settings than the shop's file decides.

    Parameters
    ----------
    given : mapping of str to object
        The variables of dbt's command line.

    Raises
    ------
    InputError
        With the command to run instead.
    """
    file = shop_file()
    if file is None:
        return
    project = yaml.safe_load((paths.PROJECT / "dbt_project.yml").read_text())["vars"]
    decided = {name: value for name, value in read_shop(file).settings().items() if name in project}
    if any({**project, **given}[name] != value for name, value in decided.items()):
        listed = ", ".join(
            f"{name}: {'null' if value is None else value}" for name, value in {**given, **decided}.items()
        )
        raise InputError(f"{file} decides what dbt was not told: add --vars '{{{listed}}}', or run `make warehouse`.")


def map_shop(landing: Path) -> Mapped | None:
    """Map the shop's files, or recall what they were mapped to; None where the shop has no ``shop.yml``.

    Parameters
    ----------
    landing : Path
        The landing folder.

    Raises
    ------
    InputError
        The shop's file, or a file it names, cannot be used.
    """
    file = shop_file()
    if file is None:
        return None
    shop = read_shop(file)
    folder = landing / MAPPED
    made_from = _made_from(shop)
    known = _recalled(folder, made_from)
    if known is not None:
        return known
    with step(f"map {file.name}") as this:
        work = landing / ".mapping"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            mapped, _ = map_into(shop, work)
            shutil.rmtree(folder, ignore_errors=True)
            (work / "tables").replace(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        mapped.folder = folder
        record = {name: value for name, value in asdict(mapped).items() if name != "folder"}
        written = {entry.name: digest_of(entry) for entry in sorted(folder.iterdir())}
        write_record(folder / RECORD, {"made_from": made_from, "written": written, **record})
        this.result = f"{sum(mapped.rows.values()):,} rows of {len(mapped.rows)} files"
    for note in mapped.notes:
        say(f"    {note}")
    for why, rows in mapped.left_out.items():
        say(f"    left out, as {file.name} says: {rows:,} lines, {why}")
    return mapped


def map_into(shop: Shop, work: Path, *, is_dry: bool = False) -> tuple[Mapped, tuple[Outcome, list[str]]]:
    """Read the shop's files and write the raw tables into ``tables`` in a folder.

    Returns
    -------
    tuple
        What was mapped, and what became of the fields with all faults that a dry run has found.
    """
    folder = work / "tables"
    folder.mkdir()
    with duckdb.connect(str(work / "sources.duckdb")) as connection:
        restrain(connection, work / "spill")
        connection.execute("SET TimeZone = 'UTC'")
        # lives for minutes: compressing it would cost more than reading the files does
        connection.execute("PRAGMA force_compression = 'uncompressed'")
        sources = Sources(connection, paths.raw_dir(), work)
        for table, files in shop.files.items():
            there = {plain(name) for name in sources.read(table, files)}
            for column in shop.may_lack.get(table, ()):
                if plain(column) not in there:
                    connection.execute(f"ALTER TABLE {name_of(table)} ADD COLUMN {name_of(column)} VARCHAR")
        # an expression of the shop's reads its tables and nothing else of the machine
        connection.execute(f"SET allowed_directories = [{literal(folder)}, {literal(work / 'spill')}]")
        connection.execute("SET enable_external_access = false")
        faults: list[str] = []
        if shop.tables:
            outcome = _mapped_tables(connection, shop)
        else:
            ledger = Ledger(connection, shop, is_dry=is_dry)
            outcome = ledger.compile()
            faults = ledger.faults
        mapped = Mapped(folder, rows=sources.rows, left_out=outcome.left_out, notes=[*sources.notes, *outcome.notes])
        mapped.keeps_zips = shop.country not in ("", "BR", "US")
        for table, select in outcome.tables.items():
            target = folder / f"{raw_tables()[table].stem}.parquet"
            connection.execute(f"COPY ({select}) TO {literal(target)} (FORMAT parquet, COMPRESSION snappy)")
            mapped.files[table] = _named_files(connection, target, list(sources.rows))
    return mapped, (outcome, faults)


def _mapped_tables(connection: duckdb.DuckDBPyConnection, shop: Shop) -> Outcome:
    """Write the SQL of tables that are mapped one by one."""
    outcome = Outcome()
    for name, mapping in shop.tables.items():
        table = raw_tables()[name]
        expressions = Expressions(connection, shop, mapping.origin)
        columns = mapping.columns or {
            column: column for column in table.fields if column.replace("_", "") in expressions.columns
        }
        listed = []
        for column, expression in columns.items():
            text = expressions.text(column, (expression,))
            if column == "order_status" and shop.statuses:
                text = _status(text, shop.statuses)
            listed.append(f"{text} AS {name_of(column)}")
        lacking = [column for column in table.fields if table.is_needed(column) and column not in columns]
        if lacking:
            raise InputError(f"{shop.file}: tables.{name}.columns lacks {', '.join(lacking)}.")
        outcome.tables[name] = f"""SELECT {", ".join(listed)}, _file AS _source_file, _line AS _source_line,
            NULL::VARCHAR AS _problem, NULL::VARCHAR AS _fault, NULL::VARCHAR AS _source_row
            FROM {expressions.relation}"""
    return outcome


def _status(text: str, statuses: Mapping[str, str]) -> str:
    cases = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in statuses.items())
    return f"CASE lower(trim({text})) {cases} ELSE {text} END"


def _named_files(connection: duckdb.DuckDBPyConnection, target: Path, files: list[str]) -> str:
    used = {
        name
        for (name,) in connection.execute(
            f"SELECT DISTINCT _source_file FROM read_parquet({literal(target)}, hive_partitioning = false)"
        ).fetchall()
    }
    named = [name for name in files if name in used] or files
    return ", ".join(named) if len(named) < 4 else f"{named[0]} to {named[-1]} ({len(named)} files)"


def _made_from(shop: Shop) -> str:
    """Digest all that the mapped tables depend on: the shop's file, the bytes of its files, and this code."""
    folder = _raw_dir()
    parts = [shop.digest(), contract_digest(), duckdb.__version__]
    for table, files in shop.files.items():
        parts += [f"{table} {path.name} {digest_of(path)}" for path in find_files(folder, table, files)]
    parts += [digest_of(file) for file in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _recalled(folder: Path, made_from: str) -> Mapped | None:
    record = read_record(folder / RECORD)
    if record is None or record.get("made_from") != made_from:
        return None
    if not all(is_as_written(folder / name, digest) for name, digest in record["written"].items()):
        return None
    kept: dict[str, Any] = {name: record[name] for name in ("files", "rows", "left_out", "notes", "keeps_zips")}
    return Mapped(folder, **kept)
