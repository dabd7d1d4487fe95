"""Command line of churn scoring: read the features, judge and fit where something changed, score, write."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any

import joblib
import numpy as np
import pyarrow as pa

from pipeline.base import paths
from pipeline.base.console import say, step
from pipeline.base.errors import StoppedByHand
from pipeline.base.files import write_whole
from pipeline.base.outcome import run_until_stopped
from scoring import backtest, clusters, model_card, remembered
from scoring.cutoffs import make_plan, with_history
from scoring.effects import feature_effects
from scoring.features import from_arrow
from scoring.run import RANDOM_STATE, Outcome, Run, calibration_rows, metric_rows
from scoring.shipped import ShippedModel
from scoring.store import Frame, NoFeaturesError, Store, plain

# What was found out when the model was judged: true until it is judged again.
FOUND_TABLES = (
    "churn_model_metrics",
    "churn_calibration",
    "forecast_calibration",
    "ranking_backtest",
    "return_band_backtest",
    "churn_decision",
)
SMALL_TABLES = (*FOUND_TABLES, "churn_feature_effects", "churn_model")
CLUSTER_TABLES = ("customer_clusters", "cluster_profiles", "cluster_selection")
EFFECT_ROWS = 100_000


def main(arguments: list[str] | None = None) -> int:
    """Run scoring on the build file of the warehouse folder.

    Returns
    -------
    int
        0, 4 when there is nothing to score from, or 130 when stopped by hand.
    """
    options = _parser().parse_args(arguments)
    _count_cores()
    try:
        run_until_stopped(lambda: _open_and_score(options))
    except NoFeaturesError as error:
        print(f"error: {error}", file=sys.stderr)
        return 4
    except StoppedByHand as stopped:
        return stopped.exit_code
    return 0


def _open_and_score(options: argparse.Namespace) -> None:
    with Store(paths.build_file(), read_only=options.evaluate_only) as store:
        _score(store, options)


def _count_cores() -> None:
    """Let joblib count the cores once: where `lscpu` is missing it warns at length, and remembers the answer."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        joblib.cpu_count(only_physical_cores=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scoring",
        description=(
            "Score churn on the features of $WAREHOUSE_DIR/build.duckdb, and write the tables of the schema `scores`. "
            "Models are judged and fitted when a window has closed, or what they rest on has changed. The day to look "
            "from is that of the features: for another one, build with `dbt build --vars '{as_of_date: 2018-03-01}'` "
            "first."
        ),
    )
    parser.add_argument(
        "--horizon",
        type=int,
        metavar="DAYS",
        help="window of the forecast; another one than the features' (churn_horizon_days) needs --evaluate-only",
    )
    parser.add_argument("--evaluate-only", action="store_true", help="print the figures of every model; write nothing")
    return parser


def _score(store: Store, options: argparse.Namespace) -> None:
    settings = store.settings()
    frame = store.frame()
    if frame is None:
        say("  scoring: no customer has a valid order before as_of_date; there is nobody to score")
        if not options.evaluate_only:
            for name in ("customer_churn_scores", *SMALL_TABLES, *CLUSTER_TABLES):
                store.replace(name, [])
        return
    horizon = options.horizon or frame.horizon_days
    if horizon != frame.horizon_days and not options.evaluate_only:
        raise NoFeaturesError(
            f"The features are built for {frame.horizon_days} days. Set the dbt variable churn_horizon_days to "
            f"{horizon} and build again, or add --evaluate-only."
        )
    cutoffs = with_history(frame.history_days, frame.as_of_date, horizon)
    if options.evaluate_only:
        run = _judge(store, frame, cutoffs, horizon, settings)
        if not run.outcome.judged:
            raise NoFeaturesError(
                f"There is nothing to judge a forecast of {horizon} days by: no window of that length has closed "
                f"before {frame.as_of_date} with an earlier one to learn from. The first order is "
                f"{frame.history_days.get(frame.as_of_date, 0):,} days old; try a shorter --horizon."
            )
        print(model_card.figures(run.outcome))
        return
    folder = paths.warehouse_dir()
    with step("scoring: look at what has changed") as this:
        final = make_plan(cutoffs, frame.as_of_date, horizon).final
        origins = remembered.Origins(
            store.digests(final.known if final else (), horizon),
            remembered.code_digest(),
            {name: value for name, value in settings.items() if name.startswith("churn_")},
            horizon,
        )
        known = remembered.read(folder)
        change = origins.what_changed(known.origins) if known else "no model is kept"
        this.result = f"{change}: judge and fit" if change else f"nothing: {known.model.version if known else ''} holds"
    if known is None or change is not None:
        known, outcome = _judge_and_fit(store, frame, cutoffs, settings, origins)
        if known is None:
            remembered.forget(folder)
        else:
            known.write(folder)
        messages = tuple(outcome.messages)
        tables = known.tables if known else _found(outcome, settings)
        card = model_card.render(outcome)
    else:
        messages, tables, card = known.messages, known.tables, known.card
    write_whole(folder / "model_card.md", card)
    shipped = known.model if known else None
    with step("scoring: score and write") as this:
        written = store.replace("customer_churn_scores", _scores(store, frame, shipped) if shipped else [])
        _write_tables(store, frame, shipped, tables)
        this.result = f"{written:,} customers"
    with step("scoring: clusters") as this:
        this.result = _write_clusters(store, frame)
    for message in messages:
        say(f"  scoring: {message}")


def _judge(store: Store, frame: Frame, cutoffs: list[date], horizon: int, settings: dict[str, float]) -> Run:
    run = Run(
        store.snapshot,
        cutoffs,
        frame.as_of_date,
        horizon,
        has_window_values=horizon == frame.horizon_days,
        settings=settings,
        progress=_progress,
    )
    with step("scoring: judge") as this:
        run.judge()
        choice = run.choose()
        chosen = choice.model if choice and run.outcome.judged else "no model"
        this.result = f"{len(run.outcome.judged)} cut-offs, {chosen} chosen"
    return run


def _judge_and_fit(
    store: Store, frame: Frame, cutoffs: list[date], settings: dict[str, float], origins: remembered.Origins
) -> tuple[remembered.Remembered | None, Outcome]:
    run = _judge(store, frame, cutoffs, frame.horizon_days, settings)
    with step("scoring: fit") as this:
        shipped = run.ship()
        this.result = shipped.version if shipped else "no model"
    if shipped is None:
        return None, run.outcome
    tables = _found(run.outcome, settings)
    card = model_card.render(run.outcome)
    return remembered.Remembered(origins, shipped, tables, tuple(run.outcome.messages), card), run.outcome


def _found(outcome: Outcome, settings: dict[str, float]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of what was found out, without the day they are written on."""
    rows = {
        "churn_model_metrics": metric_rows(outcome),
        "churn_calibration": calibration_rows(outcome),
        # Orders and revenue of the windows are those of the features' own horizon, which is the one that is written.
        "forecast_calibration": backtest.forecast_rows(outcome),
        "ranking_backtest": backtest.ranking_rows(outcome),
        "return_band_backtest": backtest.band_rows(outcome),
        "churn_decision": backtest.decision_rows(outcome, settings),
    }
    return {
        name: [{key: plain(value) for key, value in row.items() if key != "as_of_date"} for row in found]
        for name, found in rows.items()
    }


def _write_tables(
    store: Store, frame: Frame, shipped: ShippedModel | None, tables: Mapping[str, remembered.Rows]
) -> None:
    for name in FOUND_TABLES:
        store.replace_rows(name, [{**row, "as_of_date": frame.as_of_date} for row in tables[name]])
    store.replace_rows("churn_feature_effects", _effect_rows(store, frame, shipped) if shipped else [])
    store.replace_rows(
        "churn_model",
        [
            {
                "model_version": shipped.version,
                "as_of_date": frame.as_of_date,
                "horizon_days": shipped.horizon_days,
                "model": shipped.name,
                "definition": shipped.to_json(),
            }
        ]
        if shipped
        else [],
    )


def _effect_rows(store: Store, frame: Frame, shipped: ShippedModel) -> list[dict[str, Any]]:
    sample = store.sample(frame.as_of_date, EFFECT_ROWS)
    return [
        {
            "feature": one.feature,
            "topic": one.topic,
            "value_label": one.label,
            "value_number": one.number,
            "position": one.position,
            "effect": round(one.effect, 9),
            "customer_share": round(one.share, 9),
            "importance": round(one.importance, 9),
            "as_of_date": frame.as_of_date,
            "horizon_days": shipped.horizon_days,
        }
        for one in feature_effects(shipped.additive, sample)
    ]


def _write_clusters(store: Store, frame: Frame) -> str:
    sample = store.sample(frame.as_of_date, clusters.FIT_ROWS, clusters.FEATURES)
    found = clusters.fit(sample, RANDOM_STATE)
    if found is None:
        for name in CLUSTER_TABLES:
            store.replace(name, [])
        return "too few different customers for clusters"
    total = frame.customers[frame.as_of_date]
    sizes = np.zeros(found.chosen, dtype=np.int64)

    def placed() -> Iterator[pa.Table]:
        shown = 0
        for batch in store.batches(frame.as_of_date):
            labels, position = found.place(from_arrow(batch, clusters.FEATURES))
            sizes[:] += np.bincount(labels - 1, minlength=found.chosen)
            # Evenly spread over the ids, which say nothing about a customer.
            first = shown
            shown += batch.num_rows
            every = max(1, -(-total // clusters.MAP_ROWS))
            on_map = (np.arange(first, shown) % every) == 0
            profiles = np.array(found.profiles, dtype=object)[labels - 1]
            yield pa.table(
                {
                    "customer_id": batch.column("customer_id"),
                    "as_of_date": pa.array([frame.as_of_date] * batch.num_rows, pa.date32()),
                    "cluster": pa.array(labels),
                    "cluster_profile": pa.array(profiles, pa.string()),
                    "is_in_sample": pa.array(on_map),
                    "map_x": pa.array(np.round(position[:, 0], 6), mask=~on_map),
                    "map_y": pa.array(np.round(position[:, 1], 6), mask=~on_map),
                }
            )

    store.replace("customer_clusters", placed())
    labels, _ = found.place(sample)
    medians = store.cluster_medians(frame.as_of_date, clusters.FEATURES)
    store.replace_rows(
        "cluster_profiles",
        [
            {
                "cluster": one.cluster,
                "as_of_date": frame.as_of_date,
                "cluster_profile": found.profiles[one.cluster - 1],
                "customers": int(sizes[one.cluster - 1]),
                "customer_share": round(float(sizes[one.cluster - 1]) / total, 9),
                "feature": one.feature,
                "median_value": medians[one.cluster, one.feature],
                "overall_median": medians[None, one.feature],
                "standardised_difference": round(one.difference, 6),
            }
            for one in found.describe(sample, labels)
        ],
    )
    store.replace_rows(
        "cluster_selection",
        [
            {
                "cluster_count": one.count,
                "as_of_date": frame.as_of_date,
                "silhouette": round(one.silhouette, 6),
                "inertia": round(one.inertia, 3),
                "stability": round(one.stability, 6),
                "is_chosen": one.count == found.chosen,
                "rule": clusters.RULE,
            }
            for one in found.selection
        ],
    )
    return f"{found.chosen} clusters"


def _scores(store: Store, frame: Frame, shipped: ShippedModel) -> Iterator[pa.Table]:
    """Score everyone at as_of_date, a batch at a time; where they stand among all takes a look at all first."""
    used = shipped.additive.features
    seen = [shipped.churn_probability(from_arrow(batch, used)) for batch in store.batches(frame.as_of_date, used)]
    bands = backtest.RankBands.learn(np.concatenate(seen))
    done, total = 0, frame.customers.get(frame.as_of_date, 0)
    # The hour of a score is that of its inputs: the same inputs give the same bytes on any day.
    scored_at = datetime.combine(frame.as_of_date, time.min)
    for batch in store.batches(frame.as_of_date):
        found = shipped.score(from_arrow(batch))
        rows = batch.num_rows
        columns: dict[str, pa.Array | pa.ChunkedArray] = {
            "customer_id": batch.column("customer_id"),
            "as_of_date": pa.array([frame.as_of_date] * rows, pa.date32()),
            "horizon_days": pa.array(np.full(rows, shipped.horizon_days, dtype=np.int32)),
            "churn_probability": pa.array(found.churn_probability),
            "churn_band": pa.array(found.churn_band, pa.string()),
            "return_rank_band": pa.array(bands.place(found.churn_probability), pa.string()),
            "return_lift": pa.array(np.round(bands.lift(found.churn_probability), 6), from_pandas=True),
            "score": pa.array(np.round(found.score, 9)),
            "base_score": pa.array(np.full(rows, round(found.base_score, 9))),
            "other_contribution": pa.array(np.round(found.reasons.other, 9)),
            "expected_orders": pa.array(found.expected_orders),
            "expected_revenue": pa.array(found.expected_revenue),
            "usual_revenue": pa.array(found.usual_revenue),
            "value_at_risk": pa.array(found.value_at_risk),
            "model_version": pa.array([shipped.version] * rows, pa.string()),
            "scored_at": pa.array([scored_at] * rows, pa.timestamp("us")),
        }
        for number, (text, topic, amount) in enumerate(
            zip(found.reasons.texts, found.reasons.topics, found.reasons.contributions, strict=True), start=1
        ):
            columns[f"reason_{number}"] = pa.array(text, pa.string())
            columns[f"reason_{number}_topic"] = pa.array(topic, pa.string())
            columns[f"reason_{number}_contribution"] = pa.array(np.round(amount, 9))
        for number, text in enumerate(found.reasons.risks, start=1):
            columns[f"risk_reason_{number}"] = pa.array(text, pa.string())
        done += rows
        if total > 1_000_000:
            _progress(f"{done:,} of {total:,} customers scored")
        yield pa.table(columns)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"    {text:<70}", end="\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
