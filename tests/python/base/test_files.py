"""Small files are whole or not there, and what is not as it was written is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.files import digest_of, is_as_written, read_record, write_record, write_whole

RECORD = {"name": "São Paulo", "rows": {"orders": 12}, "at": [1, 2.5, None]}


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_record(tmp_path / "state.json", RECORD)
    assert read_record(tmp_path / "state.json") == RECORD
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_record_that_is_cut_or_changed_anywhere_is_none(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    write_record(file, RECORD)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place])
        assert read_record(file) is None, f"cut at {place}"
        for changed in (0x00, 0xFF, whole[place] ^ 0x01):
            file.write_bytes(whole[:place] + bytes([changed]) + whole[place + 1 :])
            # a blank for a line end means the same
            assert read_record(file) in (None, RECORD), f"changed at {place}"


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"digest": 3}', b"x" * 1000])
def test_what_is_no_record_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    assert read_record(tmp_path / "state.json") is None
    assert read_record(tmp_path / "absent.json") is None
    assert read_record(tmp_path) is None


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    file = tmp_path / "state"
    write_whole(file, "old")
    (tmp_path / "state.part").mkdir()
    with pytest.raises(OSError):
        write_whole(file, "new")
    assert file.read_text() == "old"


def test_a_file_is_digested_again_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"a" * 1000)
    digest = digest_of(file)
    assert is_as_written(file, digest)
    file.write_bytes(b"b" * 1000)
    assert not is_as_written(file, digest)
    file.unlink()
    assert not is_as_written(file, digest)
