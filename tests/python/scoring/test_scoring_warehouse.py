"""Scores in a real build: nothing from after a cut-off, the same bytes twice, reasons that add up, no stale scores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from builds import ROOT, mart, query

from scoring.features import NAMES

pytestmark = pytest.mark.rows_only

OUTCOMES = ("days_to_next_order", "is_retained", "orders_in_window", "revenue_in_window")


def run(command: list[str], warehouse: Path, raw: Path | None = None) -> str:
    """Run a command on a warehouse folder of its own and return what it said."""
    environment = {
        **os.environ,
        "WAREHOUSE_DIR": str(warehouse),
        "DBT_TARGET_PATH": str(warehouse / "dbt-target"),
        "DBT_LOG_PATH": str(warehouse / "dbt-logs"),
    }
    if raw is not None:
        environment["RAW_DIR"] = str(raw)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stderr


def dbt(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("dbt")), "--quiet", *arguments]


def read(warehouse: Path, sql: str) -> list[tuple[object, ...]]:
    """Return rows of the build file."""
    with duckdb.connect(str(warehouse / "build.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def half_way(published_warehouse: Path) -> date:
    """Return a past cut-off with windows closed before it."""
    cutoffs = query(published_warehouse, "select distinct cutoff_date from marts.churn_features order by 1 desc")
    day: date = cutoffs["cutoff_date"].iloc[3].date()
    return day


@pytest.fixture(scope="module")
def of_that_day(demo_raw: Path, half_way: date, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a warehouse built as it was half way: every event stamped later is hidden."""
    folder = tmp_path_factory.mktemp("half-way")
    variables = f"{{as_of_date: {half_way.isoformat()}}}"
    run(dbt("seed", "--vars", variables), folder, demo_raw)
    run(dbt("run", "--select", "+churn_features", "+parameters", "--vars", variables), folder, demo_raw)
    return folder


def test_features_of_a_past_cut_off_are_those_of_that_day(
    published_warehouse: Path, of_that_day: Path, half_way: date
) -> None:
    """Orders, payments, deliveries and reviews after a cut-off exist in one of the two builds only."""
    columns = f"customer_id, cutoff_date, {', '.join(NAMES)}"
    past = f"select {columns} from marts.churn_features where cutoff_date <= date '{half_way}' order by 1, 2"
    later = query(published_warehouse, past)
    with duckdb.connect(str(of_that_day / "build.duckdb"), read_only=True) as connection:
        then = connection.execute(past).df()
    # windows that were open on that day were no past cut-offs then, and the oldest ones are past the two years now
    both = set(then["cutoff_date"]) & set(later["cutoff_date"])
    assert len(both) > 10
    then, later = (one[one["cutoff_date"].isin(both)].reset_index(drop=True) for one in (then, later))
    assert len(then) > 1000
    assert later.equals(then)


def test_the_later_events_were_there_to_be_leaked(published_warehouse: Path, half_way: date) -> None:
    found = query(
        published_warehouse,
        f"""
        select
            count(*) filter (purchased_at >= date '{half_way}') as orders,
            count(*) filter (purchased_at < date '{half_way}' and delivered_at >= date '{half_way}') as deliveries,
            count(*) filter (purchased_at < date '{half_way}' and review_answered_at >= date '{half_way}') as reviews
        from marts.fct_orders
        """,
    )
    assert (found.iloc[0] > 20).all()


def test_windows_closed_by_that_day_have_the_same_outcomes(
    published_warehouse: Path, of_that_day: Path, half_way: date
) -> None:
    """With the features they make up everything a score is learned from: what came later can change none."""
    oldest = query(published_warehouse, "select min(cutoff_date)::varchar as day from marts.churn_features")["day"][0]
    closed = (
        f"select customer_id, cutoff_date, {', '.join(OUTCOMES[1:])} from marts.churn_features "
        f"where cutoff_date >= date '{oldest}' and cutoff_date + horizon_days <= date '{half_way}' order by 1, 2"
    )
    with duckdb.connect(str(of_that_day / "build.duckdb"), read_only=True) as connection:
        then = connection.execute(closed).df()
    assert len(then) > 1000
    assert query(published_warehouse, closed).equals(then)


def test_open_windows_have_no_outcome(published_warehouse: Path) -> None:
    open_windows = "select count(*) from marts.churn_features where cutoff_date + horizon_days > as_of_date and "
    for column in OUTCOMES[1:]:
        assert query(published_warehouse, f"{open_windows} {column} is not null").iloc[0, 0] == 0


def test_until_another_window_closes_the_model_holds_and_says_so(
    of_that_day: Path, half_way: date, demo_raw: Path, tmp_path: Path
) -> None:
    """The second day of a month, of a build that starts from nothing: the first day's model is applied to it."""
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(of_that_day, first)
    said = run([sys.executable, "-m", "scoring"], first)
    assert "no model is kept: judge and fit" in said
    kept, card = (first / "churn_model.json").read_bytes(), (first / "model_card.md").read_bytes()
    day = half_way + timedelta(days=1)
    for name in ("churn_model.json", "model_card.md"):
        second.mkdir(exist_ok=True)
        shutil.copy(first / name, second)
    variables = f"{{as_of_date: {day.isoformat()}}}"
    run(dbt("seed", "--vars", variables), second, demo_raw)
    run(dbt("run", "--select", "+churn_features", "+parameters", "--vars", variables), second, demo_raw)
    assert "holds" in run([sys.executable, "-m", "scoring"], second)
    assert ((second / "churn_model.json").read_bytes(), (second / "model_card.md").read_bytes()) == (kept, card)
    assert model_of(second) == model_of(first)
    assert read(second, "select distinct as_of_date from scores.churn_model_metrics") == [(day,)]
    assert read(second, "select distinct as_of_date from scores.customer_churn_scores") == [(day,)]
    applied = {table: read(second, f"select * from scores.{table} order by all") for table in score_tables(second)}
    (second / "churn_model.json").unlink()
    assert "judge and fit" in run([sys.executable, "-m", "scoring"], second)
    assert ((second / "churn_model.json").read_bytes(), (second / "model_card.md").read_bytes()) == (kept, card)
    for table, rows in applied.items():
        assert read(second, f"select * from scores.{table} order by all") == rows, table


def model_of(warehouse: Path) -> list[tuple[object, ...]]:
    return read(warehouse, "select model_version, horizon_days, model, definition from scores.churn_model")


def score_tables(warehouse: Path) -> list[str]:
    return [
        str(row[0]) for row in read(warehouse, "select table_name from duckdb_tables() where schema_name = 'scores'")
    ]


def test_scoring_twice_gives_the_same_bytes(published_warehouse: Path, tmp_path: Path) -> None:
    shutil.copy(published_warehouse / "build.duckdb", tmp_path)
    run([sys.executable, "-m", "scoring"], tmp_path)
    tables = [row[0] for row in read(tmp_path, "select table_name from duckdb_tables() where schema_name = 'scores'")]
    assert len(tables) >= 9
    for table in tables:
        everything = f"select * from scores.{table} order by all"
        assert read(tmp_path, everything) == read(published_warehouse, everything), table
    assert (tmp_path / "model_card.md").read_text() == (published_warehouse / "model_card.md").read_text()


def test_contributions_of_every_customer_add_up_to_the_score(published_warehouse: Path) -> None:
    found = query(
        published_warehouse,
        """
        select
            count(*) as customers,
            max(abs(
                base_score + coalesce(reason_1_contribution, 0) + coalesce(reason_2_contribution, 0)
                + coalesce(reason_3_contribution, 0) + other_contribution - score
            )) as gap
        from scores.customer_churn_scores
        """,
    )
    assert found["customers"].iloc[0] > 1000
    assert found["gap"].iloc[0] < 1e-8


def test_everybody_with_a_valid_order_has_a_score_from_the_day_of_the_warehouse(published_warehouse: Path) -> None:
    found = query(
        published_warehouse,
        """
        select
            count(*) as customers,
            count(churn_probability) as scored,
            count(distinct scored_at) as days,
            max(churn_probability) as highest,
            min(churn_probability) as lowest
        from marts.customer_360
        """,
    ).iloc[0]
    assert found["scored"] == found["customers"]
    assert found["days"] == 1
    assert 0 < found["lowest"] <= found["highest"] < 1


def test_scores_of_another_horizon_are_not_shown(published_warehouse: Path, demo_raw: Path, tmp_path: Path) -> None:
    shutil.copy(published_warehouse / "build.duckdb", tmp_path)
    shutil.copytree(published_warehouse / "landing", tmp_path / "landing")
    run(
        dbt("run", "--select", "customer_360", "churn_model_metrics", "--vars", "{churn_horizon_days: 180}"),
        tmp_path,
        demo_raw,
    )
    assert read(tmp_path, "select count(*) > 0, count(churn_probability) from marts.customer_360") == [(True, 0)]
    assert read(tmp_path, "select count(*) from marts.churn_model_metrics") == [(0,)]


@pytest.mark.real
def test_the_real_files_have_honest_figures(olist_warehouse: Path) -> None:
    """About one in a hundred returns; honest results are an AUC of .54 to .65. Above .75 something leaks."""
    metrics = mart(olist_warehouse, "marts.churn_model_metrics", "cutoff_date, model")
    assert metrics["cutoff_date"].nunique() == 5
    assert metrics["roc_auc"].max() < 0.75
    assert metrics["prevalence"].max() < 0.02
    shipped = metrics[metrics["is_shipped"] & (metrics["role"] == "test")].iloc[0]
    assert shipped["roc_auc_low"] > 0.5
    assert 0.8 < shipped["calibration_slope"] < 1.2
