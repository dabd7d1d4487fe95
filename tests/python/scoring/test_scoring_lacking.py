"""Scoring where a shop lacks something: features that are alike for everyone, groups in a shop of regulars."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.clusters import TRAITS, name_profiles
from scoring.features import RHYTHM, Category, FeatureTable, constant
from scoring.models.additive import AdditiveScore, LinearTerm
from scoring.models.btyd import BuyTillYouDie
from scoring.models.rhythm import HISTORY, Rhythm


def test_features_that_are_alike_for_everyone_teach_nothing() -> None:
    nothing = np.full(3, np.nan)
    table = FeatureTable(
        3,
        {
            "recency_days": np.array([1.0, 2.0, 2.0]),
            "late_share": nothing,
            "review_count": np.zeros(3),
            "last_gap_days": np.array([np.nan, 7.0, 7.0]),
        },
        {
            "customer_state": Category(np.zeros(3, dtype=np.int32), ("unknown",)),
            "last_order_weekday": Category(np.array([0, 1, 1], dtype=np.int32), ("Monday", "Tuesday")),
        },
    )
    assert constant(table) == {"late_share", "review_count", "customer_state"}


@pytest.mark.parametrize(
    ("typical", "names"),
    [((1.0, 4.0), ("one order", "several orders")), ((14.0, 40.0), ("fewer orders", "several orders"))],
)
def test_a_group_is_not_called_one_order_where_its_people_have_many(
    typical: tuple[float, float], names: tuple[str, str]
) -> None:
    place = [trait.feature for trait in TRAITS].index("order_count")
    centers, values = np.zeros((2, len(TRAITS))), np.ones((2, len(TRAITS)))
    centers[:, place], values[:, place] = (-1.0, 1.0), typical
    assert name_profiles(centers, values) == names


@pytest.mark.parametrize("feature", ["distinct_products", RHYTHM.name])
def test_a_model_reads_the_columns_it_names_and_no_others(feature: str) -> None:
    rhythm = Rhythm(BuyTillYouDie("mbg", 0.3, 90.0, 0.8, 1.2, -1.0), 90)
    model = AdditiveScore(0.5, (LinearTerm(feature, False, 0.1, 0.0, 0.0),), rhythm)
    assert model.features == (HISTORY if feature == RHYTHM.name else (feature,))
    named = FeatureTable(2, {name: np.array([40.0, 200.0]) for name in model.features}, {})
    assert np.isfinite(model.score(named)).all()
    assert list(model.contributions(named)) == [feature]
