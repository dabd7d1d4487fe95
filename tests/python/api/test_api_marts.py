"""What the API lists is there under that name: else it is answered with 404, or with one page only."""

from __future__ import annotations

import pytest
import yaml
from builds import ROOT

from api.marts import LISTINGS, Listing


@pytest.fixture(scope="module")
def columns() -> dict[str, set[str]]:
    """Names of the columns of each mart, as its YAML promises them."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "models").rglob("_*__models.yml"):
        for model in yaml.safe_load(file.read_text())["models"]:
            found[model["name"]] = {column["name"] for column in model.get("columns", [])}
    return found


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.path)
def test_a_listing_names_a_mart_and_its_columns(columns: dict[str, set[str]], listing: Listing) -> None:
    schema, table = listing.table.split(".")
    assert schema == "marts"
    assert {*listing.key, *listing.filters.values()} <= columns[table]
