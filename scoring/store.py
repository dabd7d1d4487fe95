"""The build database: the only module of scoring that touches it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.base import paths
from pipeline.base.resources import restrain
from scoring.features import NAMES, FeatureTable, from_arrow, to_floats
from scoring.fitting import Snapshot

BATCH_ROWS = 250_000
# Decimal digits of a digest, so that the same person gets the same number everywhere. The first characters choose the
# people of the past cut-offs and are no longer random among them.
BUCKET = "(('0x' || substr(md5(customer_id), 9, 8))::ubigint % 1000)::bigint"
PERSON = "('0x' || substr(md5(customer_id), 17, 15))::bigint"


class NoFeaturesError(Exception):
    """The build database has no features to score from."""


@dataclass(frozen=True)
class Frame:
    """What the features say of themselves.

    Parameters
    ----------
    as_of_date : date
    horizon_days : int
        Window of the outcome columns.
    customers : mapping of date to int
        Rows of each cut-off.
    history_days : mapping of date to int
        Days from the shop's first order to each cut-off.
    """

    as_of_date: date
    horizon_days: int
    customers: Mapping[date, int]
    history_days: Mapping[date, int]


class Store:
    """An open build database.

    Parameters
    ----------
    file : Path
    read_only : bool

    Raises
    ------
    NoFeaturesError
        When the file or the features are not there.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        if not file.exists():
            raise NoFeaturesError(f"{file.name} does not exist: run `dbt build` first.")
        self._connection = duckdb.connect(str(file), read_only=read_only)
        restrain(self._connection, paths.spill_dir())
        self._connection.execute("set enable_progress_bar = false")

    def __enter__(self) -> Store:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database."""
        self._connection.close()

    def settings(self) -> dict[str, float]:
        """Return the numeric thresholds of the build."""
        try:
            rows = self._connection.execute(
                "select name, try_cast(value as double) as number from marts.parameters where number is not null"
            ).fetchall()
        except duckdb.CatalogException as error:
            raise NoFeaturesError("The mart `parameters` is missing: run `dbt build` first.") from error
        return {str(name): float(value) for name, value in rows}

    def frame(self) -> Frame | None:
        """Return what there is to score, or None when no customer has a valid order."""
        try:
            rows = self._connection.execute(
                "select cutoff_date, as_of_date, horizon_days, count(*), max(tenure_days) from marts.churn_features "
                "group by all order by cutoff_date"
            ).fetchall()
        except duckdb.CatalogException as error:
            raise NoFeaturesError("The mart `churn_features` is missing: run `dbt build` first.") from error
        if not rows:
            return None
        return Frame(
            rows[0][1], int(rows[0][2]), {row[0]: int(row[3]) for row in rows}, {row[0]: int(row[4]) for row in rows}
        )

    def snapshot(self, cutoff: date, horizon_days: int | None = None) -> Snapshot:
        """Read everyone at one past cut-off, in the order of their ids.

        Parameters
        ----------
        cutoff : date
        horizon_days : int, optional
            Window of the outcomes, where it is another one than the features'.
        """
        outcomes, source = "orders_in_window, revenue_in_window", "marts.churn_features"
        parameters: list[date | int] = [cutoff]
        if horizon_days is not None:
            outcomes = "coalesce(orders, 0) as orders_in_window, coalesce(revenue, 0) as revenue_in_window"
            source += """ left join (
                select customer_id, count(distinct order_date) as orders, sum(payment_value) as revenue
                from marts.fct_orders
                where is_valid_order and order_date >= $1 and order_date < $1::date + $2::integer
                group by customer_id
            ) using (customer_id)"""
            parameters.append(horizon_days)
        table = self._connection.sql(
            f"""
            select {", ".join(NAMES)}, days_to_next_order, {outcomes}, {BUCKET} as bucket, {PERSON} as person
            from {source}
            where cutoff_date = $1
            order by customer_id
            """,
            params=parameters,
        ).to_arrow_table()
        return Snapshot(
            from_arrow(table),
            to_floats(table.column("days_to_next_order")),
            table.column("bucket").to_numpy(),
            table.column("person").to_numpy(),
            np.full(table.num_rows, cutoff.toordinal(), dtype=np.int64),
            to_floats(table.column("orders_in_window")),
            to_floats(table.column("revenue_in_window")),
        )

    def digests(self, cutoffs: Sequence[date], horizon_days: int) -> dict[str, str]:
        """Return a digest of what is known of each cut-off: its customers, their features, what they did."""
        columns = ", ".join(
            (
                "customer_id",
                *NAMES,
                # a return after the window becomes known later and changes nothing
                f"case when days_to_next_order < {horizon_days} then days_to_next_order end",
                "orders_in_window",
                "revenue_in_window",
            )
        )
        rows = self._connection.execute(
            f"""
            select cutoff_date, count(*), bit_xor(hash({columns})), sum(hash({columns}) % 4294967296)
            from marts.churn_features
            where cutoff_date in (select unnest(?::date[]))
            group by cutoff_date
            """,
            [list(cutoffs)],
        ).fetchall()
        return {row[0].isoformat(): f"{row[1]}-{row[2]:016x}-{row[3]}" for row in rows}

    def ids(self, cutoff: date) -> list[str]:
        """Return who stands at a cut-off, in the order of :meth:`snapshot`."""
        rows = self._connection.execute(
            "select customer_id from marts.churn_features where cutoff_date = ? order by customer_id", [cutoff]
        ).fetchall()
        return [str(row[0]) for row in rows]

    def shipped_kind(self) -> str:
        """Return the kind of model in use, of the features' horizon.

        Raises
        ------
        NoFeaturesError
            When nothing ships.
        """
        rows = self._connection.execute(
            "select model from scores.churn_model "
            "where horizon_days in (select horizon_days from marts.churn_features limit 1)"
        ).fetchall()
        if not rows:
            raise NoFeaturesError("No model ships: run `python -m scoring`, and see why in what it prints.")
        return str(rows[0][0])

    def sample(self, cutoff: date, rows: int, names: Sequence[str] = NAMES) -> FeatureTable:
        """Read a sample of a cut-off: always the same customers, chosen by a digest of their ids."""
        table = self._connection.sql(
            f"""
            select {", ".join(names)}
            from (
                select *
                from marts.churn_features
                where cutoff_date = ?
                order by substr(md5(customer_id), 17, 8), customer_id
                limit {rows}
            )
            order by customer_id
            """,
            params=[cutoff],
        ).to_arrow_table()
        return from_arrow(table, names)

    def cluster_medians(self, cutoff: date, names: Sequence[str]) -> dict[tuple[int | None, str], float | None]:
        """Return the median of features over everyone of a cluster, and under None over everyone.

        Returns
        -------
        dict
            By cluster and feature, six decimals; None where nobody has a value.
        """
        medians = ", ".join(f"round(median({name}::double), 6)" for name in names)
        rows = self._connection.execute(
            f"""
            select cluster, {medians}
            from marts.churn_features
            inner join scores.customer_clusters using (customer_id)
            where cutoff_date = ?
            group by grouping sets ((), (cluster))
            """,
            [cutoff],
        ).fetchall()
        return {(row[0], name): value for row in rows for name, value in zip(names, row[1:], strict=True)}

    def batches(self, cutoff: date, names: Sequence[str] = NAMES) -> Iterator[pa.Table]:
        """Read customer_id and features of everyone at a cut-off, in the order of their ids, in bounded portions."""
        reader = (
            self._connection.cursor()
            .sql(
                f"select {', '.join(('customer_id', *names))} from marts.churn_features "
                "where cutoff_date = ? order by customer_id",
                params=[cutoff],
            )
            .to_arrow_reader(BATCH_ROWS)
        )
        pending: list[pa.RecordBatch] = []
        rows = 0
        for batch in reader:
            pending.append(batch)
            rows += batch.num_rows
            if rows >= BATCH_ROWS:
                yield pa.Table.from_batches(pending)
                pending, rows = [], 0
        if pending:
            yield pa.Table.from_batches(pending)

    def replace(self, name: str, tables: Iterator[pa.Table] | Sequence[pa.Table]) -> int:
        """Replace the rows of a score table, all or nothing; columns go by name.

        Returns
        -------
        int
            Rows written.
        """
        written = 0
        # Portions are gathered outside the transaction: DuckDB keeps every Arrow table that a transaction has read,
        # and with it all columns of the batch it was made from, until the transaction ends.
        self._connection.execute(f"create or replace temp table gathered as from scores.{name} limit 0")
        for table in tables:
            self._connection.register("incoming", table)
            self._connection.execute("insert into gathered by name select * from incoming")
            self._connection.unregister("incoming")
            written += table.num_rows
        self._connection.execute("begin")
        try:
            self._connection.execute(f"delete from scores.{name}")
            self._connection.execute(f"insert into scores.{name} from gathered")
            self._connection.execute("commit")
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("drop table gathered")
        return written

    def replace_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Replace the rows of a small score table; NaN becomes NULL."""
        if not rows:
            return self.replace(name, [])
        columns = {column: pa.array([plain(row[column]) for row in rows], from_pandas=True) for column in rows[0]}
        return self.replace(name, [pa.table(columns)])


def plain(value: Any) -> Any:
    """Return a number of Python's own; None for NaN."""
    if isinstance(value, (float, np.floating)):
        return None if np.isnan(value) else float(value)
    if isinstance(value, np.integer):
        return int(value)
    return value
