"""The rules that deploy/ keeps: what is pinned, who may write what, who is reached from where, where secrets are."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builds import ROOT
from containers import DEPLOY, Stage, compose, dockerfile

SETTINGS = {"RAW_DIR": "/exports"}
READERS = ("api", "dashboards")
OURS = ("pipeline", *READERS)
# an exact version; a digest may follow
PINNED = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z]+)+(@sha256:[0-9a-f]{64})?")
SECRET = re.compile(r"password|secret|token|key", re.IGNORECASE)

Content = dict[str, Any]


def faults(content: Content, stages: dict[str, Stage]) -> list[str]:
    """Return what is wrong with a compose file and the images it builds."""
    found: list[str] = []
    for name, service in content["services"].items():
        stage = stages[service["build"]["target"]] if "build" in service else Stage(service["image"], user="postgres")
        image = stages["base"].image.removesuffix("${PYTHON_DIGEST}") if "build" in service else stage.image
        broken = {
            f"{image} is no exact version": not PINNED.fullmatch(image),
            "runs as root": any(is_root(user) for user in (service.get("user"), stage.user)),
            "may write its image": not service.get("read_only"),
            "keeps rights it does not need": service.get("cap_drop") != ["ALL"] or service.get("privileged"),
            "may gain rights": "no-new-privileges:true" not in service.get("security_opt", []),
            "is reached from other machines": not all(
                str(port).startswith("127.0.0.1:") for port in service.get("ports", [])
            ),
            "may write the warehouse": name in READERS and "warehouse:/warehouse:ro" not in service["volumes"],
            "holds a secret": any(
                SECRET.search(variable) and value and not str(value).startswith("/")
                for variable, value in {**stage.environment, **service.get("environment", {})}.items()
            ),
        }
        if "job" not in service.get("profiles", []):
            broken["does not say how it is"] = not ("healthcheck" in service or stage.has_health)
            broken["does not come back"] = service.get("restart") != "unless-stopped"
        found += [f"{name} {fault}" for fault, is_so in broken.items() if is_so]
    return found + database_faults(content)


def database_faults(content: Content) -> list[str]:
    """Return where the database, what asks after it and what uses it do not go together."""
    database, user = content["services"]["postgres"], content["services"]["dashboards"]
    asked = " ".join(database["healthcheck"]["test"])
    broken = {
        "the database is asked as somebody else than its user": not all(
            words in asked for words in ('--username "$POSTGRES_USER"', '--dbname "$POSTGRES_DB"')
        ),
        "the dashboards come to the database as somebody else": any(
            database["environment"][variable] != user["environment"][variable]
            for variable in ("POSTGRES_USER", "POSTGRES_DB")
        ),
        "the database is not apart": not content["networks"]["inside"].get("internal"),
    }
    return [fault for fault, is_so in broken.items() if is_so]


def is_root(user: str | None) -> bool:
    """Tell whether a container's user is root; nobody named means root."""
    return not user or user.split(":")[0] in ("0", "root")


def test_the_compose_file_keeps_its_rules() -> None:
    assert faults(compose(SETTINGS), dockerfile()) == []


def _set(service: str, key: str, value: object) -> Callable[[Content], None]:
    return lambda content: content["services"][service].update({key: value})


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (_set("redis", "image", "redis:latest"), "exact version"),
        (_set("postgres", "image", "postgres"), "exact version"),
        (_set("api", "user", "0:0"), "root"),
        (_set("postgres", "user", None), "root"),
        (_set("api", "read_only", False), "may write its image"),
        (_set("redis", "security_opt", []), "gain rights"),
        (lambda c: c["services"]["redis"].pop("healthcheck"), "how it is"),
        (_set("dashboards", "restart", "no"), "come back"),
        (_set("api", "ports", ["8089:8089"]), "other machines"),
        (_set("dashboards", "volumes", ["warehouse:/warehouse"]), "write the warehouse"),
        (lambda c: c["services"]["postgres"]["environment"].update({"POSTGRES_PASSWORD": "word"}), "holds a secret"),
        (lambda c: c["services"]["postgres"]["environment"].update(POSTGRES_USER="admin"), "come to the database"),
        (
            lambda c: c["services"]["postgres"]["healthcheck"].update(test=["CMD-SHELL", "pg_isready -U postgres"]),
            "somebody else",
        ),
        (lambda c: c["networks"]["inside"].pop("internal"), "not apart"),
    ],
)
def test_each_rule_notices_when_it_is_broken(spoil: Callable[[Content], None], fault: str) -> None:
    content = copy.deepcopy(compose(SETTINGS))
    spoil(content)
    assert any(fault in found for found in faults(content, dockerfile())), faults(content, dockerfile())


def test_the_folder_of_raw_files_must_be_named() -> None:
    with pytest.raises(KeyError, match="RAW_DIR"):
        compose({})


def test_everything_that_is_used_is_declared() -> None:
    content = compose(SETTINGS)
    for kind in ("secrets", "networks"):
        used = {one for service in content["services"].values() for one in service.get(kind, [])}
        assert used == set(content[kind])
    mounted = {str(one).split(":")[0] for service in content["services"].values() for one in service.get("volumes", [])}
    assert mounted - {"/exports"} == set(content["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_an_image_gets_what_it_needs_and_what_may_reach_it(name: str) -> None:
    allowed = re.findall(r"^!(\S+)", (DEPLOY / "Dockerfile.dockerignore").read_text(), flags=re.MULTILINE)
    for sources, _ in dockerfile()[name].copies:
        for source in sources:
            assert (ROOT / source).exists(), f"{source} is copied and is not there"
            assert any(Path(source).match(entry) for entry in allowed), f"{source} is kept out of every image"


def test_every_folder_of_tests_in_sql_is_in_the_pipeline_s_image() -> None:
    written = {f"tests/{file.relative_to(ROOT / 'tests').parts[0]}" for file in (ROOT / "tests").rglob("*.sql")}
    copied = {source for sources, _ in dockerfile()["pipeline"].copies for source in sources}
    assert written <= copied


def test_secrets_are_made_once_and_kept_from_others(tmp_path: Path) -> None:
    script = tmp_path / "make_secrets.sh"
    script.write_text((DEPLOY / "make_secrets.sh").read_text())
    subprocess.run(["sh", str(script)], check=True, capture_output=True)
    folder = tmp_path / "secrets"
    assert oct(folder.stat().st_mode)[-3:] == "700"
    names = {Path(one["file"]).name for one in compose(SETTINGS)["secrets"].values()}
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(made) == names and all(re.fullmatch("[A-Za-z0-9]{40}", word) for word in made.values())
    assert len(set(made.values())) == len(made)
    again = subprocess.run(["sh", str(script)], check=True, capture_output=True, text=True)
    assert {file.name: file.read_text() for file in folder.iterdir()} == made
    assert not any(word in again.stdout + again.stderr for word in made.values())


def test_no_secret_can_be_committed() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", "deploy/secrets/postgres_password"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0
