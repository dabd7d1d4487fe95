"""The card of the model of first purchases: what ships at each stage, how good it is, what it is not for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scoring.first_purchase.model import FirstPurchaseModel
from scoring.first_purchase.reading import CHECKOUT, DELIVERED, STAGES, WAIT_DAYS
from scoring.fitting import BASE_RATE

TITLES = {CHECKOUT: "At checkout", DELIVERED: "After delivery and review"}


def render(model: FirstPurchaseModel) -> str:
    """Return the card as Markdown."""
    lines = [
        f"# A new customer's future from the first purchase, {model.horizon_days} days",
        "",
        "The probability that a first purchase is followed by another occasion (a later day with a valid order) "
        f"within {model.horizon_days} days of the moment, and what is paid then. Learned from the build "
        f"`{model.build_id}`, which looks from {model.as_of_date}; version `{model.version}`.",
        "",
        "Only purchases whose whole window has passed teach and test. Features are what was known at the moment: at "
        "the checkout that of the order, later its delivery and the review that was answered by then "
        f"(it is waited for {WAIT_DAYS} days). Who came back before the moment is no longer new and left out of it.",
        "",
    ]
    for name, stage in model.stages.items():
        lines += _stage(name, stage.forecast.kind, stage.facts, are_categories_better=stage.are_categories_better)
    missing = [TITLES[name] for name in STAGES if name not in model.stages]
    lines += [f"No model: {name}. Nobody came back within a window that has passed.\n" for name in missing]
    lines += [
        "## The rule",
        "",
        "Each of the last three quarters of the purchases that were known when the test began is forecast from those "
        "before it. A model ships where its log loss there is lower than that of every simpler one by more than two "
        "standard errors; otherwise the base rate does. The test plays no part in it and is looked at once.",
        "",
        "## Not for",
        "",
        "- Judging a single person: the forecast is right on average over many.",
        "- The effect of contacting somebody, or of a faster delivery: what goes together need not cause.",
        "",
    ]
    return "\n".join(lines)


def _stage(name: str, kind: str, facts: Mapping[str, Any], *, are_categories_better: bool) -> list[str]:
    share = facts["returned"] / facts["purchases"]
    lines = [
        f"## {TITLES[name]}",
        "",
        f"{facts['purchases']:,} first purchases, moments from {facts['first_moment']} to {facts['last_moment']}; "
        f"{facts['returned']:,} ({share:.2%}) were followed by another.",
        "",
        f"**{kind}** ships: {facts['reason']}."
        + (" No better than the base rate: everyone gets the same probability." if kind == BASE_RATE else ""),
        "",
    ]
    if facts["metrics"]:
        lines += [
            f"Learned from {facts['learned_from']:,}, tested on the {facts['tested_on']:,} of the last days:",
            "",
            "| model | ROC AUC | average precision | lift at 10 % | log loss | Brier skill | slope | revenue expected "
            "| observed |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for model, one in facts["metrics"].items():
            money = facts["revenue"][model]
            lines.append(
                f"| {model} | {_interval(one['roc_auc'], 3)} | {_interval(one['average_precision'], 4)} "
                f"| {_interval(one['lift'], 2)} | {one['log_loss']:.5f} | {_number(one['brier_skill'], 5)} "
                f"| {_number(one['calibration_slope'], 2)} | {money['expected']:,.0f} | {money['observed']:,.0f} |"
            )
        lines.append("")
    hits = facts["next_category"]
    if hits:
        lines += [
            f"Next category, of {hits['returns']:,} who came back in the test: the one expected after the first "
            f"category was right in {_share(hits['expected_category'])}, the most popular one in "
            f"{_share(hits['most_popular_category'])}. "
            + (
                "The expected one ships."
                if are_categories_better
                else "The most popular one ships: before the test the other was not better by two standard errors."
            ),
            "",
        ]
    return lines


def _interval(one: Mapping[str, float | None], digits: int) -> str:
    return f"{_number(one['value'], digits)} [{_number(one['low'], digits)}, {_number(one['high'], digits)}]"


def _share(one: Mapping[str, float]) -> str:
    return f"{one['value']:.1%} [{one['low']:.1%}, {one['high']:.1%}]"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"
