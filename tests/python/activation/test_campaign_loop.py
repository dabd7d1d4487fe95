"""From an audience to its measured effect on the demo shop: whoever was drawn stays, and the truth is found."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
import yaml
from builds import ROOT, build_warehouse, published_file, query, run

from demo.further import write_contacts, write_further_days
from pipeline.base import campaigns

pytestmark = pytest.mark.rows_only

SETTINGS = {"salt": "test", "global_control": {"share": 0.05, "salt": "programme"}, "phone_country": "BR"}
AUDIENCES: list[dict[str, object]] = [
    {
        "name": "everyone",
        "about": "Everyone who agreed.",
        "who": "frequency >= 1",
        "sort": "expected_revenue desc",
        "channel": "email",
        "size": 1000000,
        "stratify_by": "churn_risk_tier",
        "contact_cost": 0.5,
        "leave_out": {"complained_within_days": 30, "contacted_within_days": 30},
    }
]
EVERYONE = {"settings": SETTINGS, "audiences": AUDIENCES}
EFFECT = 2.0
ACTIVATION = ("-m", "activation")


@pytest.fixture
def place(
    demo_raw: Path, published_warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path, Path]:
    """Give a shop with contacts, what is published of it, and a file of audiences."""
    raw, warehouse, file = tmp_path / "raw", tmp_path / "warehouse", tmp_path / "audiences.yml"
    shutil.copytree(demo_raw, raw)
    warehouse.mkdir()
    (warehouse / "builds").symlink_to(published_warehouse / "builds")
    (warehouse / "current").symlink_to((published_warehouse / "current").readlink())
    file.write_text(yaml.safe_dump(EVERYONE))
    monkeypatch.setenv("CAMPAIGNS_DIR", str(tmp_path / "campaigns"))
    monkeypatch.setenv("RAW_DIR", str(raw))
    monkeypatch.setenv("WAREHOUSE_DIR", str(warehouse))
    write_contacts(raw)
    return raw, warehouse, file


def act(place: tuple[Path, Path, Path], *arguments: str) -> str:
    raw, warehouse, file = place
    done = run(raw, warehouse, "--file", str(file), *arguments, program=ACTIVATION)
    assert done.returncode == 0, done.stderr
    return str(done.stdout + done.stderr)


def refused(place: tuple[Path, Path, Path], change: dict[str, object], *arguments: str) -> str:
    raw, warehouse, file = place
    file.write_text(yaml.safe_dump({**EVERYONE, **change}))
    done = run(raw, warehouse, "--file", str(file), *arguments, program=ACTIVATION)
    assert done.returncode == 3, done.stdout + done.stderr
    return str(done.stderr)


def test_a_dry_run_says_who_and_what_can_be_shown_and_changes_nothing(place: tuple[Path, Path, Path]) -> None:
    told = act(place, "audiences")
    assert "did not agree to the channel" in told
    assert "expected to come back" in told
    assert "to show +20% it takes" in told
    assert not list((place[0].parent / "campaigns").glob("*/*"))


def test_a_launch_is_made_once_and_its_list_holds_treated_people_who_agree(place: tuple[Path, Path, Path]) -> None:
    raw, warehouse, file = place
    told = act(place, "launch", "everyone")
    assert "treated" in told
    again = run(raw, warehouse, "--file", str(file), "launch", "everyone", program=ACTIVATION)
    assert again.returncode != 0
    assert "is not over" in again.stderr
    act(place, "export", "everyone", "--format", "csv")
    act(place, "export", "everyone", "--format", "email")
    rows = campaigns.read_all("launches")
    arms = dict(zip(rows["customer_id"].to_pylist(), rows["arm"].to_pylist(), strict=True))
    exported = campaigns.read_all("exports")["customer_id"].to_pylist()
    assert {arms[person] for person in exported} == {campaigns.TREATED}
    lists = sorted((raw.parent / "lists").iterdir())
    assert len(lists) == 2
    assert all(one.stat().st_mode & 0o077 == 0 for one in lists)
    assert not any("@" in str(row) for row in campaigns.read_all("exports").to_pylist())
    # nobody of the other arms, nobody who refused
    with duckdb.connect() as connection:
        refused = connection.execute(
            "SELECT count(*) FROM read_csv(?) JOIN read_csv(?) USING (email) WHERE consent_email = 'no'",
            [str(lists[1]), str(raw / "contacts.csv")],
        ).fetchone()
    assert refused == (0,)
    # who is drawn is in no other audience until it is over
    assert "in the test                      0" in act(place, "audiences")


def test_a_launch_that_would_move_people_or_compare_nobody_is_refused(place: tuple[Path, Path, Path]) -> None:
    act(place, "launch", "everyone")
    (audience,) = AUDIENCES
    nobody = {**audience, "name": "nobody", "who": "frequency < 0"}
    assert "0 people would be treated" in refused(place, {"audiences": [nobody]}, "launch", "nobody")
    others = {**audience, "name": "others", "who": "rfm_segment = 'Champions'"}
    changed = {**SETTINGS, "global_control": {"share": 0.2, "salt": "programme"}}
    message = refused(place, {"settings": changed, "audiences": [others]}, "launch", "others")
    assert "that would move people into and out of it" in message
    misread = {**audience, "who": "frequncy > 1"}
    assert "audience everyone: who reads frequncy" in refused(place, {"audiences": [misread]}, "audiences")
    broken = {**audience, "who": "customer_city(frequency) > 1"}
    assert "audience everyone: who cannot be computed" in refused(place, {"audiences": [broken]}, "audiences")


def test_a_list_that_may_not_be_written_is_refused(place: tuple[Path, Path, Path]) -> None:
    raw = place[0]
    assert "There is no launch of everyone" in refused(place, {}, "export", "everyone", "--format", "csv")
    act(place, "launch", "everyone")
    assert "is for the channel email" in refused(place, {}, "export", "everyone", "--format", "yandex")
    (raw / "contacts.csv").unlink()
    assert "nobody's consent is known" in refused(place, {}, "export", "everyone", "--format", "csv")
    assert not list((raw.parent / "campaigns/exports").glob("*.parquet"))


def test_a_platform_is_sent_no_list_that_it_would_not_take(place: tuple[Path, Path, Path]) -> None:
    pytest.importorskip("phonenumbers")
    few = {**AUDIENCES[0], "name": "few", "size": 60, "channel": "ads"}
    file = place[2]
    file.write_text(yaml.safe_dump({"settings": SETTINGS, "audiences": [few]}))
    act(place, "launch", "few")
    message = refused(place, {"audiences": [few]}, "export", "few", "--format", "meta")
    assert "people can be in a list for meta, which takes 100 at least" in message


@pytest.mark.long
def test_the_truth_lies_in_the_interval_and_ten_refreshes_move_nobody(
    place: tuple[Path, Path, Path],
) -> None:
    raw, _, _ = place
    build = raw.parent / "fresh"
    act(place, "launch", "everyone")
    act(place, "export", "everyone", "--format", "csv")
    drawn = campaigns.read_all("launches")
    build_warehouse(raw, build, score=False)
    early = query(build, "select * from marts.campaign_results")
    assert set(early["verdict"]) == {"too_early"}
    assert early[["difference", "treated_returned", "ratio"]].isna().all(axis=None)
    write_further_days(raw, 90, EFFECT)
    # killed in the middle of a build, then ten refreshes
    environment = {**os.environ, "WAREHOUSE_DIR": str(build), "DBT_TARGET_PATH": str(build / "dbt-target")}
    environment["DBT_LOG_PATH"] = str(build / "dbt-logs")
    command = [sys.executable, "-m", "pipeline", "refresh", "--no-score"]
    killed = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    time.sleep(6)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    for _ in range(10):
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    assert campaigns.read_all("launches").equals(drawn)
    with duckdb.connect(str(published_file(build).resolve()), read_only=True) as connection:
        members = dict(connection.execute("SELECT customer_id, arm FROM marts.campaign_members").fetchall())
    assert members == dict(zip(drawn["customer_id"].to_pylist(), drawn["arm"].to_pylist(), strict=True))
    rate = query(build, "select * from marts.campaign_results where measure = 'return_rate'").iloc[0]
    (truth,) = json.loads((raw / "true_effects.json").read_text())["true_differences"].values()
    assert rate["verdict"] == "worked"
    assert rate["difference_low"] <= truth <= rate["difference_high"]
    assert rate["is_split_sound"]
