"""What shop.yml decides beyond its files: the settings of a run, and what a run may touch."""

from __future__ import annotations

import pytest
import yaml
from own_shop import THREE_COLUMNS, Shop

from pipeline.base.errors import InputError
from pipeline.build.state import inputs_digest
from pipeline.landing.load import load
from pipeline.mapping.mapping import refuse_other_settings, settings_of_shop

SAYS = THREE_COLUMNS.format(file="t.csv") + "currency: GBP\ncountry: GB\ntime_zone: Europe/London\n"
DECIDED = {"shop_currency": "GBP", "shop_country": "GB", "shop_time_zone": "Europe/London"}


def test_a_run_has_the_shops_settings_unless_told_otherwise(own_shop: Shop) -> None:
    assert settings_of_shop("{as_of_date: 2024-01-01}") == "{as_of_date: 2024-01-01}"
    own_shop.write("t.csv", "customer,date,amount\na,2024-01-01,5\n", SAYS)
    assert yaml.safe_load(settings_of_shop(None) or "") == DECIDED
    told = yaml.safe_load(settings_of_shop("{shop_currency: EUR, churn_horizon_days: 60}") or "")
    assert told == {**DECIDED, "shop_currency": "EUR", "churn_horizon_days": 60}


def test_dbt_alone_is_not_to_build_another_shop(own_shop: Shop) -> None:
    own_shop.write("t.csv", "customer,date,amount\na,2024-01-01,5\n", SAYS)
    with pytest.raises(
        InputError, match=r"--vars '\{shop_currency: GBP, shop_country: GB, shop_time_zone: Europe/London\}'"
    ):
        refuse_other_settings({})
    refuse_other_settings(DECIDED)


def test_a_changed_mapping_is_another_build(own_shop: Shop) -> None:
    own_shop.write("t.csv", "customer,date,amount\na,2024-01-01,5\n", SAYS)
    before = inputs_digest(None, with_scores=False)
    assert inputs_digest(None, with_scores=False) == before
    own_shop.says(SAYS + "guest: [a]\n")
    assert inputs_digest(None, with_scores=False) != before


def test_what_a_shop_says_it_does_not_have_is_left_aside(own_shop: Shop) -> None:
    says = """
    files: {visits: visits.csv, remarks: remarks.csv}
    tables:
      orders:
        from: visits
        columns: {order_id: id, customer_id: id, order_purchase_timestamp: day}
      customers: {from: visits, columns: {customer_id: id, customer_unique_id: person}}
      order_payments: {from: visits, columns: {order_id: id, payment_sequential: "1", payment_value: paid}}
      order_reviews: {from: remarks, columns: {review_id: id, order_id: id, review_score: score}}
    """
    own_shop.write("visits.csv", "id,person,day,paid\n1,a,2024-01-01,5\n", says)
    own_shop.write("remarks.csv", "id,score\n1,5\n", says)
    own_shop.says(says + "has: {reviews: false}\n")
    load()
    assert not own_shop.landing.joinpath("order_reviews").exists() or own_shop.rows("order_reviews") == []
    assert len(own_shop.rows("orders")) == 1
    own_shop.says(says + "has: {reviewers: false}\n")
    with pytest.raises(InputError, match="Did you mean reviews"):
        load()


def test_an_expression_reads_nothing_else_of_the_machine(own_shop: Shop) -> None:
    own_shop.raw.parent.joinpath("secret.txt").write_text("keep out")
    stolen = f"(select content from read_text('{own_shop.raw.parent / 'secret.txt'}'))"
    own_shop.write("t.csv", "customer,date,amount\na,2024-01-01,5\n")
    own_shop.says(f'preset: transactions\nfrom: t.csv\ncolumns: {{customer: "{stolen}", date: date, amount: amount}}\n')
    with pytest.raises(InputError, match="Permission Error"):
        load()
