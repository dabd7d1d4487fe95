"""Models flow down: a model reads its own folder or one above it in the list, and raw tables are read in staging only.

Read from the SQL itself, so that it needs no build and no dbt: `make lint` runs it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builds import ROOT

# from the raw tables to what is published; folders of one step do not read each other upwards within it either
FLOW = (
    "staging",
    "intermediate",
    "core",
    "marts/segmentation",
    "marts/cohorts",
    "marts/operations",
    "marts/insights",
    "marts/churn",
    "marts/activation",
    "marts/findings",
    "quality",
)
REF = re.compile(r"""ref\(\s*['"](\w+)['"]""")
SOURCE = re.compile(r"""source\(\s*['"](\w+)['"]""")
# the runner's own books and columns of raw files, which are no business tables: they have no staging view
WITHOUT_STAGING = {"quality", "core/build_info"}


def models() -> dict[str, Path]:
    files = [*(ROOT / "models").rglob("*.sql"), *(ROOT / "models").rglob("*.py")]
    return {file.stem: file for file in files}


def step_of(file: Path) -> int:
    place = file.relative_to(ROOT / "models").as_posix()
    found = [number for number, folder in enumerate(FLOW) if place.startswith(f"{folder}/")]
    assert found, f"{place} lies in none of {', '.join(FLOW)}"
    return found[0]


@pytest.mark.parametrize("name", sorted(models()))
def test_a_model_reads_nothing_from_further_down(name: str) -> None:
    known = models()
    text = known[name].read_text()
    upwards = [one for one in REF.findall(text) if one in known and step_of(known[one]) > step_of(known[name])]
    assert not upwards, f"{name} in {FLOW[step_of(known[name])]} reads {upwards} from further down"


def test_what_prepares_a_mart_is_read_by_its_own_domain_only() -> None:
    known = models()
    for name, file in known.items():
        for one in REF.findall(file.read_text()):
            if one in known and known[one].parent.name == "prepare" and "marts" in known[one].parts:
                domain = known[one].parent.parent
                assert domain in file.parents, f"{name} reads {one}, which prepares {domain.name}"


def test_raw_tables_are_read_in_staging_only() -> None:
    for name, file in models().items():
        place = file.relative_to(ROOT / "models").with_suffix("").as_posix()
        if SOURCE.search(file.read_text()) and FLOW[step_of(file)] != "staging":
            assert any(place.startswith(free) for free in WITHOUT_STAGING), f"{name} reads a source past staging"
