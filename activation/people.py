"""Who an audience is today: its condition on the published warehouse, less everyone who is left out, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from activation.audiences import Audience, Declared
from activation.conditions import check_condition, check_sort, check_stratum
from activation.contacts import Contacts, read_contacts
from pipeline.base import campaigns, paths
from pipeline.base.errors import InputError
from pipeline.base.resources import restrain
from pipeline.base.settings import project_vars
from pipeline.base.sql import literal, name_of

# Why somebody is left out, in the order in which it is looked at: each person is counted once.
REASONS = {
    "no_consent": "did not agree to the channel, or no address",
    "in_campaign": "in a campaign that is not over",
    "contacted": "written to a short while ago",
    "complained": "gave one or two stars a short while ago",
}


@dataclass(frozen=True)
class Selection:
    """An audience of today.

    Attributes
    ----------
    matching
        People who meet the condition.
    left_out
        Reason to people, as in ``REASONS``; a reason that was not looked at is absent.
    people
        Who remain, the first ``size`` in the declared order: customer_id, stratum, draw of the global control,
        churn_probability.
    """

    audience: Audience
    matching: int
    left_out: dict[str, int]
    people: pa.Table


@dataclass
class Today:
    """The published warehouse, open read-only, with the campaigns and consents of today beside it."""

    connection: duckdb.DuckDBPyConnection
    as_of: dt.date
    contacts: Contacts | None
    columns: dict[str, str]
    new_people_per_month: float
    people: int
    notes: list[str] = field(default_factory=list)

    def select(self, declared: Declared, audience: Audience) -> Selection:
        """Find who an audience is.

        Raises
        ------
        InputError
            Its condition cannot be used; the message names file, audience and column.
        """
        where = f"{declared.file.name}, audience {audience.name}"
        check_condition(self.connection, audience.who, self.columns, where)
        order = check_sort(audience.sort, self.columns, where)
        check_stratum(audience.stratify_by, self.columns, where)
        stratum = f"cast({name_of(audience.stratify_by)} as varchar)" if audience.stratify_by else "NULL"
        tests = self._left_out_tests(audience)
        reason = " ".join(f"WHEN {test} THEN {literal(name)}" for name, test in tests.items())
        try:
            self.connection.execute(
                f"""CREATE OR REPLACE TEMP TABLE matching AS
                SELECT customer_id, {stratum}::VARCHAR AS stratum, churn_probability, churn_horizon_days,
                    {f"CASE {reason} END" if reason else "NULL"}::VARCHAR AS reason,
                    row_number() OVER (ORDER BY {order}) AS place
                FROM warehouse.marts.customer_360
                WHERE (
                {audience.who}
                )"""
            )
        except duckdb.Error as error:
            first = str(error).strip().splitlines()[0]
            raise InputError(f"{where}: who cannot be computed: {first}") from error
        counted = self.connection.execute("SELECT reason, count(*) FROM matching GROUP BY 1").fetchall()
        left_out = dict.fromkeys(tests, 0)
        left_out |= {name: count for name, count in counted if name is not None}
        people = self.connection.sql(
            f"""SELECT customer_id, stratum, churn_probability, churn_horizon_days
            FROM matching WHERE reason IS NULL ORDER BY place LIMIT {audience.size}"""
        ).to_arrow_table()
        return Selection(audience, sum(count for _, count in counted), left_out, people)

    def running(self, audience: Audience) -> list[str]:
        """List the launches of an audience that are not over."""
        rows = self.connection.execute(
            "SELECT DISTINCT launch_id FROM members WHERE audience = ? AND ends_on > ?", [audience.name, self.as_of]
        ).fetchall()
        return sorted(str(row[0]) for row in rows)

    def _left_out_tests(self, audience: Audience) -> dict[str, str]:
        person = "lower(customer_id)" if self._merges else "customer_id"
        day = literal(self.as_of)
        tests = {}
        if self.contacts is not None:
            tests["no_consent"] = (
                f"{person} NOT IN (SELECT person FROM agreed WHERE channel = {literal(audience.channel)})"
            )
        rules = audience.leave_out
        if rules.in_another_campaign:
            tests["in_campaign"] = f"{person} IN (SELECT person FROM members WHERE ends_on > {day})"
        if rules.contacted_within_days:
            since = literal(self.as_of - dt.timedelta(days=rules.contacted_within_days))
            tests["contacted"] = f"{person} IN (SELECT person FROM written_to WHERE starts_on >= {since})"
        if rules.complained_within_days:
            since = literal(self.as_of - dt.timedelta(days=rules.complained_within_days))
            tests["complained"] = (
                "customer_id IN (SELECT customer_id FROM warehouse.marts.fct_orders "
                f"WHERE review_score <= 2 AND review_answered_at >= {since})"
            )
        return tests

    @property
    def _merges(self) -> bool:
        return bool(project_vars()["merge_person_spellings"])


@contextmanager
def open_today() -> Iterator[Today]:
    """Open the published warehouse with campaigns and consents; nothing in it can be written, nothing else be read.

    Raises
    ------
    InputError
        Nothing is published yet, or a campaign file or the contacts cannot be read.
    """
    file = paths.current_link() / "warehouse.duckdb"
    if not file.exists():
        raise InputError("Nothing is published yet: run `make warehouse`.")
    merges = bool(project_vars()["merge_person_spellings"])
    members, exports = campaigns.read_all("launches"), campaigns.read_all("exports")
    contacts = read_contacts(merges_spellings=merges)
    with duckdb.connect() as connection:
        restrain(connection, paths.spill_dir())
        connection.execute(f"ATTACH {literal(file.resolve())} AS warehouse (READ_ONLY)")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        spelt = "lower(customer_id)" if merges else "customer_id"
        agreed = {
            "person": [person for channel in _channels(contacts) for person in channel[1]],
            "channel": [channel[0] for channel in _channels(contacts) for _ in channel[1]],
        }
        for name, rows in {
            "members_read": members.select(["launch_id", "audience", "starts_on", "ends_on", "customer_id"]),
            "exports_read": exports.select(["launch_id", "customer_id"]),
            "agreed_read": pa.table(agreed, schema=pa.schema({"person": pa.string(), "channel": pa.string()})),
        }.items():
            connection.register(name, rows)
        connection.execute(f"CREATE TEMP TABLE members AS SELECT *, {spelt} AS person FROM members_read")
        connection.execute("CREATE TEMP TABLE agreed AS FROM agreed_read")
        connection.execute(
            f"""CREATE TEMP TABLE written_to AS
            SELECT {spelt} AS person, max(starts_on) AS starts_on FROM exports_read
            JOIN (SELECT DISTINCT launch_id, starts_on FROM members_read) USING (launch_id) GROUP BY 1"""
        )
        columns = {
            str(name): str(kind)
            for name, kind, *_ in connection.execute("DESCRIBE warehouse.marts.customer_360").fetchall()
        }
        row = connection.execute(
            """SELECT as_of_date, (SELECT count(*) FROM warehouse.marts.customer_360),
                (SELECT count(*) FROM warehouse.marts.customer_360 WHERE first_valid_order_at >= as_of_date - 90) / 3.0
            FROM warehouse.marts.build_info"""
        ).fetchone()
        if row is None:
            raise InputError("The published warehouse has no build_info: run `make warehouse`.")
        notes = (
            contacts.notes
            if contacts is not None
            else [f"no contacts.csv in {paths.raw_dir().name}: nobody's consent is known, so nothing can be exported"]
        )
        yield Today(connection, row[0], contacts, columns, float(row[2]), int(row[1]), notes)


def _channels(contacts: Contacts | None) -> list[tuple[str, list[str]]]:
    if contacts is None:
        return []
    return [(channel, contacts.agreed(channel)) for channel in ("email", "sms", "ads")]
