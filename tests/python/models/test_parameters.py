"""The mart of settings names every setting there is."""

from __future__ import annotations

from pathlib import Path

from builds import mart

from pipeline.base.settings import project_vars


def test_every_setting_of_the_project_is_shown_with_its_unit_and_meaning(published_warehouse: Path) -> None:
    settings = project_vars()
    shown = mart(published_warehouse, "marts.parameters").set_index("name")
    assert set(shown.index) == {*settings, "as_of_date", "last_complete_month"}
    assert shown[["value", "unit", "description"]].notna().all(axis=None)


def test_settings_are_shown_as_they_are_set(published_warehouse: Path) -> None:
    settings = project_vars()
    shown = mart(published_warehouse, "marts.parameters").set_index("name")["value"]
    for name, value in settings.items():
        if value is not None:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            assert shown[name] == text, name
