"""Learn a model from a labelled table: ``python -m scoring.table customers.csv --label Churn``, or ``make model``."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from pipeline.base import paths
from pipeline.base.console import say, step
from pipeline.base.outcome import exit_code_of, run_until_stopped
from scoring.table import card, spellings
from scoring.table.errors import TableError

RESERVED = ("churn", "first-purchase")  # what the API calls the shop's own models


def main(arguments: list[str] | None = None) -> int:
    """Learn the model that the command line asks for; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m scoring.table", description=__doc__)
    parser.add_argument("table", type=Path, help="one row a customer: .csv with , or ;, .xlsx or .parquet")
    parser.add_argument("--label", required=True, help="column with the outcome")
    parser.add_argument("--positive", help="the value to learn the probability of; found for 1, yes, true, churned")
    parser.add_argument("--features", default="", help="columns to learn from, with commas between; all by default")
    parser.add_argument("--keep", default="", help="features to keep although they tell the label alone")
    parser.add_argument("--spellings", type=Path, help="confirmed mapping of spellings, as proposed in spellings.yml")
    parser.add_argument("--precision", type=float, default=0.70, help="that the threshold must reach; 0.70")
    parser.add_argument("--sheet", help="of an xlsx file; else the first one that has the label")
    parser.add_argument("--name", help="of the model; the file's by default")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: run_until_stopped(lambda: _make(options)))


def _make(options: argparse.Namespace) -> None:
    from scoring.table.make import Wishes, make_model

    if not str(options.table) or options.table == Path() or not options.label:
        raise TableError("Name the table and its label: make model TABLE=customers.csv LABEL=Churn.")
    if not 0 < options.precision < 1:
        raise TableError(f"--precision is {options.precision}; it must lie between 0 and 1.")
    name = options.name or re.sub(r"[^a-z0-9]+", "-", options.table.stem.lower()).strip("-") or "table"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,60}", name) or name in RESERVED:
        reserved = " or ".join(RESERVED)
        raise TableError(f"A model cannot be called {name}: take small letters, digits and dashes, and not {reserved}.")
    wishes = Wishes(
        label=options.label,
        positive=options.positive,
        features=_names(options.features),
        kept=_names(options.keep),
        spellings=spellings.read(options.spellings) if options.spellings else None,
        least_precision=options.precision,
        sheet=options.sheet,
    )
    with step(f"model {name}") as this:
        made = make_model(options.table, name, wishes, lambda text: say(f"    {text}"))
        folder = paths.models_dir() / name
        paths.make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        model = made.model
        if made.proposed:
            spellings.write(folder / "spellings.yml", made.proposed, options.table.name)
        text = card.render(model.facts, name, model.label, model.positive, model.threshold)
        (folder / "card.md").write_text(text)
        part = folder / "model.json.part"
        part.write_text(model.to_json())
        part.replace(folder / "model.json")
        figures = model.facts["metrics"]
        this.result = (
            f"ROC AUC {figures['roc_auc']['value']}, precision {figures['precision']['value']} at recall "
            f"{figures['recall']['value']}"
        )
        if alike := model.facts["metrics_by_customer"]:
            this.result += f" (with twins of known customers: ROC AUC {alike['roc_auc']['value']})"
    for warning in model.facts["warnings"]:
        say(f"  warning: {warning}")
    if made.proposed:
        say(f"  spellings that may mean the same wait in {folder / 'spellings.yml'}: confirm them with --spellings")
    say(f"  {folder / 'card.md'}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    sys.exit(main())
