"""Debian's own PostgreSQL, Redis and nginx, each on loopback in a temporary folder, run by an ordinary user.

A test that needs one which is not on the machine is skipped.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from builds import ROOT
from superset_process import free_port

NGINX_EXAMPLE = ROOT / "docs" / "examples" / "nginx.conf"


def find(name: str) -> str:
    """Return a program's path; Debian keeps some out of an ordinary user's PATH."""
    places = [os.environ.get("PATH", ""), "/usr/sbin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
    found = shutil.which(name, path=":".join(reversed(places)))
    if not found:
        # where it was promised, a silent skip would hide that nobody has looked
        refuse = pytest.fail if os.environ.get("REQUIRE_SERVICES") else pytest.skip
        refuse(f"no {name} on this machine: apt-get install postgresql redis-server nginx openssl")
    return found


def ordinary_user() -> dict[str, Any]:
    """Return what makes a child an ordinary user's process: PostgreSQL refuses to be root's."""
    if os.getuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def folder_for(name: str) -> Path:
    """Make a folder that the ordinary user owns; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix=f"superset-{name}-"))
    if who := ordinary_user():
        os.chown(folder, who["user"], who["group"])
    return folder


@contextmanager
def service(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """Run a server as an ordinary user until the test is over."""
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **ordinary_user()
        )
        try:
            for _ in range(300):
                assert process.poll() is None, (folder / "output.log").read_text()[-2000:]
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            else:
                pytest.fail(f"{command[0]} does not listen: {(folder / 'output.log').read_text()[-2000:]}")
            yield
        finally:
            process.terminate()
            process.wait(30)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run an empty PostgreSQL and give its URI."""
    folder, port, word = folder_for("postgresql"), free_port(), secrets.token_urlsafe(16)
    secret = folder / "password"
    secret.write_text(word)
    secret.chmod(0o644)
    made = subprocess.run(
        [find("initdb"), "-D", "data", "-U", "superset", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **ordinary_user(),
    )
    assert made.returncode == 0, made.stdout + made.stderr
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    with service([find("postgres"), "-D", "data", "-p", str(port), *options], port, folder):
        # it listens before it takes anybody in
        for _ in range(300):
            if not subprocess.run(
                [find("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
            ).returncode:
                break
            time.sleep(0.1)
        yield f"postgresql+psycopg2://superset:{word}@127.0.0.1:{port}/postgres"


@contextmanager
def redis_server() -> Iterator[str]:
    """Run an empty Redis with a password and give its URL."""
    folder, port, word = folder_for("redis"), free_port(), secrets.token_urlsafe(16)
    command = [find("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--requirepass", word, "--save", ""]
    with service(command, port, folder):
        yield f"redis://:{word}@127.0.0.1:{port}/0"


@contextmanager
def nginx(behind: int) -> Iterator[tuple[str, Path]]:
    """Run nginx with the example's configuration, other paths and ports in it; give its address and certificate."""
    folder, port = folder_for("nginx"), free_port()
    certificate, key = folder / "dashboards.pem", folder / "dashboards.key"
    made = subprocess.run(
        [
            *(find("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        capture_output=True,
        text=True,
        check=False,
        **ordinary_user(),
    )
    assert made.returncode == 0, made.stderr
    text = NGINX_EXAMPLE.read_text()
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    for before, after in (
        ("/run/nginx.pid", f"{folder}/nginx.pid"),
        ("/var/log/nginx", str(folder)),
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("/etc/ssl/certs/dashboards.pem", str(certificate)),
        ("/etc/ssl/private/dashboards.key", str(key)),
        ("127.0.0.1:8088", f"127.0.0.1:{behind}"),
        ("http {\n", "http {\n" + temporary),
    ):
        assert before in text, f"the example has no {before!r}"
        text = text.replace(before, after)
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    command = [find("nginx"), "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(configuration)]
    with service([*command, "-g", "daemon off;"], port, folder):
        yield f"https://127.0.0.1:{port}", certificate
