"""The model card: what ships, how good it is, and what it must not be used for, written from the run itself."""

from __future__ import annotations

import math

from scoring.evaluate import BOOTSTRAPS, Interval
from scoring.fitting import BASE_RATE, REFERENCES
from scoring.run import MARGIN, OFF_LEVEL, STEP_MARGIN, Outcome, drift_note

REALISTIC_AUC = 0.75


def figures(outcome: Outcome) -> str:
    """Return the table of figures of every model at every judged cut-off, as Markdown."""
    lines: list[str] = []
    for judged in outcome.judged:
        first = next(iter(judged.evaluations.values()))
        rare = min(first.retained, first.customers - first.retained)
        lines += [
            f"### {judged.origin.cutoff} ({judged.role})",
            "",
            f"{first.customers:,} customers, {first.retained:,} returned within {outcome.horizon_days} days; "
            f"the rare class is *{first.rare_class}* ({rare / first.customers:.2%}). "
            f"Fitted on {len(judged.origin.known)} earlier month ends, calibrated on people kept for it.",
            "",
            "| model | ROC AUC | average precision | lift at 10 % | log loss | Brier skill | slope | intercept "
            f"| precision, recall of churn from {first.threshold:g} |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for name, one in judged.evaluations.items():
            ships = " **(ships)**" if outcome.choice and name == outcome.choice.model else ""
            lines.append(
                f"| {name}{ships} | {_interval(one.roc_auc, 3)} | {_interval(one.average_precision, 4)} "
                f"| {_interval(one.lift, 2)} | {one.log_loss:.5f} | {_number(one.brier_skill, 5)} "
                f"| {_number(one.calibration_slope, 2)} | {_number(one.calibration_intercept, 2)} "
                f"| {_number(one.churn_precision, 4)}, {_number(one.churn_recall, 4)} |"
            )
        churned = first.customers - first.retained
        lines.append(f"| *everyone churns* | | | | | | | | {churned / first.customers:.4f}, 1.0000 |")
        lines.append("")
        if note := drift_note(judged.evaluations[BASE_RATE]):
            lines += [f"Note: {note}", ""]
        for name, one in judged.evaluations.items():
            if one.roc_auc.value > REALISTIC_AUC and one.rare_class == "retained":
                lines += [
                    f"Note: {name} has an AUC above {REALISTIC_AUC}: among one-time buyers, suspect a leak first.",
                    "",
                ]
    return "\n".join(lines)


def render(outcome: Outcome) -> str:
    """Return the whole card as Markdown; it holds until the model is judged again."""
    shipped, choice = outcome.shipped, outcome.choice
    until = f", known until {shipped.known_until}" if shipped else ""
    lines = [
        f"# Churn model, {outcome.horizon_days} days{until}",
        "",
        f"Churn here means: no shopping occasion (a day with a valid order) within {outcome.horizon_days} days.",
        "",
        "## What ships",
        "",
    ]
    if shipped and choice:
        lines += [
            f"**{shipped.name}** (`{shipped.version}`), because {choice.reason}.",
            "",
            f"Calibrated by {shipped.calibration.method} on people it was not fitted on, its level drawn to "
            f"that of the last windows. It holds until another window closes. Bands: medium from "
            f"{shipped.band_medium_min:g}, high from {shipped.band_high_min:g}.",
            "",
        ]
        if outcome.test and shipped.name in outcome.test.evaluations:
            one = outcome.test.evaluations[shipped.name]
            lines += [
                f"On the test cut-off: ROC AUC {_interval(one.roc_auc, 3)}, lift at 10 % {_interval(one.lift, 2)}, "
                f"calibration slope {_number(one.calibration_slope, 2)}.",
                "",
            ]
    else:
        lines += ["**No model**: `churn_probability` is NULL for everyone.", ""]
    lines += [f"- {message}" for message in outcome.messages]
    lines += [
        "",
        "## The rule",
        "",
        "The model is chosen on all validation cut-offs together by log loss, never on the test cut-off. Recency alone "
        f"must beat the base rate, and any richer model both, by more than {MARGIN:g} standard errors of the mean "
        "difference in log loss, a person counted once. Of models that are told alike, a sum of terms of one feature "
        "each, or of up to two, the one with the lowest log loss counts; the richer kind must beat the simpler one by "
        f"more than {STEP_MARGIN:g}. Otherwise the simpler one ships, and so it does where the richer one's returns of "
        f"all windows together are off by more than a factor of {OFF_LEVEL:g} and by more than the simpler one's. "
        f"{', '.join(REFERENCES)} are fitted for comparison and never ship: they have no exact contributions "
        "per customer.",
        "",
        "## Figures",
        "",
        "Every cut-off is forecast with what was known on that day. 95 % intervals from "
        f"{BOOTSTRAPS} bootstrap samples of customers. Average precision and lift are those of the rare class; Brier "
        "skill is against the base rate.",
        "",
        figures(outcome),
        "## Expected value",
        "",
        "`expected_orders` = P(return) x occasions of a returning customer; `expected_revenue` = that x the customer's "
        "expected payment per occasion (their own mean, drawn towards the shop's); `usual_revenue` = what they would "
        "pay at their own pace if they stayed; `value_at_risk` = usual less expected, at least 0.",
        "",
        *_money(outcome),
        "## Not for",
        "",
        "- Judging a single person: the forecast is right on average over many.",
        "- The effect of contacting somebody: who is likely to leave is not who can be kept.",
        "- Another horizon than the one stated.",
        "- Orders canceled after a cut-off count as canceled at it: the raw data carry no time of cancellation.",
        "",
    ]
    return "\n".join(lines)


def _money(outcome: Outcome) -> list[str]:
    if outcome.test is None or not outcome.test.money:
        return []
    lines = [
        "| model at the test cut-off | orders expected | observed | revenue expected | observed |",
        "|---|---|---|---|---|",
    ]
    for name, (orders, seen, revenue, paid) in outcome.test.money.items():
        lines.append(f"| {name} | {orders:,.0f} | {seen:,.0f} | {revenue:,.0f} | {paid:,.0f} |")
    return [*lines, ""]


def _interval(interval: Interval, digits: int) -> str:
    if math.isnan(interval.value):
        return "-"
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
