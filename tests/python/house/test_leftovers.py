"""A test run that is killed leaves nothing running, not even what has a session of its own; and it hears Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from leftovers import PROCESSES, RUN

RUN_AND_WAIT = """
import subprocess, sys, time
sys.path.insert(0, sys.argv[1])
import leftovers
leftovers.end_with_this_run()
# neither the run's session, nor its output, nor its environment as it was at the start
server = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not PROCESSES.is_dir(), reason="needs /proc")
def test_a_killed_run_leaves_no_server_behind() -> None:
    environment = {name: value for name, value in os.environ.items() if name != RUN}
    command = [sys.executable, "-c", RUN_AND_WAIT, str(Path(__file__).parents[1])]
    run = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    server = PROCESSES / run.stdout.readline().strip()
    assert server.is_dir()
    run.kill()
    run.wait()
    for _ in range(100):
        if not server.is_dir() or (server / "stat").read_text().split(") ")[1].startswith("Z"):
            return
        time.sleep(0.1)
    pytest.fail("what the run has started still runs 10 s after its end")


def test_a_run_that_a_script_starts_in_the_background_hears_ctrl_c() -> None:
    code = """
import signal, sys
sys.path.insert(0, sys.argv[1])
import conftest
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    # a shell has what it starts with `&` ignore it, and processes inherit that
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [*ignoring, sys.executable, "-c", code, str(Path(__file__).parents[1])]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
