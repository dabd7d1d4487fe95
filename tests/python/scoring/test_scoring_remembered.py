"""What was judged holds as long as what it rests on, and a file that cannot be read only costs time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from scoring.calibration import Calibration
from scoring.models.additive import AdditiveScore
from scoring.models.btyd import Pace
from scoring.remembered import FILE, Origins, Remembered, code_digest, forget, read
from scoring.shipped import ShippedModel
from scoring.value import ValueModel

ORIGINS = Origins({"2020-01-01": "1-a-2", "2020-02-01": "3-b-4"}, "code", {"churn_band_high_min": 0.8}, 90)
MODEL = ShippedModel(
    name="base_rate",
    known_until="2020-05-01",
    horizon_days=90,
    additive=AdditiveScore(0.0, ()),
    calibration=Calibration("constant", (0.0,), (-4.0,), 0.0),
    value=ValueModel((1.0, 1.0, 1.0, 1.0), 150.0, 2.0, 1.0, Pace(0.3, 200.0)),
    band_medium_min=0.5,
    band_high_min=0.8,
)
ROWS = [{"model": "base_rate", "cutoff_date": date(2020, 2, 1), "customers": 7, "roc_auc": 0.5, "note": None}]


def test_what_is_kept_comes_back_the_same(tmp_path: Path) -> None:
    kept = Remembered(ORIGINS, MODEL, {"churn_model_metrics": ROWS}, ("a message",), "# A card\n")
    kept.write(tmp_path)
    assert read(tmp_path) == kept
    forget(tmp_path)
    assert read(tmp_path) is None
    forget(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 0}', '{"format": 1}', '{"format": 1, "tables": {"a": 1}}'])
def test_what_cannot_be_read_is_judged_again(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (ORIGINS, None),
        (replace(ORIGINS, horizon_days=180), "a setting has changed"),
        (replace(ORIGINS, settings={"churn_band_high_min": 0.9}), "a setting has changed"),
        (replace(ORIGINS, code="other"), "the code has changed"),
        (replace(ORIGINS, windows={**ORIGINS.windows, "2020-03-01": "5-c-6"}), "another window has closed"),
        (
            replace(ORIGINS, windows={**ORIGINS.windows, "2020-01-01": "1-a-9"}),
            "what is known of closed windows has changed",
        ),
        (replace(ORIGINS, windows={"2020-02-01": "3-b-4"}), "what is known of closed windows has changed"),
    ],
)
def test_a_run_says_what_changed(now: Origins, change: str | None) -> None:
    assert now.what_changed(ORIGINS) == change


def test_the_code_has_one_digest() -> None:
    assert code_digest() == code_digest()
