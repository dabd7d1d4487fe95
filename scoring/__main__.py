"""Command line of churn scoring: read the features, judge and fit where something changed, score, write."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from scoring import backtest, clusters, drift, horizons, model_card, remembered
from scoring.cutoffs import make_plan, with_history
from scoring.effects import feature_effects
from scoring.features import FeatureTable, Floats, from_arrow
from scoring.run import RANDOM_STATE, Outcome, Run, calibration_rows, metric_rows
from scoring.shipped import Scores, ShippedModel
from scoring.store import Frame, NoFeaturesError, Store, plain

# What was found out when the model was judged: true until it is judged again.
FOUND_TABLES = (
    "churn_model_metrics",
    "churn_calibration",
    "forecast_calibration",
    "forecast_drift",
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
        nargs="+",
        default=[],
        metavar="DAYS",
        help="further windows of the forecast beside the features' own (churn_horizon_days); 30 90 180 365, for one",
    )
    parser.add_argument("--evaluate-only", action="store_true", help="print the figures of every model; write nothing")
    return parser


def _score(store: Store, options: argparse.Namespace) -> None:
    if any(horizon < 1 for horizon in options.horizon):
        raise NoFeaturesError("A horizon is a whole number of days, 1 or more.")
    settings = store.settings()
    frame = store.frame()
    if frame is None:
        say("  scoring: no customer has a valid order before as_of_date; there is nobody to score")
        if not options.evaluate_only:
            for name in ("customer_churn_scores", *SMALL_TABLES, *CLUSTER_TABLES):
                store.replace(name, [])
        return
    if options.evaluate_only:
        for horizon in sorted(set(options.horizon)) or [frame.horizon_days]:
            _evaluate(store, frame, horizon, settings)
        return
    others = sorted(set(options.horizon) - {frame.horizon_days})
    results = [
        _own_result(store, frame, settings),
        *(_judge_and_fit(store, frame, horizon, settings) for horizon in others),
    ]
    _write_cards(frame, results)
    with step("scoring: score and write") as this:
        models = {one.model.horizon_days: one.model for one in results if one.model}
        written = store.replace("customer_churn_scores", _scores(store, frame, models) if models else [])
        _write_tables(store, frame, models, [one.tables for one in results])
        this.result = f"{written // max(len(models), 1):,} customers"
        if others:
            this.result += f", horizons of {', '.join(map(str, sorted(models)))} days"
    with step("scoring: clusters") as this:
        this.result = _write_clusters(store, frame)
    for one in results:
        for message in one.messages:
            say(f"  scoring: {f'{one.horizon_days} days: ' if others else ''}{message}")


def _evaluate(store: Store, frame: Frame, horizon: int, settings: dict[str, float]) -> None:
    run = _judge(store, frame, horizon, settings)
    if not run.outcome.judged:
        raise NoFeaturesError(
            f"There is nothing to judge a forecast of {horizon} days by: no window of that length has closed "
            f"before {frame.as_of_date} with an earlier one to learn from. The first order is "
            f"{frame.history_days.get(frame.as_of_date, 0):,} days old; try a shorter --horizon."
        )
    print(model_card.figures(run.outcome))


@dataclass(frozen=True)
class _Result:
    """What a horizon has come to: its model where there is one, what was found out, and what is to be said of it."""

    model: ShippedModel | None
    tables: Mapping[str, remembered.Rows]
    messages: tuple[str, ...]
    card: str
    horizon_days: int


def _own_result(store: Store, frame: Frame, settings: dict[str, float]) -> _Result:
    """Load the model of the features' horizon, or judge and fit where something it rests on has changed."""
    folder, horizon = paths.warehouse_dir(), frame.horizon_days
    with step("scoring: look at what has changed") as this:
        final = make_plan(_cutoffs(frame, horizon), frame.as_of_date, horizon).final
        origins = remembered.Origins(
            store.digests(final.known if final else (), horizon),
            remembered.code_digest(),
            {name: value for name, value in settings.items() if name.startswith("churn_")},
            horizon,
        )
        known = remembered.read(folder)
        change = origins.what_changed(known.origins) if known else "no model is kept"
        this.result = f"{change}: judge and fit" if change else f"nothing: {known.model.version if known else ''} holds"
    if known is not None and change is None:
        return _Result(known.model, known.tables, known.messages, known.card, horizon)
    found = _judge_and_fit(store, frame, horizon, settings)
    if found.model is None:
        remembered.forget(folder)
    else:
        remembered.Remembered(origins, found.model, found.tables, found.messages, found.card).write(folder)
    return found


def _write_cards(frame: Frame, results: Sequence[_Result]) -> None:
    """Write a model card for each horizon, and remove those of horizons that are not scored any more."""
    names = {one.horizon_days: f"model_card_{one.horizon_days}d.md" for one in results}
    names[frame.horizon_days] = "model_card.md"
    for file in paths.warehouse_dir().glob("model_card_*d.md"):
        if file.name not in names.values():
            file.unlink()
    for one in results:
        write_whole(paths.warehouse_dir() / names[one.horizon_days], one.card)


def _cutoffs(frame: Frame, horizon: int) -> list[date]:
    return with_history(frame.history_days, frame.as_of_date, horizon)


def _judge(store: Store, frame: Frame, horizon: int, settings: dict[str, float]) -> Run:
    window = None if horizon == frame.horizon_days else horizon
    run = Run(
        lambda cutoff: store.snapshot(cutoff, window),
        _cutoffs(frame, horizon),
        frame.as_of_date,
        horizon,
        settings=settings,
        progress=_progress,
    )
    with step("scoring: judge") as this:
        run.judge()
        choice = run.choose()
        chosen = choice.model if choice and run.outcome.judged else "no model"
        this.result = f"{len(run.outcome.judged)} cut-offs, {chosen} chosen"
    return run


def _judge_and_fit(store: Store, frame: Frame, horizon: int, settings: dict[str, float]) -> _Result:
    run = _judge(store, frame, horizon, settings)
    with step("scoring: fit") as this:
        shipped = run.ship()
        this.result = shipped.version if shipped else "no model"
    with step("scoring: earlier forecasts") as this:
        run.watch()
        tables = _found(run.outcome, settings)
        warning = drift.warning(tables["forecast_drift"])
        if warning:
            run.outcome.messages.append(warning)
        held = "as expected" if tables["forecast_drift"] else "nothing to hold against"
        this.result = "outside the interval" if warning else held
    return _Result(shipped, tables, tuple(run.outcome.messages), model_card.render(run.outcome), horizon)


def _found(outcome: Outcome, settings: dict[str, float]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of what was found out, without the day they are written on."""
    rows = {
        "churn_model_metrics": metric_rows(outcome),
        "churn_calibration": calibration_rows(outcome),
        "forecast_calibration": backtest.forecast_rows(outcome),
        "forecast_drift": drift.drift_rows(outcome),
        "ranking_backtest": backtest.ranking_rows(outcome),
        "return_band_backtest": backtest.band_rows(outcome),
        "churn_decision": backtest.decision_rows(outcome, settings),
    }
    return {
        name: [{key: plain(value) for key, value in row.items() if key != "as_of_date"} for row in found]
        for name, found in rows.items()
    }


def _write_tables(
    store: Store,
    frame: Frame,
    models: Mapping[int, ShippedModel],
    tables: Sequence[Mapping[str, remembered.Rows]],
) -> None:
    for name in FOUND_TABLES:
        rows = [{**row, "as_of_date": frame.as_of_date} for found in tables for row in found[name]]
        store.replace_rows(name, rows)
    sample = store.sample(frame.as_of_date, EFFECT_ROWS) if models else None
    store.replace_rows(
        "churn_feature_effects",
        [row for model in models.values() if sample for row in _effect_rows(sample, frame, model)],
    )
    store.replace_rows(
        "churn_model",
        [
            {
                "model_version": model.version,
                "as_of_date": frame.as_of_date,
                "horizon_days": model.horizon_days,
                "model": model.name,
                "definition": model.to_json(),
            }
            for model in models.values()
        ],
    )


def _effect_rows(sample: FeatureTable, frame: Frame, shipped: ShippedModel) -> list[dict[str, Any]]:
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


def _scores(store: Store, frame: Frame, models: Mapping[int, ShippedModel]) -> Iterator[pa.Table]:
    """Score everyone at as_of_date, a batch at a time; where they stand among all takes a look at all first."""
    first = frame.horizon_days if frame.horizon_days in models else min(models)
    used = tuple(dict.fromkeys(name for model in models.values() for name in model.additive.features))
    seen: dict[int, list[Floats]] = {horizon: [] for horizon in models}
    for batch in store.batches(frame.as_of_date, used):
        table = from_arrow(batch, used)
        staying = horizons.agree({one: -model.churn_probability(table) for one, model in models.items()}, first)
        for horizon, chance in staying.items():
            seen[horizon].append(-chance)
    bands = {horizon: backtest.RankBands.learn(np.concatenate(parts)) for horizon, parts in seen.items()}
    done, total = 0, frame.customers.get(frame.as_of_date, 0)
    for batch in store.batches(frame.as_of_date):
        table = from_arrow(batch)
        found = horizons.agreeing_scores({one: model.score(table) for one, model in models.items()}, models, first)
        for horizon, scores in found.items():
            yield _score_table(batch.column("customer_id"), frame, models[horizon], bands[horizon], scores)
        done += batch.num_rows
        if total > 1_000_000:
            _progress(f"{done:,} of {total:,} customers scored")


def _score_table(
    ids: pa.ChunkedArray, frame: Frame, shipped: ShippedModel, bands: backtest.RankBands, found: Scores
) -> pa.Table:
    rows = len(ids)
    # The hour of a score is that of its inputs: the same inputs give the same bytes on any day.
    scored_at = datetime.combine(frame.as_of_date, time.min)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "customer_id": ids,
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
    return pa.table(columns)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"    {text:<70}", end="\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
