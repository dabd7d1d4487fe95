"""Learn a new customer's future from their first purchase, on what is published: ``python -m scoring.first_purchase``.

Writes the model as JSON and its card into ``data/models/first-purchase``; a running API serves it within a second.
"""

from __future__ import annotations

import argparse
import sys

from pipeline.base import paths
from pipeline.base.console import say, step
from pipeline.base.errors import InputError
from pipeline.base.files import write_whole
from pipeline.base.outcome import exit_code_of, run_until_stopped


def main(arguments: list[str] | None = None) -> int:
    """Learn, and write the model and its card; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m scoring.first_purchase", description=__doc__)
    parser.add_argument("--horizon", type=int, default=180, metavar="DAYS", help="window of the forecast; 180")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: run_until_stopped(lambda: _make(options.horizon)))


def _make(horizon_days: int) -> None:
    from scoring.first_purchase import card
    from scoring.first_purchase.learning import learn_from
    from scoring.first_purchase.model import FILE, NAME, FirstPurchaseModel

    if not 1 <= horizon_days <= 3650:
        raise InputError(f"--horizon is {horizon_days}; it must be a number of days from 1 to 3650.")
    if not paths.current_link().exists():
        raise InputError("Nothing is published yet: run `make warehouse` first.")
    with step("first purchases") as this:
        model = learn_from(paths.current_link().resolve(), horizon_days)
        folder = paths.models_dir() / NAME
        paths.make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        text = model.to_json()
        # what is stored is what scores, and what the card speaks of
        model = FirstPurchaseModel.from_json(text)
        write_whole(folder / "card.md", card.render(model))
        write_whole(folder / FILE, text + "\n")
        this.result = ", ".join(f"{name}: {stage.forecast.kind}" for name, stage in model.stages.items())
    say(f"  {folder / 'card.md'}")


if __name__ == "__main__":
    sys.exit(main())
