"""The file of audiences: what is declared is what is meant, and whatever cannot be meant is named."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml

from activation.audiences import FILE, read_audiences
from activation.conditions import check_condition, check_sort
from pipeline.base.errors import InputError

COLUMNS = {"customer_id": "VARCHAR", "frequency": "INTEGER", "rfm_segment": "VARCHAR", "value_at_risk": "DECIMAL(18,2)"}
ONE = {"name": "one", "about": "One.", "who": "true", "channel": "email", "size": 10}
SETTINGS = {"salt": "a", "global_control": {"share": 0.1, "salt": "b"}, "phone_country": "BR"}


def written(folder: Path, content: object) -> Path:
    file = folder / "audiences.yml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return file


def test_the_project_declares_audiences_that_can_be_read() -> None:
    declared = read_audiences(FILE)
    assert {"win_back_high_value", "second_purchase", "about_to_lapse", "champions"} <= set(declared.audiences)
    with pytest.raises(InputError, match="has no audience nobody"):
        declared.audience("nobody")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "audience one: size must be a whole number from 1"),
        ({"size": 1.5}, "size must be a whole number"),
        ({"control_share": True}, "control_share must be a number"),
        ({"channel": "pigeon"}, "channel must be one of email, sms, ads, not 'pigeon'"),
        ({"name": "a/b"}, "name must be letters, digits and underscores"),
        ({"whom": "x"}, "whom means nothing here"),
        ({"who": None}, "who is missing"),
        ({"leave_out": False}, "leave_out: expected"),
        ({"leave_out": {"contacted": 3}}, "leave_out: contacted means nothing here"),
        ({"leave_out": {"in_another_campaign": "yes"}}, "in_another_campaign must be true or false"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    file = written(tmp_path, {"settings": SETTINGS, "audiences": [{**ONE, **change}]})
    with pytest.raises(InputError, match=r"audiences\.yml") as raised:
        read_audiences(file)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"settings": SETTINGS, "audiences": [ONE, ONE]}, "two audiences are called one"),
        ({"settings": SETTINGS, "audiences": []}, "one audience at least"),
        (
            {"settings": {**SETTINGS, "phone_country": "Brazil"}, "audiences": [ONE]},
            "must be two capitals",
        ),
        ("audiences: [", "is no YAML"),
        ("", "expected audiences, settings"),
    ],
)
def test_a_file_that_cannot_be_meant_is_named(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(InputError) as raised:
        read_audiences(written(tmp_path, content))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "condition",
    [
        "frequency >= 2 and rfm_segment in ('At risk', 'Can''t lose')",
        "case when frequency > 1 then true else value_at_risk > 10.5 end",
        "coalesce(rfm_segment, '') like 'A%' and not frequency between 2 and 3",
        "frequency::double / 2 > 1 -- a word about it",
    ],
)
def test_a_condition_is_one_expression_on_columns_that_are_there(condition: str) -> None:
    with duckdb.connect() as connection:
        check_condition(connection, condition, COLUMNS, "file, audience one")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("frequency in (select 1)", "who holds a subquery"),
        ("true) union all select (1", "not a query or several statements"),
        ("true) order by (1", "not a query or several statements"),
        ("true); select 1; select (1", "not a query or several statements"),
        ("true); drop table x; select (1", "who is no SQL condition"),
        ("rank() over () > 1", "who holds a window"),
        ("frequency = ?", "who holds a parameter"),
        ("frequency >", "who is no SQL condition"),
        ("frequncy > 1", "reads frequncy, which is no column of customer_360. Is frequency meant?"),
        ("email = 'x'", "reads email, which is no column"),
    ],
)
def test_anything_else_is_refused(condition: str, message: str) -> None:
    with duckdb.connect() as connection, pytest.raises(InputError, match="file, audience one") as raised:
        check_condition(connection, condition, COLUMNS, "file, audience one")
    assert message in str(raised.value)


def test_the_order_is_a_column_and_total() -> None:
    assert check_sort("value_at_risk desc", COLUMNS, "x") == '"value_at_risk" desc NULLS LAST, customer_id'
    for sort in ("value_at_risk; drop", "1", "frequency up"):
        with pytest.raises(InputError):
            check_sort(sort, COLUMNS, "x")
