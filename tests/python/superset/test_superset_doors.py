"""What ends a person's sessions, what a visitor without an account can cost, and the rows a statement asks for."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from superset_process import Person, Server, run_in_superset, server_for

pytestmark = pytest.mark.superset


@pytest.fixture
def server(served_warehouse: Path) -> Server:
    return server_for(served_warehouse)


def add(server: Server, *words: str) -> str:
    """Add a person, or give a known one a new password; return it."""
    done = server.command("add-user", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    word = re.search(r"Password\s+(\S+)", done.stdout)
    assert word, done.stdout
    return word.group(1)


def tokens(server: Server, name: str, password: str) -> dict[str, str]:
    """Log in as a program does."""
    form = {"username": name, "password": password, "provider": "db", "refresh": True}
    answer = requests.post(f"{server.base}/api/v1/security/login", json=form, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def doors(server: Server, cookies: Any, given: dict[str, str]) -> list[int]:
    """Try a cookie, an access token and a refresh token; return the codes of the answers."""
    access, refresh = ({"Authorization": f"Bearer {given[name]}"} for name in ("access_token", "refresh_token"))
    return [
        requests.get(f"{server.base}/api/v1/me/", cookies=cookies, timeout=60).status_code,
        requests.get(f"{server.base}/api/v1/me/", headers=access, timeout=60).status_code,
        requests.post(f"{server.base}/api/v1/security/refresh", headers=refresh, timeout=60).status_code,
    ]


def test_logging_out_and_a_new_password_end_what_was_begun_before(server: Server) -> None:
    for ending in ("logout", "new password"):
        word = add(server, "leaver")
        person, given = Person(server.base, "leaver", word), tokens(server, "leaver", word)
        copy = person.session.cookies.copy()
        assert doors(server, copy, given) == [200, 200, 200]
        if ending == "logout":
            person.get("/logout/")
            assert Person(server.base, "leaver", word), "the same password lets in again"
        else:
            add(server, "leaver")
        assert doors(server, copy, given) == [401, 401, 401], ending


def people(server: Server) -> list[Any]:
    """Everyone's password hash and roles."""
    with contextlib.closing(sqlite3.connect(server.home / "metadata.db")) as connection:
        return connection.execute(
            """
            select ab_user.username, ab_user.password, ab_role.name
            from ab_user
            join ab_user_role on ab_user_role.user_id = ab_user.id
            join ab_role on ab_role.id = ab_user_role.role_id
            order by 1, 3
            """
        ).fetchall()


GIVEN = [
    (("Marketing", "SP"), ["Marketing", "State SP"]),
    ((None, None), ["Marketing", "State SP"]),
    (("Stakeholder", None), ["Stakeholder", "State SP"]),
    ((None, "RJ"), ["Stakeholder", "State RJ"]),
    (("Analyst", "all"), ["Analyst"]),
    ((None, None), ["Analyst"]),
]


def test_a_new_password_keeps_role_and_state(server: Server) -> None:
    code = f"""
import json, bootstrap
with bootstrap.application().app_context():
    import roles
    from superset import security_manager as manager
    seen = []
    for (role, state), _ in {GIVEN!r}:
        roles.add_user(manager, "keeper", role, state)
        seen.append(sorted(one.name for one in manager.find_user(username="keeper").roles))
print(json.dumps(seen))
"""
    seen = run_in_superset(code, server.warehouse, server.home)
    assert seen == [expected for _, expected in GIVEN]


REFUSED = [
    ("limited", "--role", "Analyst"),
    ("new", "--role", "Analyst", "--state", "SP"),
    ("limited", "--state", "XX"),
    ("limited", "--state", "S'P"),
    ("limited", "--state", ""),
    ("",),
    (" ",),
    ("limited ",),
    ("a\nb",),
    ("x" * 65,),
    ("admin", "--role", "Stakeholder"),
    ("admin", "--state", "SP"),
]


def test_what_is_refused_for_a_person_changes_nothing(server: Server) -> None:
    add(server, "limited", "--state", "SP")
    before = people(server)
    for words in REFUSED:
        done = server.command("add-user", *words)
        assert done.returncode == 1, (words, done.stdout)
        assert done.stderr.startswith("error: "), (words, done.stderr[-500:])
        assert "Password" not in done.stdout
    assert people(server) == before


def test_the_administrators_new_password_is_the_one_in_the_file(server: Server) -> None:
    word = add(server, "admin")
    assert (server.home / "admin_password").read_text() == word + "\n"
    server.people.pop("Admin", None)
    assert server.person("Admin").get("/api/v1/me/").status_code == 200


def test_a_lost_password_is_made_again_when_the_metadata_that_knows_it_is_in_place(server: Server) -> None:
    code = """
import json, bootstrap, settings
file = settings.home() / bootstrap.PASSWORD_FILE
with bootstrap.application().app_context():
    from superset import security_manager
    kept = bootstrap._admin(security_manager)
    file.unlink()
    made = bootstrap._admin(security_manager)
before = file.exists()  # metadata may still be a copy, which a kill leaves behind
bootstrap._name_password()
print(json.dumps([kept, made, before, len(file.read_text().strip())]))
"""
    assert run_in_superset(code, server.warehouse, server.home) == ["kept", "new password", False, 20]
    server.people.pop("Admin", None)
    assert server.person("Admin").get("/api/v1/me/").status_code == 200


@pytest.mark.parametrize("role", ["Stakeholder", "Analyst"])
def test_owners_are_named_without_an_address(server: Server, role: str) -> None:
    person, admin = server.person(role), server.person("Admin")
    numbers = {kind: admin.listed(kind)[0]["id"] for kind in ("chart", "dataset", "dashboard")}
    addresses = [f"{kind}/related/owners" for kind in numbers] + [f"{kind}/" for kind in numbers]
    addresses += [f"{kind}/{number}" for kind, number in numbers.items()]
    addresses += [f"dashboard/{numbers['dashboard']}/{part}" for part in ("datasets", "charts")]
    addresses += [f"explore/?slice_id={numbers['chart']}"]
    answers = {address: person.get(f"/api/v1/{address}") for address in addresses}
    assert sum(answer.status_code == 200 for answer in answers.values()) >= 4
    assert [address for address, answer in answers.items() if "@example.invalid" in answer.text] == []


VISITS = [
    "/superset/welcome/",
    "/login/",
    "/lang/xx",
    "/no/such/address",
    "/superset/dashboard/1/",
    "/api/v1/chart/1/data/",
    "/basemap/13/4000/4000.png",
]


def test_a_visitor_without_an_account_leaves_nothing_on_the_disk(server: Server) -> None:
    log = server.home / "superset.log"

    def size() -> tuple[int, int, int]:
        with contextlib.closing(sqlite3.connect(server.home / "metadata.db")) as connection:
            (rows,) = connection.execute("select count(*) from logs where user_id is null").fetchone()
        return rows, log.stat().st_size, sum(1 for path in (server.home / "cache").rglob("*") if path.is_file())

    for address in VISITS:  # what is made once is made now
        requests.get(server.base + address, timeout=60)
    before = size()
    codes = [requests.get(server.base + address, timeout=60).status_code for address in VISITS for _ in range(3)]
    requests.post(f"{server.base}/superset/log/", json={"events": "[]"}, timeout=60)
    assert size() == before
    assert max(codes) < 500, codes


def test_map_tiles_are_for_people_with_an_account_and_are_not_kept_without_end(
    server: Server, published_warehouse: Path
) -> None:
    assert requests.get(f"{server.base}/basemap/4/5/8.png", timeout=60).status_code == 401
    tile = server.person("Stakeholder").get("/basemap/4/5/8.png")
    assert tile.status_code == 200 and tile.content.startswith(b"\x89PNG")
    assert "private" in tile.headers["Cache-Control"]
    code = """
import json, pathlib, basemap, settings
basemap.KEPT_TILES = 20
for column in range(60):
    basemap._drawn(6, column, 20)
kept = settings.home() / "cache" / "tiles-drawn"
print(json.dumps(sum(1 for path in kept.iterdir() if path.is_file())))
"""
    with spare_home(server) as home:
        assert 0 < run_in_superset(code, published_warehouse, home) <= 22


@contextlib.contextmanager
def spare_home(server: Server) -> Iterator[Path]:
    """Give another home with the outlines in it, for code that runs beside the server."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(server.home / "basemap.json.gz", folder)
        yield Path(folder)


def test_outlines_that_are_cut_are_made_again(server: Server, published_warehouse: Path) -> None:
    code = """
import json, basemap, settings
basemap.generate = lambda target, whole=(settings.home() / "whole").read_bytes(): target.write_bytes(whole)
print(json.dumps(len(basemap.draw(3, 2, 4))))
"""
    with spare_home(server) as home:
        whole = (home / "basemap.json.gz").read_bytes()
        (home / "whole").write_bytes(whole)
        for part in (whole[: len(whole) // 2], b"", b"{}"):
            (home / "basemap.json.gz").write_bytes(part)
            assert run_in_superset(code, published_warehouse, home) > 100
            assert (home / "basemap.json.gz").read_bytes() == whole


def test_requests_are_bounded_and_no_other_host_is_let_in(server: Server) -> None:
    large = b"x" * 11_000_000
    for address, kind in (
        ("/login/", "application/x-www-form-urlencoded"),
        ("/api/v1/security/login", "application/json"),
    ):
        answer = requests.post(server.base + address, data=large, headers={"Content-Type": kind}, timeout=60)
        assert answer.status_code == 413, address
    assert requests.get(f"{server.base}/login/?x={'y' * 9000}", timeout=60).status_code == 414
    assert requests.get(f"{server.base}/login/?x={'y' * 8000}", timeout=60).status_code == 200
    for origin in ("https://tile.openstreetmap.org", "https://example.org"):
        answer = requests.get(f"{server.base}/login/", headers={"Origin": origin}, timeout=60)
        assert [name for name in answer.headers if name.lower().startswith("access-control")] == []


def test_no_secret_is_the_one_that_superset_ships(published_warehouse: Path, tmp_path: Path) -> None:
    code = """
import json, superset_config as ours
from superset import config as theirs
names = [name for name in dir(theirs) if "SECRET" in name and name != "CHANGE_ME_SECRET_KEY"
         and isinstance(getattr(theirs, name), str)]
print(json.dumps({name: getattr(ours, name, None) for name in names if "change" in getattr(theirs, name).lower()
                  or len(getattr(theirs, name)) > 8}))
"""
    given = run_in_superset(code, published_warehouse, tmp_path / "home")
    assert {"GUEST_TOKEN_JWT_SECRET", "GLOBAL_ASYNC_QUERIES_JWT_SECRET", "SECRET_KEY"} <= set(given)
    assert [name for name, value in given.items() if not value or len(value) < 40 or "change" in value] == []


# A statement and the rows it gives when the menu says 1,000; the shop has some thousands of customers.
STATEMENTS = {
    "select customer_id from marts.customer_rfm order by monetary desc limit 2": 2,
    "from marts.customer_rfm limit 3;": 3,
    "select customer_id from marts.customer_rfm limit 0": 0,
    "select customer_id from marts.customer_rfm limit 4 offset 5": 4,
    "with people as (select * from marts.customer_rfm) select * from people limit 2": 2,
    "select customer_id from marts.customer_rfm union all select customer_id from marts.customer_rfm limit 7": 7,
    "select customer_id from marts.customer_rfm fetch first 3 rows only": 3,
    "select customer_id from marts.customer_rfm limit 1 + 1": 2,
    "select customer_id from marts.customer_rfm limit (select 3)": 3,
    "select * from (select customer_id from marts.customer_rfm limit 200) limit 50 percent": 100,
    "select 1; select customer_id from marts.customer_rfm limit 6": 6,
    "-- limit 9\nselect customer_id from marts.customer_rfm limit 2 -- limit 5": 2,
    "select customer_id from marts.customer_rfm": 1000,
    "select customer_id from marts.customer_rfm limit 5000": 1000,
    "select customer_id from marts.customer_rfm limit all": 1000,
    "select customer_id from marts.customer_rfm using sample 5 rows": 5,
    "explain select 1 limit 1": 1,
}


def test_a_statement_in_sql_lab_gets_the_rows_it_asked_for(server: Server) -> None:
    analyst, database = server.person("Analyst"), server.database()
    given = {}
    for statement in STATEMENTS:
        answer = analyst.sql(statement, database)
        given[statement] = len(answer.json()["data"]) if answer.status_code == 200 else answer.text[:200]
    assert given == STATEMENTS
