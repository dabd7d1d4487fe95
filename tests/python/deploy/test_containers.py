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
        stage = stages[service["build"]["target"]] if "build" in service else None
        image = stages["base"].image.removesuffix("${PYTHON_DIGEST}") if stage else service["image"]
        if not PINNED.fullmatch(image):
            found.append(f"{name}: {image} is no exact version")
        for user in (service.get("user"), stage.user if stage else "postgres"):
            if not user or user.split(":")[0] in ("0", "root"):
                found.append(f"{name} runs as root")
        if not (service.get("read_only") and service.get("cap_drop") == ["ALL"]):
            found.append(f"{name} may write its image, or keeps rights it does not need")
        if "no-new-privileges:true" not in service.get("security_opt", []) or service.get("privileged"):
            found.append(f"{name} may gain rights")
        if "job" not in service.get("profiles", []):
            if not ("healthcheck" in service or (stage and stage.has_health)):
                found.append(f"{name} does not say how it is")
            if service.get("restart") != "unless-stopped":
                found.append(f"{name} does not come back")
        found += [
            f"{name} is reached from other machines: {port}"
            for port in service.get("ports", [])
            if not str(port).startswith("127.0.0.1:")
        ]
        if name in READERS and "warehouse:/warehouse:ro" not in service["volumes"]:
            found.append(f"{name} may write the warehouse")
        for variable, value in {**(stage.environment if stage else {}), **service.get("environment", {})}.items():
            if SECRET.search(variable) and value and not str(value).startswith("/"):
                found.append(f"{name}: {variable} holds a secret")
    database = content["services"]["postgres"]
    asked = " ".join(database["healthcheck"]["test"])
    if not {'--username "$POSTGRES_USER"', '--dbname "$POSTGRES_DB"'} <= set(re.findall(r'--\w+ "\$\w+"', asked)):
        found.append("the database is asked as somebody else than its user")
    for variable in ("POSTGRES_USER", "POSTGRES_DB"):
        if database["environment"][variable] != content["services"]["dashboards"]["environment"][variable]:
            found.append(f"{variable} differs between the database and the dashboards")
    if not content["networks"]["inside"].get("internal"):
        found.append("the database is not apart")
    return found


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
        (lambda c: c["services"]["postgres"]["environment"].update(POSTGRES_PASSWORD="word"), "holds a secret"),
        (lambda c: c["services"]["postgres"]["environment"].update(POSTGRES_USER="admin"), "POSTGRES_USER differs"),
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
    if name == "api" and not (ROOT / "api").exists():
        pytest.skip("this tree has no API")
    allowed = re.findall(r"^!(\S+)", (DEPLOY / "Dockerfile.dockerignore").read_text(), flags=re.MULTILINE)
    for sources, _ in dockerfile()[name].copies:
        for source in sources:
            assert (ROOT / source).exists(), f"{source} is copied and is not there"
            assert any(Path(source).match(entry) for entry in allowed), (
                f"{source} is kept out by Dockerfile.dockerignore"
            )


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
