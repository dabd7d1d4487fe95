"""Launches and exports on disk: whole or absent, as they were written, and landed by every load."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.base import campaigns
from pipeline.base.errors import InputError
from pipeline.landing.campaigns import campaign_files, land_campaigns


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAMPAIGNS_DIR", str(tmp_path / "campaigns"))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    (tmp_path / "landing").mkdir()
    return tmp_path


def members(launch: str, salt: str = "salt", people: int = 20, **changes: object) -> pa.Table:
    rows = []
    for number in range(people):
        drawn = campaigns.draw(salt, f"person-{number}")
        row = {
            "launch_id": launch,
            "audience": "one",
            "channel": "email",
            "launched_at": dt.datetime(2026, 1, 2, 3, 4, 5, 678),
            "starts_on": dt.date(2025, 1, 1),
            "ends_on": dt.date(2025, 4, 1),
            "condition": "frequency > 1",
            "salt": salt,
            "control_share": 0.5,
            "stratified_by": None,
            "contact_cost": 0.5,
            "expected_return_rate": 0.1,
            "planned_difference": None,
            "customer_id": f"person-{number}",
            "stratum": None,
            "draw": drawn,
            "arm": campaigns.CONTROL if drawn < 0.5 else campaigns.TREATED,
        }
        rows.append({**row, **changes})
    return pa.Table.from_pylist(rows, schema=campaigns.LAUNCH)


def test_a_launch_is_read_as_it_was_written_and_never_written_again(place: Path) -> None:
    file = campaigns.write("launches", "one-20250101", members("one-20250101"))
    assert campaigns.read(file).equals(members("one-20250101"))
    with pytest.raises(InputError, match="never written again"):
        campaigns.write("launches", "one-20250101", members("one-20250101", salt="other"))
    assert (place / "campaigns").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", [0, 3, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_named_with_what_to_do(place: Path, kept: float) -> None:
    file = campaigns.write("launches", "one", members("one"))
    content = file.read_bytes()
    file.write_bytes(content[: int(kept) if kept >= 1 else int(len(content) * kept)])
    with pytest.raises(InputError, match=r"one\.parquet is cut off or damaged\. Put it back from a backup"):
        land_campaigns(place / "landing")


def test_a_row_or_a_salt_changed_by_hand_is_found(place: Path) -> None:
    file = campaigns.write("launches", "one", members("one"))
    as_written = pq.read_table(file)
    for changed in (members("one", salt="other"), members("one", arm="treated"), members("one", people=19)):
        pq.write_table(changed.replace_schema_metadata(as_written.schema.metadata), file)
        with pytest.raises(InputError, match="changed since it was written"):
            land_campaigns(place / "landing")
    # whoever also seals it again is found by the draws, which follow from the salt
    file.unlink()
    campaigns.write("launches", "one", members("one", salt="salt", draw=0.25))
    with pytest.raises(InputError, match="arms of one do not follow from its salt"):
        land_campaigns(place / "landing")


def test_another_file_in_the_folder_is_none_of_ours(place: Path) -> None:
    campaigns.write("launches", "one", members("one"))
    pq.write_table(pa.table({"a": [1]}), place / "campaigns/launches/two.parquet")
    with pytest.raises(InputError, match=r"two\.parquet is not a file of launches"):
        land_campaigns(place / "landing")


def test_ten_loads_move_nobody_and_a_run_that_was_killed_leaves_nothing(place: Path) -> None:
    landing = place / "landing"
    empty = land_campaigns(landing)
    ((_, (file,)), _) = campaign_files(landing).items()
    assert pq.read_table(file).num_rows == 0
    campaigns.write("launches", "one", members("one"))
    # what a run leaves that is killed while it writes
    (place / "campaigns/launches/two.parquet.part").write_bytes(b"PAR1 half")
    first = land_campaigns(landing)
    assert first != empty
    landed = pq.read_table(file)
    for _ in range(10):
        file.unlink()
        assert land_campaigns(landing) == first
        assert pq.read_table(file).equals(landed)
    assert landed.column("arm").to_pylist() == members("one")["arm"].to_pylist()
