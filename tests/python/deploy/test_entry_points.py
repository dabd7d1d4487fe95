"""The entry points of the images, run as processes: from what an image holds alone, with what the compose file sets.

Docker is not needed. Folders of a container stand elsewhere here, its ports are others, and PostgreSQL, Redis and nginx
are Debian's own; everything else is read from deploy/.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from builds import ROOT, query
from containers import compose, dockerfile, lay_out
from input_folder import small_shop
from services import find, folder_for, nginx, postgresql, service
from superset_process import Person, free_port, superset_python

pytestmark = pytest.mark.long

COMPOSE = compose({"RAW_DIR": "/raw"})
# another address of this machine: a server that listens on 127.0.0.1 alone does not answer there
ELSEWHERE = "127.0.0.2"
SECONDS = 1800


@dataclass
class Container:
    """What a container is, as a process."""

    name: str
    python: str
    places: Mapping[str, Path | str]  # of its folders and files, by their path in the container
    settings: Mapping[str, str]
    folder: Path

    def words(self, kind: str) -> list[str]:
        """Return a command of the Dockerfile, with this machine's Python."""
        words = dockerfile()[self.name].words[kind]
        return [self.python if word == "python" else word for word in words]

    def environment(self) -> dict[str, str]:
        """Return the container's environment: nothing of this process's own but where programs are."""
        given = {**dockerfile()[self.name].environment, **COMPOSE["services"][self.name].get("environment", {})}
        placed = {key: self.place(str(value)) for key, value in given.items() if key != "PATH"}
        own = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 - as in the image
        return {**own, **placed, **self.settings}

    def place(self, text: str) -> str:
        """Return where a path of the container is here."""
        for inside, here in self.places.items():
            if text == inside or text.startswith(f"{inside}/"):
                return f"{here}{text[len(inside) :]}"
        return text

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [*without_rights(), *self.words("ENTRYPOINT"), *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def is_healthy(self, port: int, inside: int) -> bool:
        """Ask it as its image says, on the port that it has here."""
        words = [word.replace(f":{inside}/", f":{port}/") for word in self.words("HEALTHCHECK")]
        return subprocess.run(words, env=self.environment(), capture_output=True, check=False).returncode == 0

    @contextmanager
    def serving(self, port: int, inside: int) -> Iterator[subprocess.Popen[bytes]]:
        """Run it until the block ends, and see that it is well first."""
        log = Path(self.places["/state"]) / "output.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*without_rights(), *self.words("ENTRYPOINT")],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + SECONDS
        try:
            while not self.is_healthy(port, inside):
                assert process.poll() is None, log.read_text()[-4000:]
                assert time.monotonic() < until, log.read_text()[-4000:]
                time.sleep(1)
            yield process
        finally:
            process.terminate()
            # the very process that was started is the server: it is told to stop, and stops
            assert process.wait(60) is not None


def without_rights() -> list[str]:
    """Return what goes before a command so that root, too, may only do what the modes of files allow: `cap_drop`."""
    return [] if os.getuid() else [find("setpriv"), "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


@pytest.fixture
def folders() -> Iterator[Path]:
    """Give a folder that servers of an ordinary user may come into too; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="containers-"))
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    shutil.rmtree(folder)


def make_read_only(folder: Path) -> Path:
    """Let nobody write a folder and what is in it, its owner included."""
    subprocess.run(["chmod", "-R", "a-w,a+rX", str(folder)], check=True)
    return folder


def make_state(folder: Path) -> Path:
    """Make what an image has for its volumes."""
    state = folder / "state"
    state.mkdir()
    return state


def image_of(name: str, folder: Path) -> Path:
    """Lay out what an image holds, for nobody to write."""
    return make_read_only(lay_out(dockerfile()[name], folder / "image"))


def copy_for_readers(warehouse: Path, folder: Path) -> Path:
    """Copy what is published for readers who may not write it, as a read-only volume is."""
    copy = folder / "warehouse"
    shutil.copytree(warehouse / "builds", copy / "builds")
    (copy / "current").symlink_to((warehouse / "current").readlink())
    shutil.copy(warehouse / "metrics.prom", copy)
    return make_read_only(copy)


def test_the_pipeline_builds_from_what_its_image_holds(folders: Path) -> None:
    raw, warehouse = make_read_only(small_shop().write(folders / "raw")), folders / "warehouse"
    warehouse.mkdir(mode=0o700)
    places = {"/raw": raw, "/warehouse": warehouse, "/state": make_state(folders)}
    settings = {"DBT_EXCLUDE_RESOURCE_TYPES": "unit_test", "WAREHOUSE_MEMORY": "1GB"}
    container = Container("pipeline", sys.executable, places, settings, image_of("pipeline", folders))
    built = container.run("warehouse")
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    # what `run pipeline` does without more words: those of the compose file
    again = container.run(*COMPOSE["services"]["pipeline"]["command"])
    assert again.returncode == 0 and "nothing new" in again.stderr, again.stderr
    assert query(warehouse, "select count(*) as n from marts.fct_orders")["n"].item() == 12
    assert (warehouse / "metrics.prom").exists()


def test_the_api_serves_a_warehouse_it_may_not_write(published_warehouse: Path, folders: Path) -> None:
    warehouse, port = copy_for_readers(published_warehouse, folders), free_port()
    places = {"/warehouse": warehouse, "/state": make_state(folders)}
    container = Container("api", sys.executable, places, {"API_PORT": str(port)}, image_of("api", folders))
    with container.serving(port, 8089):
        ready = requests.get(f"http://127.0.0.1:{port}/ready", timeout=60)
        assert ready.json()["build_id"] == (warehouse / "current").resolve().name
        # what the pipeline wrote of its runs beside the warehouse is among the figures of the API
        figures = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        assert "api_requests_total" in figures and 'retention_run_exit_code{step="warehouse"} 0.0' in figures
        # the port of a container is reached from outside it only where the server listens on all its addresses
        assert requests.get(f"http://{ELSEWHERE}:{port}/health", timeout=60).status_code == 200


@pytest.mark.superset
def test_the_dashboards_run_on_postgresql_and_redis_behind_nginx(published_warehouse: Path, folders: Path) -> None:
    for program in ("initdb", "postgres", "pg_isready", "redis-server", "redis-cli", "nginx", "openssl"):
        find(program)
    warehouse, state, port = copy_for_readers(published_warehouse, folders), make_state(folders), free_port()
    shutil.copy(ROOT / "deploy" / "make_secrets.sh", folders)
    subprocess.run(["sh", str(folders / "make_secrets.sh")], check=True, capture_output=True)
    secrets = folders / "secrets"
    with postgresql() as metadata, redis_of_compose(secrets) as cache, nginx(port) as (address, certificate):
        database = urlsplit(metadata)
        (secrets / "postgres_password").write_text(database.password or "")
        check_database_is_asked_as_its_user(database.port or 0, database.username or "")
        settings = {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(database.port),
            "POSTGRES_DB": database.path.strip("/"),
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(cache),
            "SUPERSET_PORT": str(port),
            "SUPERSET_HTTPS": "1",
        }
        places = {"/warehouse": warehouse, "/state": state, "/run/secrets": secrets}
        image = image_of("dashboards", folders)
        container = Container("dashboards", superset_python(), places, settings, image)
        with container.serving(port, 8088) as process:
            # no password in a command line, where every user of the machine could read it
            line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert b"gunicorn" in line
            assert not any(file.read_bytes().strip() in line for file in secrets.iterdir())
            assert requests.get(f"http://{ELSEWHERE}:{port}/health", timeout=60).status_code == 200
            look_at_a_chart(address, certificate, state / "superset" / "admin_password")
            assert not (state / "superset" / "metadata.db").exists()


def look_at_a_chart(address: str, certificate: Path, password: Path) -> None:
    """Come in through the proxy and ask for one chart twice: the second answer is the cache's."""
    session = requests.Session()
    session.trust_env = False  # a machine's own list of authorities would replace ours
    session.verify = str(certificate)
    admin = Person(address, "admin", password.read_text().strip(), session)
    charts = [chart for chart in admin.listed("chart") if chart["slice_name"] == "Customers"]
    first, second = (admin.get(f"/api/v1/chart/{charts[0]['id']}/data/").json()["result"][0] for _ in range(2))
    assert first["data"] == second["data"] and second["is_cached"]


def check_database_is_asked_as_its_user(port: int, user: str) -> None:
    """Run the compose file's own question after the database, on the port it has here."""
    database = COMPOSE["services"]["postgres"]
    assert database["environment"]["POSTGRES_USER"] == user
    (question,) = database["healthcheck"]["test"][1:]
    environment = {**os.environ, **database["environment"], "PGPORT": str(port), "PATH": path_with("pg_isready")}
    assert subprocess.run(["sh", "-c", question], env=environment, check=False, capture_output=True).returncode == 0
    environment["PGPORT"] = str(free_port())
    assert subprocess.run(["sh", "-c", question], env=environment, check=False, capture_output=True).returncode != 0


@contextmanager
def redis_of_compose(secrets: Path) -> Iterator[int]:
    """Run Redis by the compose file's own command, and ask after it by the file's own question; give its port."""
    folder, port = folder_for("redis"), free_port()
    described = COMPOSE["services"]["redis"]
    for_here = (
        ("/run/secrets", str(secrets)),
        ("/data/redis.conf", f"{folder}/redis.conf"),
        ("'requirepass", f"'port {port}\\nbind 127.0.0.1\\ndir {folder}\\nrequirepass"),
        ("redis-server", find("redis-server")),
        ("redis-cli", f"{find('redis-cli')} -p {port}"),
    )
    command, question = " ".join(described["command"][2:]), described["healthcheck"]["test"][1]
    for before, after in for_here:
        command, question = command.replace(before, after), question.replace(before, after)
    secrets.chmod(0o755)
    with service(["sh", "-c", command], port, folder):
        assert subprocess.run(["sh", "-c", question], check=False).returncode == 0
        # whoever has no password gets nothing
        with socket.create_connection(("127.0.0.1", port), timeout=10) as stranger:
            stranger.sendall(b"PING\r\n")
            assert stranger.recv(100).startswith(b"-NOAUTH")
        yield port


def path_with(program: str) -> str:
    return f"{Path(find(program)).parent}:{os.environ['PATH']}"
