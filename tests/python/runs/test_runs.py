"""What is known of each run: its record, dbt's results, comparison with earlier builds, log, webhook, status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from builds import FAILED, build_warehouse, query, run
from input_folder import InputFolder, small_shop
from webhook import SECRET, Listener

from pipeline.runs import events, history


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.server.shutdown()


def logged(warehouse: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (warehouse / "logs" / "events.jsonl").read_text().splitlines()]


def test_runs_are_recorded_published_told_and_compared(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = InputFolder(small_shop().write(tmp_path / "raw"), tmp_path / "warehouse" / "landing")
    warehouse = build_warehouse(shop.raw, tmp_path / "warehouse", score=False)
    found = query(warehouse, "select * from quality.runs")
    assert list(found["status"]) == ["succeeded"] and list(found["exit_code"]) == [0]
    results = query(warehouse, "select resource_type, status, count(*) as n from quality.test_results group by all")
    assert {"model", "seed", "test"} <= set(results["resource_type"])
    assert set(results["status"]) <= {"success", "pass", "warn"}
    assert set(query(warehouse, "select verdict from quality.build_measures")["verdict"]) == {"first"}

    # half the orders are gone, and the setting is to stop
    text = shop.file("orders").read_text().splitlines(keepends=True)
    shop.file("orders").write_text("".join(text[:7]))
    monkeypatch.setenv("ALERT_WEBHOOK_URL", listener.address)
    before = (warehouse / "current").resolve()
    lenient = "max_quarantined_share: 1, "
    stopped = run(shop.raw, warehouse, "refresh", "--no-score", "--vars", f"{{{lenient}unusual_build: stop}}")
    assert stopped.returncode == FAILED
    assert "orders is 6, was 12" in stopped.stderr and "Nothing is published" in stopped.stderr
    assert (warehouse / "current").resolve() == before
    # and when it is to warn, it warns and publishes
    warned = run(shop.raw, warehouse, "refresh", "--no-score", "--vars", f"{{{lenient}unusual_build: warn}}")
    assert warned.returncode == 0 and "WARNING" in warned.stderr
    assert (warehouse / "current").resolve() != before
    assert list(query(warehouse, "select status from quality.runs order by run_id")["status"]) == [
        "succeeded",
        "failed",
        "succeeded",
    ]
    assert [post["event"] for post in listener.heard] == ["failed", "warned", "published"]
    assert [event["event"] for event in logged(warehouse)] == [
        "published",
        "succeeded",
        "failed",
        "warned",
        "published",
        "succeeded",
    ]
    told = run(shop.raw, warehouse, "status").stdout
    assert (warehouse / "current").resolve().name in told and "orders is 6, was 12" in told

    # an address is a secret: it is in no log, no message, no record
    kept = [file for file in warehouse.rglob("*") if file.is_file() and file.suffix in (".json", ".jsonl", ".log", "")]
    assert not any(SECRET.encode() in file.read_bytes() for file in kept)
    assert SECRET not in stopped.stderr + warned.stderr


def test_bad_input_is_recorded_and_a_deaf_webhook_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, warehouse = small_shop().write(tmp_path / "raw"), tmp_path / "warehouse"
    shop = InputFolder(raw, warehouse / "landing")
    shop.append("sellers", "broken")
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"http://127.0.0.1:9/{SECRET}")
    outcome = run(raw, warehouse, "warehouse", "--no-score")
    assert outcome.returncode == 3
    assert "sellers: 1 of 4 rows" in outcome.stderr and "line 5" in outcome.stderr
    assert "max_quarantined_share" in outcome.stderr
    assert "the webhook did not answer" in outcome.stderr and SECRET not in outcome.stderr
    assert [event["event"] for event in logged(warehouse)] == ["failed"]
    assert "sellers: 1 of 4 rows" in run(raw, warehouse, "status").stdout
    assert not (warehouse / "current").exists()


def test_settings_that_are_none_are_refused(tmp_path: Path) -> None:
    raw = small_shop().write(tmp_path / "raw")
    for settings, message in (
        ("{max_quarantined_share: lots}", "must be a number from 0 up to 1"),
        ("{no_such_setting: 1}", "does not know"),
        ("[1, 2]", "no YAML mapping"),
        ("{a: ", "no YAML"),
    ):
        outcome = run(raw, tmp_path / "warehouse", "refresh", "--no-score", "--vars", settings)
        assert outcome.returncode == 1 and message in outcome.stderr, outcome.stderr
        assert "Traceback" not in outcome.stderr


def test_the_log_begins_anew_when_it_is_long_and_old_records_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    monkeypatch.setattr(events, "LARGEST_LOG", 300)
    monkeypatch.setattr(history, "RUNS_KEPT", 3)
    for number in range(6):
        with history.recorded("load") as run_of_now:
            run_of_now.is_worth_keeping = number != 1
    assert [found.status for found in history.runs()] == ["succeeded"] * 3
    logs = tmp_path / "warehouse" / "logs"
    assert {file.name for file in logs.iterdir()} == {"events.jsonl", "events.1.jsonl"}
    assert all(file.stat().st_size < 600 for file in logs.iterdir())
    # a record cut off by a power failure is passed over
    (tmp_path / "warehouse" / "history" / "99.json").write_text('{"run_id": "99", "st')
    assert len(history.runs()) == 3


def test_the_record_of_an_earlier_version_counts_and_a_damaged_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    for _ in range(3):
        with history.recorded("refresh") as run_of_now:
            run_of_now.is_worth_keeping = True
    older, changed, cut = sorted((tmp_path / "warehouse" / "history").glob("*.json"))
    known = json.loads(older.read_text())
    # what earlier versions wrote: no digest, and nothing of what came later
    for name in ("digest", "peak_memory_mb", "warehouse_mb"):
        del known[name]
    older.write_text(json.dumps(known))
    changed.write_text(changed.read_text().replace('"succeeded"', '"failed"'))
    cut.write_text(cut.read_text()[:-20])
    assert [(one.run_id, one.status) for one in history.runs()] == [(older.stem, "succeeded")]
