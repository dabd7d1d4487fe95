"""The figures for Prometheus: readable after every run, whatever it did; and alarms that ask for figures there are."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest
import yaml
from builds import ROOT, build_warehouse, query, run
from input_folder import InputFolder, small_shop
from prometheus_client.parser import text_string_to_metric_families

from pipeline.runs import history, metrics
from pipeline.runs.usage import folder_mb, peak_memory_mb

ALERTS = ROOT / "docs" / "examples" / "prometheus-alerts.yml"
NOTHING = 3
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(file: Path) -> Samples:
    """Read a file as Prometheus does."""
    return {
        (sample.name.removeprefix("retention_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def test_the_figures_follow_the_runs(tmp_path: Path) -> None:
    shop = InputFolder(small_shop().write(tmp_path / "raw"), tmp_path / "warehouse" / "landing")
    began = time.time()
    warehouse = build_warehouse(shop.raw, tmp_path / "warehouse", score=False)
    file = warehouse / "metrics.prom"
    assert oct(file.stat().st_mode)[-3:] == "644" and list(warehouse.glob("metrics.prom?*")) == []
    first = samples(file)
    assert of(first, "run_exit_code", step="warehouse") == 0
    assert of(first, "runs_recorded", step="warehouse", status="succeeded") == 1
    assert began < (of(first, "build_published_timestamp_seconds") or 0) <= time.time()
    assert began < (of(first, "run_success_timestamp_seconds", step="warehouse") or 0)
    assert of(first, "published_rows", table="marts.fct_orders") == 12
    assert of(first, "quarantine_share") == 0 and (of(first, "raw_rows") or 0) > 12
    assert (of(first, "run_peak_memory_bytes", step="warehouse") or 0) > 50e6
    assert (of(first, "results", kind="model", status="success") or 0) > 50
    assert (of(first, "results_seconds", kind="test") or 0) > 0
    newest = query(warehouse, "select epoch(max(purchased_at)) as newest from marts.fct_orders")["newest"].item()
    assert (of(first, "data_until_timestamp_seconds") or 0) >= newest
    # nobody was scored, so nothing is said of a model
    assert of(first, "model_returns_ratio") is None

    # what a reader of the dashboards sees of it
    row = query(warehouse, "select peak_memory_mb, warehouse_mb from quality.runs").iloc[0]
    assert row["peak_memory_mb"] > 50 and 0 < row["warehouse_mb"] <= (of(first, "warehouse_bytes") or 0) / 1e6

    # nothing to do: no record, and yet it is known that somebody looked
    assert run(shop.raw, warehouse, "refresh", "--no-score").returncode == 0
    idle = samples(file)
    assert of(idle, "run_exit_code", step="refresh") == 0
    assert of(idle, "run_success_timestamp_seconds", step="warehouse") == of(
        first, "run_success_timestamp_seconds", step="warehouse"
    )
    assert of(idle, "runs_recorded", step="refresh", status="succeeded") is None

    # a failure: the last success stays what it was
    shop.file("sellers").write_text("")
    assert run(shop.raw, warehouse, "refresh", "--no-score").returncode == NOTHING
    failed = samples(file)
    assert of(failed, "run_exit_code", step="refresh") == NOTHING
    assert of(failed, "run_success_timestamp_seconds", step="refresh") == of(
        idle, "run_success_timestamp_seconds", step="refresh"
    )
    assert of(failed, "runs_recorded", step="refresh", status="failed") == 1
    check_alerts({name for name, _ in failed})

    # a damaged file is written again, and one that cannot be written fails no run
    file.write_text('retention_run_seconds{step="warehouse')
    assert run(shop.raw, warehouse, "load").returncode == NOTHING
    assert of(samples(file), "run_exit_code", step="load") == NOTHING
    file.unlink()
    file.mkdir()
    blocked = run(shop.raw, warehouse, "refresh", "--no-score")
    assert blocked.returncode == NOTHING and "the metrics cannot be written" in blocked.stderr


# said of a build with scores, or of nothing: not in a warehouse without them
ONLY_WITH_SCORES = {"model_figures_outside", "model_returns_ratio", "model_roc_auc"}


def check_alerts(known: set[str]) -> None:
    """See that each alarm asks for figures that are written."""
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 5
    for rule in rules:
        asked = set(re.findall(r"\bretention_(\w+)", rule["expr"]))
        assert asked and asked <= known | ONLY_WITH_SCORES, rule["alert"]
        assert {"severity"} <= set(rule["labels"]) and {"summary", "description"} <= set(rule["annotations"])


def test_words_with_signs_of_the_format_in_them_stay_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    odd = 'a "step" \\ of\ntwo lines, {with="signs"} 1'
    with metrics.measured(odd), history.recorded(odd) as this:
        this.is_worth_keeping = True
    found = samples(tmp_path / "warehouse" / "metrics.prom")
    assert of(found, "run_exit_code", step=odd) == 0
    assert of(found, "runs_recorded", step=odd, status="succeeded") == 1
    # and read back for the next file as they were
    with metrics.measured("load"):
        pass
    assert of(samples(tmp_path / "warehouse" / "metrics.prom"), "run_exit_code", step=odd) == 0


def test_the_file_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    monkeypatch.setenv("METRICS_FILE", str(tmp_path / "exporter" / "retention.prom"))
    (tmp_path / "exporter").mkdir()
    (tmp_path / "warehouse").mkdir()
    with pytest.raises(SystemExit), metrics.measured("refresh"):
        raise SystemExit
    found = samples(tmp_path / "exporter" / "retention.prom")
    assert of(found, "run_exit_code", step="refresh") == 1
    assert not (tmp_path / "warehouse" / "metrics.prom").exists()


def test_a_model_is_told_of_where_there_is_one(
    published_warehouse: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "warehouse"
    shutil.copytree(published_warehouse / "builds", copy / "builds")
    (copy / "current").symlink_to((published_warehouse / "current").readlink())
    monkeypatch.setenv("WAREHOUSE_DIR", str(copy))
    with metrics.measured("refresh"):
        pass
    found = samples(copy / "metrics.prom")
    assert 0 < (of(found, "model_returns_ratio") or 0) < 10 and 0 < (of(found, "model_roc_auc") or 0) <= 1
    assert of(found, "model_figures_outside") in (0, 1, 2)


def test_a_run_s_use_of_the_machine_is_measured(tmp_path: Path) -> None:
    assert 10 < peak_memory_mb() < 100_000
    (tmp_path / "one").write_bytes(b"1" * 3_000_000)
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "three").write_bytes(b"1" * 1_000_000)
    assert 3.9 < folder_mb(tmp_path) < 4.2
    assert folder_mb(tmp_path / "absent") == 0


def test_a_run_of_a_container_that_was_killed_is_noticed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    # both have the same number, as every first process of a container has
    with history.recorded("refresh") as killed:
        pass
    killed.status, killed.exit_code = "running", None
    killed.write()
    with history.recorded("refresh"):
        pass
    assert [one.status for one in history.runs()] == ["killed"]
