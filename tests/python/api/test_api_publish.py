"""A publish in the middle of a load: no request fails, and no answer is of two builds."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import duckdb
import pytest
from api_server import Server, serving


@pytest.fixture
def two_builds(published_warehouse: Path, tmp_path: Path) -> Path:
    """Return a warehouse folder with two builds that can be told apart by any row of customer_360."""
    folder = tmp_path / "warehouse"
    served = (published_warehouse / "current").resolve()
    for name in ("first", "second"):
        build = folder / "builds" / name
        build.mkdir(parents=True)
        file = build / "warehouse.duckdb"
        shutil.copy(served / "warehouse.duckdb", file)
        file.chmod(0o600)
        with duckdb.connect(str(file)) as connection:
            connection.execute(f"update marts.customer_360 set city = '{name}'")
        file.chmod(0o444)
    (folder / "current").symlink_to(Path("builds") / "first")
    return folder


def publish(folder: Path, name: str) -> None:
    link = folder / "current.part"
    link.symlink_to(Path("builds") / name)
    link.replace(folder / "current")


def test_a_publish_fails_no_request_and_mixes_no_answer(two_builds: Path, models_folder: Path, tmp_path: Path) -> None:
    with serving(two_builds, tmp_path / "home", models_folder) as server:
        seen: list[str] = []
        wrong: list[object] = []
        ended = threading.Event()

        def ask(client: Server) -> None:
            while not ended.is_set():
                answer = client.get("/customers?limit=200")
                if answer.status_code != 200:
                    wrong.append(answer.text)
                    continue
                content = answer.json()
                builds = {row["city"] for row in content["rows"]} | {content["build_id"]}
                builds.add(answer.headers["etag"].strip('"'))
                if len(builds) != 1:
                    wrong.append(builds)
                seen.extend(builds)

        clients = [threading.Thread(target=ask, args=(server,)) for _ in range(8)]
        for client in clients:
            client.start()
        try:
            for name in ("second", "first", "second"):
                publish(two_builds, name)
                until = time.monotonic() + 60
                while server.get("/ready", None).json()["build_id"] != name:
                    assert time.monotonic() < until, "the publish was not noticed"
                    time.sleep(0.05)
        finally:
            ended.set()
            for client in clients:
                client.join()
        assert not wrong
        assert set(seen) == {"first", "second"}
