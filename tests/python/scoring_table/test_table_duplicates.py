"""Copies are found, whatever form they take, and only where they are no accident."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from demo.labelled import CASHBACK_SHIFT, SHIFT, SHIFTED, Labelled, make_labelled
from scoring.table.columns import Table
from scoring.table.duplicates import Copies, find_copies
from scoring.table.folds import make_folds
from scoring.table.spellings import propose


def table_of(made: Labelled) -> tuple[Table, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    columns = {name: values for name, values in made.columns.items() if name not in ("CustomerID", "Churn")}
    numbers = {name: values.astype(np.float64) for name, values in columns.items() if values.dtype != object}
    words = {name: values for name, values in columns.items() if values.dtype == object}
    return Table(len(made.probability), numbers, words), made.columns["Churn"] == 1


def copies_of(made: Labelled) -> Copies:
    table, is_positive = table_of(made)
    return find_copies(table.merged(propose(table)), is_positive, 1)


def test_a_table_repeated_with_constants_added_is_found() -> None:
    made = make_labelled(700, has_twins=False)
    copies = copies_of(made)
    assert copies.shift == {**dict.fromkeys(SHIFTED, SHIFT), "CashbackAmount": CASHBACK_SHIFT}
    assert copies.shifted == 1_400
    assert copies.people == 700
    # both halves of a customer are in one group, and no other customer is
    assert (copies.groups[:700] == copies.groups[700:]).all()


def test_the_order_of_rows_does_not_matter() -> None:
    made = make_labelled(300, has_twins=False)
    table, is_positive = table_of(made)
    order = np.random.default_rng(3).permutation(600)
    mixed = find_copies(table.take(order), is_positive[order], 1)
    assert mixed.people == 300


def test_exact_copies_and_twins_are_found() -> None:
    made = make_labelled(700, has_shifted_copies=False)
    copies = copies_of(made)
    assert copies.shift == {} and copies.shifted == 0
    assert copies.exact >= 70
    assert copies.distance == 2 and copies.twins > 0
    assert copies.twins_agree == 1.0
    # nearly all families are whole, and nobody else joins them
    together = [len(set(copies.groups[made.family == one])) for one in set(made.family)]
    assert np.mean(np.array(together) == 1) > 0.8
    assert all(len(set(made.family[copies.groups == group])) == 1 for group in set(copies.groups))


def test_a_customer_and_a_twin_are_one_group_and_two_customers() -> None:
    made = make_labelled(700)
    copies = copies_of(made)
    # a row and itself with the shift added are one customer, though two words may differ, ...
    assert (copies.customers[:700] == copies.customers[700:]).mean() > 0.95
    # ... twins are not, and all of them are in one group
    both = pd.DataFrame({"family": made.family[:700], "customer": copies.customers[:700], "group": copies.groups[:700]})
    families = both[both.groupby("family")["family"].transform("size") > 1].groupby("family")
    assert families["customer"].nunique().gt(1).mean() > 0.5
    assert families["group"].nunique().eq(1).mean() > 0.8
    # whoever is one customer is in one group
    assert pd.Series(copies.groups).groupby(copies.customers).nunique().max() == 1


def test_a_clean_table_has_none() -> None:
    copies = copies_of(make_labelled(700, has_shifted_copies=False, has_twins=False))
    assert not copies.is_any and copies.exact == copies.twins == copies.shifted == 0


def test_equal_rows_of_a_few_flags_are_no_copies() -> None:
    generator = np.random.default_rng(5)
    numbers = {f"flag {place}": generator.integers(0, 2, 500).astype(np.float64) for place in range(4)}
    copies = find_copies(Table(500, numbers, {}), generator.random(500) < 0.3, 1)
    assert copies.distance == -1 and copies.people == 500


def test_rows_of_one_id_stay_together() -> None:
    made = make_labelled(300, has_shifted_copies=False, has_twins=False)
    table, is_positive = table_of(made)
    ids = np.arange(300) // 3
    assert find_copies(table, is_positive, 1, ids).people == 100


@pytest.mark.parametrize("count", [3, 5])
def test_folds_keep_groups_together_and_the_label_even(count: int) -> None:
    generator = np.random.default_rng(2)
    groups = generator.integers(0, 400, 2_000)
    is_positive = generator.random(400)[groups] < 0.2
    fold = make_folds(groups, is_positive, count, 7)
    assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
    share = [is_positive[fold == number].mean() for number in range(count)]
    assert np.ptp(share) < 0.03 and np.ptp(np.bincount(fold)) < 100


def test_the_truth_of_the_fictional_table_is_known() -> None:
    made = make_labelled(2_000, has_shifted_copies=False, has_twins=False)
    label = made.columns["Churn"]
    assert label.mean() == pytest.approx(made.probability.mean(), abs=0.03)
    assert roc_auc_score(label, made.probability) > 0.95
    again = make_labelled(2_000, has_shifted_copies=False, has_twins=False)
    assert all((made.columns[name].astype(str) == again.columns[name].astype(str)).all() for name in made.columns)
