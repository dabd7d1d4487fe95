"""First purchases of a published warehouse, each at the moments when their future may be asked for.

A moment is a day: what is stamped after it is not looked at, and what happens after it, within a whole window, is what
is to be forecast. Purchases whose window has not ended yet teach nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from pipeline.base import paths
from pipeline.base.resources import restrain
from scoring.features import CITY, FeatureTable, Flags, Floats, from_arrow, to_floats
from scoring.store import BUCKET, PERSON

HORIZON_DAYS = 180
WAIT_DAYS = 14  # after delivery, for a review: those who have not answered by then are asked for no longer
CHECKOUT = "checkout"
DELIVERED = "delivered"
# The only order is the first, the last and the largest: of features that are then the same, one.
AT_CHECKOUT = (
    "first_order_payment",
    "last_order_items",
    "freight_share",
    "first_category",
    "first_payment_type",
    "last_installments",
    CITY.name,
    "customer_state",
    "customer_region",
    "last_order_weekday",
)
AFTER_DELIVERY = (
    "last_delivery_days",
    "last_delay_days",
    "last_review_score",
    "is_last_review_missing",
    "has_review_comment",
)
# When a moment comes, in the order of time, and what is known at it.
STAGES = {CHECKOUT: AT_CHECKOUT, DELIVERED: (*AT_CHECKOUT, *AFTER_DELIVERY)}


@dataclass(frozen=True)
class Moments:
    """First purchases at one stage, in the order of their moments; columns of length n.

    Parameters
    ----------
    features : FeatureTable
        What was known at the moment.
    day : array of int
        The moment, as a day number.
    is_back : array of bool
        Outcome: whether another occasion followed within the window.
    revenue : array of float
        Outcome: paid within the window.
    next_category : array of str or None
        Outcome: what the next occasion was for; None for those who did not come back.
    bucket, person : array of int
        0 to 999, and a number, drawn from the customer's id.
    """

    features: FeatureTable
    day: npt.NDArray[np.int64]
    is_back: Flags
    revenue: Floats
    next_category: npt.NDArray[np.object_]
    bucket: npt.NDArray[np.int64]
    person: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[np.intp] | Flags) -> Moments:
        """Return the chosen purchases."""
        return Moments(
            self.features.take(rows),
            self.day[rows],
            self.is_back[rows],
            self.revenue[rows],
            self.next_category[rows],
            self.bucket[rows],
            self.person[rows],
        )


def read(file: Path, horizon_days: int) -> tuple[date, dict[str, Moments]]:
    """Read the first purchases of a warehouse whose window has ended.

    Parameters
    ----------
    file : Path
        A published ``warehouse.duckdb``.
    horizon_days : int
        Length of the window.

    Returns
    -------
    as_of_date : date
        The day that the warehouse looks from.
    moments : dict of str to Moments
        By stage.
    """
    with duckdb.connect(str(file), read_only=True) as connection:
        restrain(connection, paths.spill_dir())
        found = connection.execute("select value from marts.parameters where name = 'as_of_date'").fetchone()
        assert found is not None
        as_of = date.fromisoformat(str(found[0])[:10])
        connection.execute(_FIRST_PURCHASES, {"as_of": as_of, "wait": WAIT_DAYS})
        return as_of, {stage: _moments(connection, stage, as_of, horizon_days) for stage in STAGES}


def _moments(connection: duckdb.DuckDBPyConnection, stage: str, as_of: date, horizon_days: int) -> Moments:
    names = STAGES[stage]
    table = connection.sql(
        f"""
        select
            {", ".join(names)}, date_diff('day', date '0001-01-01', {stage}_day) + 1 as day,
            coalesce(second_day <= {stage}_day + $horizon, false) as is_back,
            coalesce(list_sum([
                one.paid for one in later if one.day > {stage}_day and one.day <= {stage}_day + $horizon
            ]), 0) as revenue,
            case when second_day <= {stage}_day + $horizon then second_category end as next_category,
            {BUCKET} as bucket, {PERSON} as person
        from first_purchases
        -- those who were back before the moment are no longer new
        where {stage}_day + $horizon < $as_of and (second_day is null or second_day > {stage}_day)
        order by {stage}_day, customer_id
        """,
        params={"horizon": horizon_days, "as_of": as_of},
    ).to_arrow_table()
    return Moments(
        from_arrow(table, names),
        table.column("day").to_numpy(),
        table.column("is_back").to_numpy().astype(bool),
        to_floats(table.column("revenue")),
        np.array(table.column("next_category").to_pylist(), dtype=object),
        table.column("bucket").to_numpy(),
        table.column("person").to_numpy(),
    )


# A person's orders of one day are one occasion; what does not add up is that of its last order, as in churn_features.
_FIRST_PURCHASES: Any = """
    create temp table first_purchases as
    with valid_orders as (
        select
            *,
            row_number() over (
                partition by customer_id, customer_occasion_number order by customer_order_number desc
            ) = 1 as is_last_of_day
        from marts.fct_orders
        where is_valid_order and customer_id is not null and order_date < $as_of
    ),
    later_occasions as (
        select
            customer_id,
            list({'day': order_date, 'paid': paid}) as later,
            min(order_date) as second_day,
            min_by(category, order_date) as second_category
        from (
            select
                customer_id, order_date, sum(payment_value)::double as paid,
                max(case when is_last_of_day then coalesce(main_category, 'unknown') end) as category
            from valid_orders
            where customer_occasion_number > 1
            group by customer_id, order_date
        )
        group by customer_id
    ),
    first_days as (
        select
            customer_id,
            sum(payment_value) as first_order_payment,
            sum(item_count) as last_order_items,
            round(sum(freight_value)::double / nullif(sum(order_value), 0)::double, 9) as freight_share
        from valid_orders
        where customer_occasion_number = 1
        group by customer_id
    ),
    reviews as (
        select
            valid_orders.customer_id,
            fct_reviews.review_score,
            fct_reviews.review_id,
            fct_reviews.order_id,
            coalesce(fct_reviews.has_comment, false) as has_comment,
            coalesce(fct_reviews.review_answered_at, fct_reviews.review_created_at, valid_orders.purchased_at)
                as known_at
        from marts.fct_reviews
        inner join valid_orders on fct_reviews.order_id = valid_orders.order_id
        where valid_orders.customer_occasion_number = 1
    ),
    purchases as (
        select
            valid_orders.*,
            case when is_delivered then delivered_at::date end as arrived_day,
            (select count(*) from reviews) > 0 as has_reviews
        from valid_orders
        where customer_occasion_number = 1 and is_last_of_day
    ),
    first_reviews as (
        select customer_id, min(known_at)::date as reviewed_day from reviews group by customer_id
    ),
    moments as (
        select
            purchases.*,
            order_date as checkout_day,
            -- what never arrived has no such moment, reviewed or not
            case
                when arrived_day is not null then least(
                    greatest(arrived_day, coalesce(reviewed_day, arrived_day + if(has_reviews, $wait, 0))),
                    arrived_day + $wait
                )
            end as delivered_day
        from purchases
        left join first_reviews using (customer_id)
    ),
    known_reviews as (
        select
            customer_id,
            arg_max(reviews.review_score, (known_at, review_id, reviews.order_id)) as last_review_score,
            bool_or(has_comment) as has_comment
        from reviews
        inner join moments using (customer_id)
        where known_at::date <= delivered_day
        group by customer_id
    )
    select
        customer_id,
        checkout_day,
        delivered_day,
        first_order_payment,
        last_order_items,
        freight_share,
        coalesce(main_category, 'unknown') as first_category,
        coalesce(payment_type, 'unknown') as first_payment_type,
        max_installments as last_installments,
        coalesce(customer_city, 'unknown') as customer_city,
        coalesce(customer_state, 'unknown') as customer_state,
        coalesce(customer_region, 'unknown') as customer_region,
        isodow(order_date) as last_order_weekday,
        delivery_days as last_delivery_days,
        delay_days as last_delay_days,
        last_review_score,
        last_review_score is null as is_last_review_missing,
        coalesce(has_comment, false) as has_review_comment,
        coalesce(later, []) as later,
        second_day,
        second_category
    from moments
    inner join first_days using (customer_id)
    left join known_reviews using (customer_id)
    left join later_occasions using (customer_id)
"""
