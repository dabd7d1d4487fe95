"""The card of a model learned from a table: what it was learned from, how far to trust it, what was odd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier_score": "Brier score",
    "precision": "precision at the threshold",
    "recall": "recall at the threshold",
    "share_chosen": "share of rows chosen",
}


def render(facts: Mapping[str, Any], name: str, label: str, positive: str, threshold: float) -> str:
    """Return the card as Markdown, from the facts that the model itself carries."""
    copies = facts["copies"]
    lines = [
        f"# {name}: the probability that {label} is {positive}",
        "",
        f"Learned from {facts['rows']:,} rows of {copies['people']:,} different customers; {label} is {positive} in "
        f"{facts['prevalence']:.1%} of them. Kind: {facts['kind']} ({facts['settings']}).",
        "",
        *(f"> **Warning.** {text}\n" for text in facts["warnings"]),
        "## Figures",
        "",
        "For rows that the model had not seen: nested cross-validation of five folds; model, calibration and threshold "
        "were chosen inside the training folds. In brackets 95 % intervals, from drawing customers again and again.",
        "",
    ]
    if facts["metrics_by_customer"]:
        lines += [
            "Twins are different customers whose rows agree in all but a cell or two. Kept together, they show how "
            "well strangers are told; not kept together, how well customers are told who resemble those of this "
            "table. The model was chosen for both, its threshold for strangers.",
            "",
        ]
    has_twins = facts["metrics_by_customer"] is not None
    columns = [("copies and twins kept together" if has_twins else "copies kept together", facts["metrics"])]
    if has_twins:
        columns.append(("copies kept together, twins not", facts["metrics_by_customer"]))
    if facts["metrics_leaking"]:
        columns.append(("copies torn apart (misleading)", facts["metrics_leaking"]))
    columns.append((f"{facts['rule']} alone", facts["metrics_rule"]))
    lines += [
        "| | " + " | ".join(title for title, _ in columns) + " | everyone |",
        "|---" * (len(columns) + 2) + "|",
    ]
    share = f"{facts['prevalence']:.3f}"
    everyone = {"roc_auc": "0.500", "precision": share, "recall": "1.000", "share_chosen": "1.000"}
    for measure, title in NAMES.items():
        cells = [_shown(figures[measure]) for _, figures in columns]
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {everyone.get(measure, '')} |")
    lines += [
        "",
        f"The threshold is {threshold:.4f}: chosen for precision of at least {facts['least_precision']:.2f} at the "
        "highest recall"
        + ("." if facts["is_threshold_met"] else "; none reached it inside the folds: the best there is."),
        f"Kinds chosen in the five folds: {_counted(facts['picks'])}.",
        "",
        "| candidate | log loss in inner folds |",
        "|---|---|",
        *(f"| {candidate} | {loss:.4f} |" for candidate, loss in facts["candidates"].items()),
        "",
        "## Copies",
        "",
        f"- Rows that repeat an earlier one in every column but ids: {copies['exact']:,}.",
        f"- Rows that are another one with a constant added: {copies['shifted']:,}{_steps(copies['shift'])}.",
        f"- Customers joined to another, different in at most {max(copies['distance'], 0)} cells: {copies['twins']:,}.",
        *(
            [f"- Among rows with a copy or twin, {copies['agreement']:.1%} have the label of most of their group."]
            if copies["agreement"] is not None
            else []
        ),
        "",
        "## Features",
        "",
        "| feature | type | range or values | blank | alone (ROC AUC) | beyond 1.5 IQR |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one['name']} | {one['type']} | {one['values']} | {one['missing']:.1%} | {one['alone']:.3f} "
            f"| {one['outliers'] or ''} |"
            for one in facts["features"]
        ),
        "",
        "Blanks are a value of their own. Outliers are counted, and stay.",
        "",
    ]
    if facts["spellings_proposed"]:
        lines += [
            "## Spellings that may mean the same",
            "",
            "Not merged until you confirm them: see spellings.yml beside this card.",
            "",
            *(
                f"- {feature}: {', '.join(f'{rarer} = {word}' for rarer, word in mapping.items())}"
                for feature, mapping in facts["spellings_proposed"].items()
            ),
            "",
        ]
    if facts["notes"]:
        lines += ["## How the table was read", "", *(f"- {note}" for note in facts["notes"]), ""]
    return "\n".join(lines)


def _shown(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None:
        return "-"
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def _steps(shift: Mapping[str, float]) -> str:
    return f" ({', '.join(f'{name} {step:+g}' for name, step in shift.items())})" if shift else ""


def _counted(picks: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in picks.items())
