"""What README and documents promise: their queries answer, their commands exist, their table names every mart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builds import ROOT, query, tables

README = (ROOT / "README.md").read_text()
QUESTIONS = (ROOT / "docs" / "questions.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", README + QUESTIONS, flags=re.DOTALL)


@pytest.mark.parametrize("sql", QUERIES, ids=[re.sub(r"\s+", " ", sql)[:60] for sql in QUERIES])
def test_every_query_to_paste_answers(published_warehouse: Path, sql: str) -> None:
    assert len(query(published_warehouse, sql)) > 0


def test_every_published_mart_is_in_the_table(published_warehouse: Path) -> None:
    named = set(re.findall(r"`(?:quality\.)?([a-z0-9_]+)`", QUESTIONS))
    assert set(tables(published_warehouse, "marts")) - named == set()
    assert set(tables(published_warehouse, "quality")) - named == set()


def test_every_make_command_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    commands = {
        command for line in re.findall(r"`([^`\n]+)`|^(make .*)$", README, flags=re.MULTILINE) for command in line
    }
    used = {word for command in commands for word in re.findall(r"\bmake ([a-z-]+)", command)}
    assert used and used <= targets


def test_every_relative_link_of_the_documents_leads_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
