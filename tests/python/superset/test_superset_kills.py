"""A first start of the dashboards that is killed at any moment: the next start makes up for it, without help."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from superset_process import Person, ended, free_port, has_whole_metadata, kill_after, last_line, serve, spread

pytestmark = [pytest.mark.superset, pytest.mark.long]

# One in the usual run; the figures are of KILLS=30. After so many kills in a row a start is let through.
KILLS, IN_A_ROW = int(os.environ.get("KILLS", "1")), int(os.environ.get("KILLS_IN_A_ROW", "1"))
# How long a start takes, until one has taken longer, or has ended before its kill.
SECONDS = 30.0


def test_a_first_start_killed_at_any_moment_is_made_up_for(published_warehouse: Path, tmp_path: Path) -> None:
    usual, kills, moments, failed = SECONDS, 0, spread(KILLS, 11), []
    home, port = tmp_path / "home", free_port()

    def begin() -> subprocess.Popen[str]:
        return serve("start", warehouse=published_warehouse, home=home, port=port)

    while kills < KILLS:
        # spread over the whole of a start; all of it is killed, or the process group that a terminal ends
        moment, with_server = usual * moments[kills], kills % 2 == 0
        first, began = begin(), time.monotonic()
        said = kill_after(first, moment, with_server)
        if said is None:
            starts, usual = [first], usual * 0.8
        else:
            kills += 1
            whom = "everything" if with_server else "the group"
            print(f"  kill {kills}: {whom} at {moment:.1f} s, after: {last_line(said)}", file=sys.stderr, flush=True)
            if kills % IN_A_ROW and kills < KILLS:
                continue
            # now and then two come at once
            starts, began = [begin() for _ in range(1 + kills // IN_A_ROW % 2)], time.monotonic()
        answers = [ended(process) for process in starts]
        usual = max(usual, time.monotonic() - began)
        problem = look(home, port, answers)
        failed += [f"kill {kills}: {problem}"] if problem else []
        print(f"  {len(starts)} after kill {kills}: {problem or 'healed'}", file=sys.stderr, flush=True)
        ended(serve("stop", warehouse=published_warehouse, home=home, port=port))
        shutil.rmtree(home, ignore_errors=True)
    assert failed == []


def test_a_first_start_stopped_by_hand_says_so(published_warehouse: Path, tmp_path: Path) -> None:
    first = serve("start", warehouse=published_warehouse, home=tmp_path / "home", port=free_port())
    while first.poll() is None and not (tmp_path / "home").exists():
        time.sleep(0.1)
    time.sleep(1)
    first.send_signal(signal.SIGINT)
    code, _, said = ended(first)
    assert code == 130 and last_line(said).startswith("error: stopped by hand") and "Traceback" not in said


def look(home: Path, port: int, starts: list[tuple[int, str, str]]) -> str:
    """Return what is wrong with the dashboards after a start; nothing when people can come in and read."""
    for code, printed, said in starts:
        if code or "Password" not in printed or "Traceback" in said:
            return f"exit {code}: {printed[-500:]} {said[-2000:]}"
    if not has_whole_metadata(home):
        return "the metadata is not whole"
    if left := [path.name for path in home.iterdir() if "part" in path.name]:
        return f"left behind: {left}"
    admin = Person(f"http://127.0.0.1:{port}", "admin", (home / "admin_password").read_text().strip())
    chart = admin.listed("chart")[0]
    answer = admin.get(f"/api/v1/chart/{chart['id']}/data/")
    return "" if answer.status_code == 200 and answer.json()["result"][0]["data"] else answer.text[:500]
