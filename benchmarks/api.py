"""What the API takes under load, beside a one-row DataFrame behind the same server: ``python -m benchmarks.api``.

Everything goes over HTTP on this machine, clients and server on the same cores. The build is the published one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np

from demo.labelled import make_labelled
from pipeline.base import paths
from pipeline.base.errors import BuildError
from pipeline.base.outcome import exit_code_of, run_until_stopped
from scoring.calibration import calibrate
from scoring.table.candidates import candidates
from scoring.table.coding import code_matrix, learn_codings
from scoring.table.model import TableModel
from scoring.table.reading import read

CLIENTS = 8
ABOUT = """# The API under load

`python -m benchmarks --part api`: over HTTP, clients and server on the same cores, on the published build. Beside it a
pipeline of scikit-learn that is asked with a DataFrame of one row, behind the same server, in the same run.

"""
ORDERS = [{"purchased_at": f"2025-0{month}-02T10:15:00", "payment_value": 79.9, "state": "SP"} for month in (1, 3)]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a table; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--requests", type=int, default=2_000, help="of each kind, by all clients together")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: run_until_stopped(lambda: print(measure(options.requests))))


def measure(requests: int) -> str:
    """Measure every kind of request; returns a Markdown table in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        row = _write_model(home / "models" / "shop")
        with duckdb.connect(str(paths.current_link().resolve() / "warehouse.duckdb"), read_only=True) as warehouse:
            found = warehouse.execute("select customer_id from marts.customer_360 using sample 500 (reservoir, 7)")
            people = [str(one[0]) for one in found.fetchall()]
        lines = ["| request | clients | p50 ms | p99 ms | a second |", "|---|---|---|---|---|"]
        settings = {"API_HOME": str(home / "keys"), "MODELS_DIR": str(home / "models"), "API_RATE": "1000000"}
        with _serving("api", settings) as port:
            key = (home / "keys" / "analyst.key").read_text().strip()
            alone = json.dumps({"model": "shop", "row": row})
            many = json.dumps({"model": "shop", "rows": [row] * 10_000})
            for name, clients, count, path, bodies in (
                ("`/predict`, a row", CLIENTS, requests, "/predict", [alone]),
                ("`/predict`, two orders", CLIENTS, requests, "/predict", [json.dumps({"orders": ORDERS})]),
                ("`/predict/batch`, 10,000 rows", 1, 10, "/predict/batch", [many]),
                ("`/customers/{id}`", CLIENTS, requests, "/customers/", people),
            ):
                lines.append(_line(name, port, path, bodies, key=key, clients=clients, count=count))
        with _serving("benchmarks.api_rival", {"TABLE": str(home / "models" / "shop" / "table.csv")}) as port:
            name = "rival: scikit-learn's pipeline on a DataFrame of one row"
            lines.append(_line(name, port, "/predict", [json.dumps(row)], key="", clients=CLIENTS, count=requests))
    return "\n".join(lines)


def _write_model(folder: Path) -> dict[str, float | str]:
    """Fit a model with pairs on the fictional table; returns a row for it."""
    made = make_labelled(2_000, has_shifted_copies=False)
    found = read(made.write(folder / "table.csv"), "Churn")
    codings = learn_codings(found.table)
    codes = code_matrix(codings, found.table)
    fitted = candidates(1, found.table.rows)[2].fit(codings, codes, found.is_positive, 120)
    calibration = calibrate(fitted.score(codes), found.is_positive)
    facts = {"prevalence": float(found.is_positive.mean())}
    model = TableModel("shop", "Churn", "1", tuple(codings), fitted.tabulate(codes), calibration, 0.5, facts)
    (folder / "model.json").write_text(model.to_json())
    return {coding.feature: coding.words[0] if coding.kind == "word" else coding.high for coding in codings}


@contextmanager
def _serving(module: str, settings: dict[str, str]) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    environment = {**os.environ, **settings, "API_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", module], cwd=paths.PROJECT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _line(name: str, port: int, path: str, bodies: Sequence[str], *, key: str, clients: int, count: int) -> str:
    seconds: list[float] = []
    refused: list[int] = []
    is_get = path.endswith("/")

    def run(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        for turn in range(count // clients):
            body = bodies[(number + turn * clients) % len(bodies)]
            started = time.perf_counter()
            if is_get:
                connection.request("GET", path + body, headers=headers)
            else:
                connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            seconds.append(time.perf_counter() - started)
            if answer.status != 200:
                refused.append(answer.status)
        connection.close()

    began = time.perf_counter()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - began
    # a thread's own error would be lost, and its time with it
    if refused or len(seconds) != count // clients * clients:
        raise BuildError(f"{name}: of {count} requests {len(seconds)} were answered, {len(refused)} with an error.")
    middle, late = np.percentile(seconds, (50, 99)) * 1000
    return f"| {name} | {clients} | {middle:.1f} | {late:.1f} | {len(seconds) / spent:,.0f} |"


if __name__ == "__main__":
    sys.exit(main())
