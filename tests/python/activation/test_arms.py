"""Arms: the same in SQL and in Python, even where asked, and never drawn twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import duckdb
import numpy as np
import pytest

from activation.audiences import Audience
from activation.launching import assign
from pipeline.base.campaigns import CONTROL, GLOBAL_CONTROL, TREATED, draw, draw_sql

AUDIENCE = Audience("some", "Some people.", "true", "email", 100, control_share=0.3)
PEOPLE = [f"person-{number}" for number in range(5000)]
NOBODY = (0.0, "programme")


def test_sql_and_python_draw_the_same_number() -> None:
    people = [*PEOPLE[:500], "Ä|ß", "", "'; --", "人"]
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT {draw_sql('salt', 'person')} FROM (SELECT unnest(?) AS person, 'a|b' AS salt)", [people]
        ).fetchall()
    assert [row[0] for row in rows] == [draw("a|b", person) for person in people]


def test_the_number_is_what_it_was() -> None:
    assert draw("retention", "person-1") == pytest.approx(0.336511632, abs=1e-9)


def test_salts_draw_independently() -> None:
    first, second = (np.array([draw(salt, person) for person in PEOPLE]) for salt in ("one", "two"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    assert np.histogram(first, 10)[0].min() > 400


def test_the_share_is_held_out() -> None:
    arms, _ = assign(PEOPLE, [None] * len(PEOPLE), "salt", AUDIENCE, NOBODY)
    assert Counter(arms)[CONTROL] / len(PEOPLE) == pytest.approx(0.3, abs=0.02)


def test_within_strata_the_share_is_exact_and_no_stratum_is_favoured() -> None:
    audience = replace(AUDIENCE, stratify_by="tier")
    strata = [f"tier {number % 7}" for number in range(len(PEOPLE))]
    arms, _ = assign(PEOPLE, strata, "salt", audience, NOBODY)
    for stratum in set(strata):
        of = [arm for arm, tier in zip(arms, strata, strict=True) if tier == stratum]
        assert abs(of.count(CONTROL) - 0.3 * len(of)) < 1
    # strata of one person each: the share holds over all of them
    arms, _ = assign(PEOPLE, PEOPLE, "salt", audience, NOBODY)
    assert Counter(arms)[CONTROL] / len(PEOPLE) == pytest.approx(0.3, abs=0.02)


def test_an_arm_depends_on_the_person_and_not_on_the_others() -> None:
    arms, _ = assign(PEOPLE, [None] * len(PEOPLE), "salt", AUDIENCE, (0.1, "programme"))
    fewer, _ = assign(PEOPLE[::-3], [None] * len(PEOPLE[::-3]), "salt", AUDIENCE, (0.1, "programme"))
    known = dict(zip(PEOPLE, arms, strict=True))
    assert fewer == [known[person] for person in PEOPLE[::-3]]


def test_the_global_control_is_the_same_in_every_campaign() -> None:
    held_out = []
    for salt in ("spring", "autumn"):
        arms, _ = assign(PEOPLE, [None] * len(PEOPLE), salt, AUDIENCE, (0.1, "programme"))
        held_out.append({person for person, arm in zip(PEOPLE, arms, strict=True) if arm == GLOBAL_CONTROL})
        assert {TREATED, CONTROL} <= set(arms)
    assert held_out[0] == held_out[1]
    assert len(held_out[0]) / len(PEOPLE) == pytest.approx(0.1, abs=0.015)
