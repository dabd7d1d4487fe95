"""A running API for tests: the real command in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from builds import ROOT

from demo.labelled import make_labelled
from scoring.calibration import calibrate
from scoring.first_purchase.learning import learn_from
from scoring.first_purchase.model import FILE, NAME, FirstPurchaseModel
from scoring.table.candidates import candidates
from scoring.table.coding import code_matrix, learn_codings
from scoring.table.model import TableModel
from scoring.table.reading import read


@dataclass(frozen=True)
class Server:
    """Where it listens, and its keys by role."""

    address: str
    keys: Mapping[str, str]
    output: Path

    def ask(self, method: str, path: str, role: str | None = "analyst", **how: Any) -> requests.Response:
        """Send a request with the key of a role."""
        headers = dict(how.pop("headers", {}))
        if role is not None:
            headers.setdefault("X-API-Key", self.keys[role])
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.address + path, headers=headers, timeout=120, **how)

    def get(self, path: str, role: str | None = "analyst", **how: Any) -> requests.Response:
        """Ask for an address."""
        return self.ask("GET", path, role, **how)

    def post(self, path: str, content: Any, role: str | None = "analyst", **how: Any) -> requests.Response:
        """Send JSON."""
        return self.ask("POST", path, role, json=content, **how)


@contextmanager
def serving(warehouse: Path, home: Path, models: Path, rate: int = 100_000) -> Iterator[Server]:
    """Run the API on a free port until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "WAREHOUSE_DIR": str(warehouse),
        "API_HOME": str(home),
        "MODELS_DIR": str(models),
        "API_PORT": str(port),
        "API_RATE": str(rate),
    }
    home.mkdir(parents=True, exist_ok=True)
    output = home / "output.txt"
    with output.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=ROOT, env={**os.environ, **settings}, stdout=log, stderr=log
        )
    try:
        server = Server(f"http://127.0.0.1:{port}", {}, output)
        until = time.monotonic() + 120
        while True:
            try:
                if server.get("/health", None).ok:
                    break
            except requests.ConnectionError:
                pass
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the API did not start:\n{output.read_text()}")
            time.sleep(0.1)
        keys = {role: (home / f"{role}.key").read_text().strip() for role in ("stakeholder", "analyst")}
        yield Server(server.address, keys, output)
    finally:
        process.terminate()
        process.wait(30)


def quick_model(folder: Path) -> TableModel:
    """Fit a model with pairs on the fictional table, without the hours of judging; written where the API finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = make_labelled(600, has_shifted_copies=False).write(folder / "table.csv")
    found = read(file, "Churn")
    codings = learn_codings(found.table, {"PreferredPaymentMode": {"Credit card": "Credit Card"}})
    codes = code_matrix(codings, found.table)
    fitted = candidates(1, found.table.rows)[2].fit(codings, codes, found.is_positive, 30)
    model = TableModel(
        "shop",
        "Churn",
        found.positive,
        tuple(codings),
        fitted.tabulate(codes),
        calibrate(fitted.score(codes), found.is_positive),
        0.4,
        {"prevalence": float(np.mean(found.is_positive)), "left_out": ["CustomerID"], "metrics": {}},
    )
    (folder / "shop").mkdir()
    (folder / "shop" / "model.json").write_text(model.to_json())
    return model


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api-models")


@pytest.fixture(scope="session")
def table_model(models_folder: Path) -> TableModel:
    return quick_model(models_folder)


@pytest.fixture(scope="session")
def first_purchase(published_warehouse: Path, models_folder: Path) -> FirstPurchaseModel:
    """Learn it from the demo shop; a window of half the usual length has more of its people in it."""
    model = learn_from((published_warehouse / "current").resolve(), 90)
    (models_folder / NAME).mkdir()
    (models_folder / NAME / FILE).write_text(model.to_json())
    return model


@pytest.fixture(scope="session")
def server(
    published_warehouse: Path,
    table_model: TableModel,
    first_purchase: FirstPurchaseModel,
    models_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    with serving(published_warehouse, tmp_path_factory.mktemp("api") / "home", models_folder) as running:
        yield running
