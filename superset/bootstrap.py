"""Brings Superset's own state up to what this folder and the published warehouse say, in one process.

Metadata schema, permissions, roles, the administrator, and the assets; each is left alone when nothing about it
changed since the last time, and the whole is skipped when nothing changed at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict
from typing import Any

import basemap
import bundle
import catalogue
import roles
import settings
import state
import yaml
from shop import Shop

STATE = "bootstrap.json"
ADMIN_USER = "admin"
# What the server's process reads from the environment besides its folders, which bootstrap sets itself.
SERVER_SETTINGS = (
    "SUPERSET_HTTPS",
    "SUPERSET_LOGIN_LIMIT",
    "SUPERSET_LOG_LEVEL",
    "SUPERSET_MEMORY_LIMIT",
    "SUPERSET_METADATA_URI",
    "SUPERSET_PUBLIC",
    "SUPERSET_QUERY_SECONDS",
    "SUPERSET_REDIS_URL",
    "SUPERSET_SPILL_LIMIT",
    "SUPERSET_THREADS",
    "SUPERSET_TILES_URL",
    "SUPERSET_WORKERS",
    "SUPERSET_WORKER_MEMORY",
)
PASSWORD_FILE, PASSWORD_PART = "admin_password", "admin_password.part"
SECRET_KEY_FILE, SECRET_KEY_BYTES = "secret_key", 48
FULL_DISK = 28  # exit code of the process that works on the metadata


class BootstrapError(Exception):
    """Bringing the state up did not succeed; what it was doing is on the terminal already."""


@contextmanager
def step(name: str) -> Iterator[list[str]]:
    """Say what was done and how long it took."""
    started = time.monotonic()
    notes: list[str] = []
    yield notes
    print(f"  {name:<28} {', '.join(notes):<58} {time.monotonic() - started:6.1f} s", file=sys.stderr, flush=True)


def _digest(parts: list[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def fingerprints(tables: dict[str, catalogue.Table]) -> dict[str, str]:
    """Return what each step depends on, as digests.

    Returns
    -------
    dict
        ``schema``: the environment, which the metadata's schema follows. ``permissions``: besides, configuration and
        roles. ``assets``: besides, every file of the assets, the catalogue of the published warehouse and the charts
        that it has rows for.
    """
    lock = (settings.PROJECT / "requirements/superset.txt").read_bytes()
    schema = [lock, settings.metadata_uri().encode()]
    code = [(settings.ROOM / name).read_bytes() for name in ("superset_config.py", "roles.py", "bootstrap.py")]
    permissions = [*schema, *code, os.environ.get("SUPERSET_PUBLIC", "").encode()]
    compilers = [
        (settings.ROOM / name).read_bytes()
        for name in ("bundle.py", "charts.py", "languages.py", "shop.py", "palette.py", "basemap.py")
    ]
    files = sorted(path for path in settings.ASSETS.rglob("*") if path.is_file())
    described = [f"{path.relative_to(settings.ASSETS)}\n".encode() + path.read_bytes() for path in files]
    published = {name: asdict(table) for name, table in tables.items()}
    known = json.dumps([published, bundle.drawn(tables)], sort_keys=True).encode()
    return {
        "schema": _digest(schema),
        "permissions": _digest(permissions),
        "assets": _digest([*permissions, *compilers, *described, known, basemap.STYLE.encode()]),
    }


def code_digest() -> str:
    """Return what a running server was started from: a change of it takes a restart."""
    lock = settings.PROJECT / "requirements/superset.txt"
    files = [lock, settings.ASSETS / "palette.yaml", *sorted(settings.ROOM.glob("*.py"))]
    choices = {name: os.environ.get(name) for name in SERVER_SETTINGS}
    choices |= {"port": str(settings.port()), "secret": state.secret(SECRET_KEY_FILE, SECRET_KEY_BYTES)}
    return _digest([path.read_bytes() for path in files] + [json.dumps(choices, sort_keys=True).encode()])


def recorded() -> dict[str, str]:
    """Return the digests of the last complete bootstrap; none when the file is lost or cut, and all is done again."""
    try:
        known = json.loads((settings.home() / STATE).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}


def environment() -> dict[str, str]:
    """Return the environment Superset is started with."""
    return {
        **os.environ,
        "SUPERSET_HOME": str(settings.home()),
        "SUPERSET_CONFIG_PATH": str(settings.ROOM / "superset_config.py"),
        "WAREHOUSE_DIR": str(settings.warehouse_dir()),
        "FLASK_APP": "superset",
    }


def application() -> Any:
    """Create Superset's application in this process."""
    os.environ.update(environment())
    # Superset's start and its migrations talk a lot; what goes wrong is an error, and errors are not silenced.
    logging.disable(logging.WARNING)
    from superset.app import create_app

    return create_app()


def _admin(manager: Any) -> str:
    """Make sure that there is an administrator whose password is in the file, and nowhere else.

    A new one gets its name when the metadata that knows it has taken its place: a start may be killed before that.
    """
    user = manager.find_user(username=ADMIN_USER)
    if user and state.read_line(settings.home() / PASSWORD_FILE):
        return "kept"
    word = roles.add_user(manager, ADMIN_USER, roles.ADMIN)
    state.write_whole(settings.home() / PASSWORD_PART, word + "\n")
    return "new password" if user else "created"


def _name_password() -> None:
    """Give a new administrator's password its name."""
    with suppress(FileNotFoundError):
        (settings.home() / PASSWORD_PART).replace(settings.home() / PASSWORD_FILE)


def _remove_stale(uuids: dict[str, set[str]]) -> int:
    """Delete charts, dashboards and datasets of ours that left the assets; people's own are not touched.

    A dataset on which somebody has built a chart stays until that chart is gone.
    """
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    from superset import db  # type: ignore[attr-defined]  # our folder is not that package

    removed = 0
    for model, kind in ((Dashboard, "dashboards"), (Slice, "charts"), (SqlaTable, "datasets")):
        for one in db.session.query(model).filter_by(is_managed_externally=True):
            if str(one.uuid) in uuids[kind]:
                continue
            if model is SqlaTable and db.session.query(Slice).filter_by(datasource_id=one.id).count():
                continue
            db.session.delete(one)
            removed += 1
        db.session.commit()
    return removed


def _move_datasets(files: dict[str, str]) -> None:
    """Give datasets that are there already the database that they are read from now.

    The import looks for a dataset in its new database, does not find it, and fails as it makes a second of that name.
    """
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.core import Database

    from superset import db  # type: ignore[attr-defined]  # our folder is not that package

    described = [yaml.safe_load(text) for path, text in files.items() if path.startswith("datasets/")]
    wanted = {one["uuid"]: one["database_uuid"] for one in described}
    moved = [
        table
        for table in db.session.query(SqlaTable).filter_by(is_managed_externally=True)
        if wanted.get(str(table.uuid), str(table.database.uuid)) != str(table.database.uuid)
    ]
    if not moved:
        return
    places = {path: text for path, text in files.items() if path.startswith("databases/") or path == "metadata.yaml"}
    ImportAssetsCommand(places).run()
    for table in moved:
        table.database = db.session.query(Database).filter_by(uuid=wanted[str(table.uuid)]).one()
    db.session.commit()


def _import_assets(manager: Any, tables: dict[str, catalogue.Table]) -> str:
    """Import the compiled assets over what is there and give the dashboards their audience."""
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.models.core import Database
    from superset.models.dashboard import Dashboard
    from superset.utils.core import override_user

    from superset import db  # type: ignore[attr-defined]  # our folder is not that package

    compiled = bundle.compile_assets(tables)
    with override_user(manager.find_user(username=ADMIN_USER)):
        _move_datasets(compiled.files)
        ImportAssetsCommand(dict(compiled.files)).run()
        removed = _remove_stale(compiled.uuids)
    databases = [
        db.session.query(Database).filter_by(uuid=bundle.identity("database", name)).one() for name in bundle.DATABASES
    ]
    known = roles.define(manager, databases)
    public = manager.find_role("Public") if settings.is_public() else None
    for dashboard in compiled.dashboards:
        record = db.session.query(Dashboard).filter_by(uuid=dashboard.uuid).one()
        audience = [known[name] for name in dashboard.spec["audience"]]
        if public is not None and roles.STAKEHOLDER in dashboard.spec["audience"]:
            audience.append(public)
        record.roles = audience
    db.session.commit()
    roles.refresh_states()
    counts = {kind: len(ids) for kind, ids in compiled.uuids.items()}
    note = f"{counts['dashboards']} dashboards, {counts['charts']} charts, {counts['datasets']} datasets"
    lacking = Shop.read(tables).lacking
    note += f", none for {', '.join(lacking)}" if lacking else ""
    return f"{note}, {removed} removed" if removed else note


def run(force: bool = False, before_replacing: Callable[[], object] = lambda: None) -> bool:
    """Do what is needed; return whether anything was. The caller holds `state.only_one`.

    Parameters
    ----------
    force : bool
        Do every step, whatever changed.
    before_replacing : callable
        Called before the metadata's file is replaced, which no server may have open then.

    Raises
    ------
    state.DamagedStateError
        If a state file can be neither used nor made again.
    state.FullDiskError
        If there is no room for it.
    BootstrapError
        If a step failed, or the server could not be stopped.
    """
    has_metadata = state.has_metadata()
    if not has_metadata and recorded():
        state.say("  the metadata is gone: it is made again, without the accounts and what people made")
    tables = catalogue.read()
    wanted, known = fingerprints(tables), recorded() if has_metadata and not force else {}
    outlines = settings.home() / basemap.OUTLINES
    complete = outlines.exists() and state.read_line(settings.home() / PASSWORD_FILE)
    state.secret(SECRET_KEY_FILE, SECRET_KEY_BYTES)
    if wanted == known and complete:
        return False
    if not outlines.exists():
        with step("base map") as notes:
            basemap.generate(outlines)
            notes.append(f"{outlines.stat().st_size / 1e6:.1f} MB of outlines, {basemap.draw_ahead()} tiles")
    file = state.metadata_file()
    if file is not None and wanted["schema"] != (recorded().get("schema") if has_metadata else None):
        before_replacing()
        with state.replaced_metadata(file) as part:
            _in_process_of_its_own(wanted, known, tables, settings.sqlite_uri(part))
    else:
        _in_process_of_its_own(wanted, known, tables, settings.metadata_uri())
    _name_password()
    state.write_whole(settings.home() / STATE, json.dumps(wanted, indent=2))
    return True


def _in_process_of_its_own(
    wanted: dict[str, str], known: dict[str, str], tables: dict[str, catalogue.Table], metadata_uri: str
) -> None:
    """Run the steps where Superset, which reads its settings once, may be told of other metadata.

    The process inherits the lock: should this one be killed, the next start waits for both.
    """

    def work() -> None:
        os.environ["SUPERSET_METADATA_URI"] = metadata_uri
        try:
            with (settings.home() / "bootstrap.log").open("w") as chatter, redirect_stdout(chatter):
                _bring_up(wanted, known, tables)
        except Exception as error:
            if state.is_of_a_full_disk(error):
                sys.exit(FULL_DISK)
            raise

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    if process.exitcode == FULL_DISK:
        raise state.FullDiskError
    if process.exitcode:
        raise BootstrapError(f"the dashboards' state could not be brought up (exit {process.exitcode})")


def _bring_up(wanted: dict[str, str], known: dict[str, str], tables: dict[str, catalogue.Table]) -> None:
    """Run the steps whose digests changed, inside one application."""
    with step("start Superset's code"):
        app = application()
    with app.app_context():
        from superset import appbuilder, security_manager  # type: ignore[attr-defined]  # our folder is not that package

        if wanted["schema"] != known.get("schema"):
            with step("metadata schema"):
                from flask_migrate import upgrade

                upgrade()
        if wanted["permissions"] != known.get("permissions"):
            with step("permissions and roles"):
                appbuilder.add_permissions(update_perms=True)
                security_manager.sync_role_definitions()
        with step("administrator") as notes:
            notes.append(_admin(security_manager))
        with step("dashboards") as notes:
            notes.append(_import_assets(security_manager, tables))
        from superset import db  # type: ignore[attr-defined]  # our folder is not that package

        db.session.remove()
        db.engine.dispose()
