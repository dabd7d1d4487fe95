"""A refresh begins when files have changed and stopped changing, and not again within the minute."""

from __future__ import annotations

from pathlib import Path

from pipeline.watch import Watch, listing


def test_a_listing_tells_of_every_change(tmp_path: Path) -> None:
    seen = {listing(tmp_path)}
    (tmp_path / "orders.csv").write_text("a\n")
    seen.add(listing(tmp_path))
    (tmp_path / "orders.csv").write_text("a\nb\n")
    seen.add(listing(tmp_path))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "orders.csv").write_text("a\nb\n")
    seen.add(listing(tmp_path))
    (tmp_path / "orders.csv").unlink()
    seen.add(listing(tmp_path))
    assert len(seen) == 5
    (tmp_path / ".part").write_text("on its way")
    assert listing(tmp_path) in seen


def test_what_is_there_at_first_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("a\n")
    watch = Watch(lambda: listing(tmp_path))
    assert [watch.is_due(second) for second in (0, 2, 4, 100, 200)] == [False, True, False, False, False]


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    watch = Watch(lambda: listing(tmp_path), rest_seconds=0)
    file.write_text("a\n")
    assert [watch.is_due(0), watch.is_due(2)] == [False, True]
    for second in range(4, 12, 2):
        file.write_text("a\n" * second)
        assert not watch.is_due(second)
    assert watch.is_due(12)


def test_a_change_within_the_minute_waits_for_its_end(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("a\n")
    watch = Watch(lambda: listing(tmp_path), rest_seconds=60)
    assert [watch.is_due(0), watch.is_due(2)] == [False, True]
    file.write_text("a\nb\n")
    assert [watch.is_due(second) for second in (10, 12, 60)] == [False, False, False]
    assert watch.is_due(62)
    assert not watch.is_due(200)
