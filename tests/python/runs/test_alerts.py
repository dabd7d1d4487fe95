"""Alerts: one message per change of state, whatever is wrong with one of them, and never a failed run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
import yaml
from builds import BAD_INPUT, ROOT, published_file, query, run
from webhook import SECRET, Listener

from pipeline.alerts import judging
from pipeline.alerts.declared import read_alerts
from pipeline.alerts.telling import dry_run, tell
from pipeline.base.errors import InputError
from pipeline.runs import history

pytestmark = pytest.mark.rows_only

TITLE = {"en": "Refused rows", "ru": "Отвергнутые строки"}
FIGURE = "select quarantined_rows as value from marts.build_info"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Watched:
    """A published file whose figures a test sets, and the alerts on it."""

    def __init__(self, folder: Path, published: Path, listener: Listener) -> None:
        self.build = folder / "warehouse" / "builds" / "one"
        self.build.mkdir(parents=True)
        shutil.copy(published, self.build / "warehouse.duckdb")
        (self.build / "warehouse.duckdb").chmod(0o644)
        (folder / "warehouse" / "current").symlink_to("builds/one")
        self.file = folder / "alerts.yml"
        self.listener = listener

    def set(self, **columns: object) -> None:
        """Set columns of build_info: what alerts read here, and the day looked from."""
        with duckdb.connect(str(self.build / "warehouse.duckdb")) as connection:
            for name, value in columns.items():
                connection.execute(f"UPDATE marts.build_info SET {name} = ?", [value])

    def zone(self, name: str) -> None:
        with duckdb.connect(str(self.build / "warehouse.duckdb")) as connection:
            connection.execute("UPDATE marts.parameters SET value = ? WHERE name = 'shop_time_zone'", [name])

    def declare(self, *alerts: dict[str, object], **settings: object) -> None:
        whole = [{"name": "refused", "title": TITLE, "sql": FIGURE, **alert} for alert in alerts]
        self.file.write_text(yaml.safe_dump({"settings": settings, "alerts": whole}, allow_unicode=True))

    def tell(self, now: datetime = NOON) -> list[str]:
        """Let a run say what is due; returns what was heard of it."""
        before = len(self.listener.heard)
        with history.recorded("notify"):
            tell(now)
        return [str(event["message"]) for event in self.listener.heard[before:]]

    def states(self) -> dict[str, str]:
        return {str(one["alert"]): str(one["state"]) for one in history.alerts()}


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.server.shutdown()


@pytest.fixture
def watched(
    tmp_path: Path, small_warehouses: dict[str, Path], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> Watched:
    found = Watched(tmp_path, published_file(small_warehouses["corner"]).resolve(), listener)
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    monkeypatch.setenv("ALERTS_FILE", str(found.file))
    monkeypatch.setenv("ALERT_WEBHOOK_URL", listener.address)
    return found


def test_each_change_of_state_is_told_once(watched: Watched, listener: Listener) -> None:
    watched.declare({"value": {"above": 10}})
    watched.set(quarantined_rows=3)
    assert watched.tell() == []
    watched.set(quarantined_rows=1234)
    assert watched.tell() == ["Refused rows: 1,234, above the limit of 10."]
    since = history.alerts()[0]["since"]
    watched.set(quarantined_rows=1300)
    assert watched.tell(NOON.replace(hour=13)) == []
    assert history.alerts()[0]["since"] == since and watched.states() == {"refused": "firing"}
    watched.set(quarantined_rows=10)
    assert watched.tell() == ["Refused rows: back to normal, 10."]
    assert watched.tell() == []
    assert [(one["event"], one["state"]) for one in listener.heard] == [("alert", "firing"), ("alert", "ok")]
    # a run in which nothing changed leaves no record
    assert len(history.runs()) == 4


def test_who_did_not_hear_is_told_by_the_next_run(watched: Watched, listener: Listener) -> None:
    watched.declare({"value": {"above": 10}})
    watched.set(quarantined_rows=11)
    listener.status = 500
    assert len(watched.tell()) == 1
    listener.status = 204
    assert len(watched.tell()) == 1
    assert watched.tell() == []


def test_quiet_hours_are_the_shops_and_only_delay(watched: Watched) -> None:
    watched.zone("America/Sao_Paulo")  # three hours behind
    watched.declare({"value": {"above": 10}}, quiet_hours={"from": "21:00", "to": "08:00"})
    watched.set(quarantined_rows=11)
    assert watched.tell(datetime(2026, 3, 4, 10, 59, tzinfo=UTC)) == []
    assert watched.states() == {"refused": "firing"}
    assert len(watched.tell(datetime(2026, 3, 4, 11, 1, tzinfo=UTC))) == 1
    # what is over before they end is never told
    watched.set(quarantined_rows=1)
    assert watched.tell(datetime(2026, 3, 5, 0, 1, tzinfo=UTC)) == []
    watched.set(quarantined_rows=12)
    assert watched.tell(datetime(2026, 3, 5, 12, 0, tzinfo=UTC)) == []


def test_too_few_say_nothing(watched: Watched) -> None:
    watched.declare(
        {"name": "few", "sql": "select 5 as value, 9 as n", "value": {"above": 1}, "min_n": 10},
        {"name": "enough", "sql": "select 5 as value, 10 as n", "value": {"above": 1}, "min_n": 10},
        {"name": "no_row", "sql": "select 5 as value where false", "value": {"above": 1}},
        {"name": "nothing", "sql": "select cast(null as integer) as value", "value": {"above": 1}},
        {"name": "no_limit", "sql": "select 'nan'::double as value", "value": {"above": 1}},
    )
    assert watched.tell() == ["Refused rows: 5 (n = 10), above the limit of 1."]
    states = watched.states()
    assert states.pop("enough") == "firing" and set(states.values()) == {"not_enough_data"}


def test_a_change_is_against_an_earlier_day_and_building_again_keeps_it(watched: Watched) -> None:
    watched.declare({"change": {"falls_by": 0.2}, "unit": "money"})
    watched.set(quarantined_rows=1000, as_of_date=date(2024, 3, 1))
    assert watched.tell() == [] and watched.states() == {"refused": "not_enough_data"}
    watched.set(quarantined_rows=801, as_of_date=date(2024, 3, 2))
    assert watched.tell() == [] and watched.states() == {"refused": "ok"}
    watched.set(quarantined_rows=600, as_of_date=date(2024, 3, 3))
    (message,) = watched.tell()
    assert message == "Refused rows: 600\u00a0BRL, -25.1\u00a0% against 801\u00a0BRL before."
    # the same day again: still against the second of March
    assert watched.tell() == [] and watched.states() == {"refused": "firing"}
    watched.set(as_of_date=date(2024, 3, 4))
    assert len(watched.tell()) == 1 and watched.states() == {"refused": "ok"}


def test_a_change_may_bring_its_own_earlier_figure(watched: Watched) -> None:
    figures = "select {} as value, {} as before"
    watched.declare(
        {"name": "rose", "sql": figures.format(130, 100), "change": {"rises_by": 0.3}},
        {"name": "held", "sql": figures.format(129, 100), "change": {"rises_by": 0.3}},
        {"name": "from_nothing", "sql": figures.format(129, 0), "change": {"rises_by": 0.3}},
    )
    assert watched.tell() == ["Refused rows: 130, +30.0\u00a0% against 100 before."]
    assert watched.states() == {"rose": "firing", "held": "ok", "from_nothing": "not_enough_data"}


def test_a_paced_goal_asks_for_what_is_due(watched: Watched) -> None:
    goal = {"target": 100, "by": "month_end"}
    watched.declare(
        {"name": "paced", "goal": goal},
        {"name": "lenient", "goal": {**goal, "tolerance": 0.1}},
        {"name": "whole", "goal": {"target": 100}},
    )
    # the first 15 of 30 days are over
    watched.set(quarantined_rows=46, as_of_date=date(2024, 6, 16))
    assert watched.tell() == [
        "Refused rows: 46; 50 is due by now for a goal of 100.",
        "Refused rows: 46; 100 is due by now for a goal of 100.",
    ]
    assert watched.states() == {"paced": "firing", "lenient": "ok", "whole": "firing"}
    # on the first of a month the month before is over
    watched.set(quarantined_rows=99, as_of_date=date(2024, 7, 1))
    watched.tell()
    assert watched.states()["paced"] == "firing" and history.alerts()[0]["bound"] == 100


def test_russian(watched: Watched) -> None:
    watched.declare({"value": {"above": 10}, "unit": "money"}, language="ru")
    watched.set(quarantined_rows=12345)
    assert watched.tell() == ["Отвергнутые строки: 12\u00a0345\u00a0BRL, выше порога 10\u00a0BRL."]
    watched.set(quarantined_rows=1)
    assert watched.tell() == ["Отвергнутые строки: снова в норме, 1\u00a0BRL."]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select no_such as value from marts.build_info", "no_such"),
        ("selec 1", "syntax error"),
        ("select 1 as value; select 2 as value", "one SELECT"),
        ("copy marts.build_info to 'out.csv'", "one SELECT"),
        ("select count(*) as value from read_text('/etc/passwd')", "cannot be run"),
        ("select count(*) as value from '/etc/passwd'", "cannot be run"),
        ("select getenv('HOME') as value", "alert refused"),
        ("select 1 as figure", "figure"),
        ("select range as value from range(3)", "one row"),
        ("select 'many' as value", "no number"),
        ("select cast('ana@shop.example' as integer) as value", "ConversionException"),
        (
            "select count(*) as value from range(1000000000) a, range(1000000000) b where a.range % 7 = b.range % 5",
            "longer",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_a_state_told_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, sql: str, words: str
) -> None:
    monkeypatch.setattr(judging, "LONGEST_SECONDS", 0.3)
    watched.declare({"sql": sql, "value": {"above": 1}}, {"name": "sound", "value": {"above": 1}})
    watched.set(quarantined_rows=0)
    (message,) = watched.tell()
    assert words in message and "alerts.yml, alert refused" in message and "ana@" not in message
    assert watched.states() == {"refused": "cannot_be_evaluated", "sound": "ok"}
    assert watched.tell() == []
    assert dry_run()[1] is False
    watched.declare({"value": {"above": 1}}, {"name": "sound", "value": {"above": 1}})
    assert watched.tell() == ["Refused rows: back to normal, 0."]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"valu": {"above": 1}}, "alert refused: valu means nothing here"),
        ({"value": {"over": 1}}, "alert refused, value: over means nothing here. Known: above, below"),
        ({"value": {"above": "many"}}, "alert refused, value: above must be a number, not 'many'"),
        ({"value": {"above": 1}, "goal": {"target": 1}}, "exactly one of value, change, goal"),
        ({"value": {"above": 1}, "title": {"en": "only"}}, "alert refused, title: ru is missing"),
        ({"value": {"above": 1}, "min_n": 1.5}, "min_n must be a whole number"),
        ({"value": {"above": 1}, "unit": "euro"}, "unit must be one of number, money, share"),
        ({"value": {"above": 1}, "language": "pt"}, "language must be one of en, ru"),
        ({"value": {"above": 1}, "quiet_hours": {"from": 1260, "to": "08:00"}}, "in quotes"),
        *(
            ({"value": {"above": 1}, "quiet_hours": hours}, words)
            for hours, words in [
                (False, "or null for none, not False"),
                ("off", "not 'off'"),
                (0, "not 0"),
                ([], "not []"),
                ({"from": "08:00", "to": "08:00"}, "are the same time"),
            ]
        ),
        ({"change": {"falls_by": 2}}, "falls_by must be a number from 0.001 up to 1"),
        ({"goal": {"target": 1, "by": "friday"}}, "by must be month_end"),
        ({"value": {"above": 1}, "sql": None}, "alert refused: sql is missing"),
        ({"value": {"above": 1}, "name": "Refused rows"}, "alert Refused rows: name must be small letters"),
    ],
)
def test_a_file_that_cannot_be_meant_names_alert_and_key(
    watched: Watched, change: dict[str, object], words: str
) -> None:
    watched.declare(change)
    with pytest.raises(InputError) as caught:
        read_alerts()
    said = str(caught.value)
    assert said.startswith("alerts.yml, alert ")
    assert words in said


def test_a_damaged_file_is_told_and_forgets_nothing(watched: Watched) -> None:
    watched.declare({"value": {"above": 10}})
    watched.set(quarantined_rows=11)
    assert len(watched.tell()) == 1
    whole = watched.file.read_text()
    watched.file.write_text(whole[:-9] + "\t{")
    (message,) = watched.tell()
    assert "alerts.yml is no YAML" in message
    assert watched.states() == {"alerts.yml": "cannot_be_evaluated", "refused": "firing"}
    assert watched.tell() == []
    watched.file.write_text(whole)
    assert watched.tell() == ["alerts.yml can be read again."]
    assert watched.tell() == [] and watched.states() == {"refused": "firing"}
    watched.file.unlink()
    assert watched.tell() == ["There is no alerts.yml where ALERTS_FILE says. Correct the variable, or unset it."]
    watched.declare()
    assert watched.tell() == ["alerts.yml can be read again."] and watched.tell() == []
    assert watched.states() == {}


def test_the_alerts_that_come_along_can_be_evaluated(
    watched: Watched, small_warehouses: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_FILE", str(ROOT / "alerts.yml"))
    for warehouse in small_warehouses.values():
        states = judging.judge(published_file(warehouse).resolve(), [])
        assert len(states) == len(read_alerts())
        assert {str(one["state"]) for one in states} <= {"ok", "firing", "not_enough_data"}


@contextmanager
def killed_when_published(listener: Listener, command: list[str]) -> Iterator[None]:
    """Start a run and kill it the moment it says that it has published: between the swap and its alerts."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(event: dict[str, object]) -> None:
        if event["event"] == "published":
            os.kill(process.pid, signal.SIGKILL)

    listener.when_heard = kill
    assert process.wait(timeout=300) == -signal.SIGKILL
    listener.when_heard = lambda event: None
    yield


def test_a_run_publishes_states_and_one_that_is_killed_is_made_up_for(
    tmp_path: Path,
    small_raw: dict[str, Path],
    small_warehouses: dict[str, Path],
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw, warehouse, file = small_raw["corner"], tmp_path / "warehouse", tmp_path / "alerts.yml"
    shutil.copytree(small_warehouses["corner"], warehouse, symlinks=True)
    for name, value in {
        "RAW_DIR": raw,
        "WAREHOUSE_DIR": warehouse,
        "DBT_TARGET_PATH": warehouse / "dbt-target",
        "ALERTS_FILE": file,
        "ALERT_WEBHOOK_URL": listener.address,
    }.items():
        monkeypatch.setenv(name, str(value))
    twelve = {"name": "twelve", "title": TITLE, "sql": "select 12 as value"}
    broken = {"name": "broken", "title": TITLE, "sql": "select nothing_there as value", "value": {"above": 1}}
    file.write_text(yaml.safe_dump({"alerts": [{**twelve, "value": {"below": 12}}, broken]}, allow_unicode=True))
    assert run(raw, warehouse, "publish").returncode == 0
    assert [event["event"] for event in listener.heard] == ["published", "alert"]
    found = query(warehouse, "select alert, state, value, bound, title_ru from quality.alerts")
    assert found.fillna(-1).to_numpy().tolist() == [
        ["twelve", "ok", 12.0, 12.0, TITLE["ru"]],
        ["broken", "cannot_be_evaluated", -1.0, -1.0, TITLE["ru"]],
    ]
    with duckdb.connect(str((warehouse / "current" / "stakeholders.duckdb").resolve()), read_only=True) as shown:
        assert shown.execute("select count(*) from quality.alerts").fetchall() == [(2,)]

    file.write_text(yaml.safe_dump({"alerts": [{**twelve, "value": {"above": 11}}]}, allow_unicode=True))
    before, heard = (warehouse / "current").resolve(), len(listener.heard)
    with killed_when_published(listener, [sys.executable, "-m", "pipeline", "publish"]):
        assert (warehouse / "current").resolve() != before
        assert [event["event"] for event in listener.heard[heard:]] == ["published"]
    heard = len(listener.heard)
    assert run(raw, warehouse, "alerts").returncode == 0
    assert len(listener.heard) == heard, "a dry run tells nobody"
    ended = run(raw, warehouse, "notify", "--no-wait")
    assert ended.returncode == 0 and "twelve firing; 1 told" in ended.stderr
    told = [str(event["message"]) for event in listener.heard[heard:] if event["event"] == "alert"]
    assert told == ["Refused rows: 12, above the limit of 11."]
    assert run(raw, warehouse, "notify").returncode == 0
    assert len([event for event in listener.heard[heard:] if event["event"] == "alert"]) == 1

    file.write_text("alerts: [{name: twelve, colour: red}]")
    refused = run(raw, warehouse, "alerts")
    assert refused.returncode == BAD_INPUT and "alerts.yml, alert twelve: colour means nothing here" in refused.stdout
    assert run(raw, warehouse, "publish").returncode == 0
    assert list(query(warehouse, "select alert from quality.alerts")["alert"]) == ["alerts.yml", "twelve"]
    assert not any(SECRET.encode() in one.read_bytes() for one in (warehouse / "history").iterdir())
