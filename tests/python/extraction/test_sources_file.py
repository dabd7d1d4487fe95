"""A ``sources.yml`` that is wrong is refused with the key and the cure, and shows no secret."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from extraction.declared import Secrets, read_sources, sources_file
from extraction.run import extract
from pipeline.base.errors import InputError

URL = "postgresql://reader:${WORD}@db/shop"
BAD = {
    "database: {}": "database is not a key that is known. Did you mean databases?",
    "databases: {}": "databases and `apis` name nothing",
    "databases: [a]": "databases must hold keys with values",
    "databases: {s: {tables: {a: {}}}}": "databases.s.url is missing, such as postgresql://",
    "databases: {s: {url: 'mysql', tables: {a: {}}}}": "databases.s.url must be a URL",
    "databases: {s: {url: 'postgresql://u:hunter2@db/x', tables: {a: {}}}}": "databases.s.url holds a password. Write",
    f"databases: {{s: {{url: '{URL}'}}}}": "databases.s.tables names nothing",
    f"databases: {{s: {{url: '{URL}', tables: {{a/b: {{}}}}}}}}": "databases.s.tables.a/b must be a name of letters",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{form: b}}}}}}}}": "tables.a.form is not a key that is known. "
    "Did you mean from?",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{columns: 3}}}}}}}}": "tables.a.columns is 3; it must be a text",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{from: b, query: select 1}}}}}}}}": "tables.a.query and `from` are",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{cursor: t}}}}}}}}": "tables.a.key is missing: which columns",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{cursor: t, key: i}}}}}}}}": "tables.a.overlap is missing: how far",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{overlap: 1 day}}}}}}}}": "tables.a.overlap goes with `cursor`",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{cursor: t, key: i, overlap: some}}}}}}}}": "tables.a.overlap is "
    "'some'; it must be a time such as `2 days`",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{cursor: t, key: i, overlap: -1}}}}}}}}": "tables.a.overlap is -1",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{cursor: t, key: i, overlap: 0, columns: [i]}}}}}}}}": "tables.a."
    "columns lacks t",
    f"databases: {{s: {{url: '{URL}', tables: {{a: {{}}, A: {{}}}}}}}}": "tables.A would be the same file as",
    "apis: {s: {url: 'https://x/', auth: {type: bearer, token: hunter2}, tables: {a: {}}}}": "apis.s.auth.token is a "
    "secret. Write",
    "apis: {s: {url: 'https://x/', headers: {X-Api-Key: hunter2}, tables: {a: {}}}}": "apis.s.headers.X-Api-Key is a",
    "apis: {s: {url: 'https://x/', tables: {a: {params: {access_token: hunter2}}}}}": "tables.a.params.access_token is",
    "apis: {s: {url: 'https://x/', tables: {a: {cursor: t, key: i, overlap: 0}}}}": "tables.a.since is missing",
    "apis: {s: {url: 'https://x/', tables: {a: {paginator: 3}}}}": "tables.a.paginator is 3; it must be a name",
    "apis: {s: {url: 'https://u:hunter2@x/', tables: {a: {}}}}": "apis.s.url holds a password",
    "a: 'hunter2": "is no YAML (line 1)",
}


@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_a_wrong_file_is_refused_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "sources.yml"
    file.write_text(text)
    with pytest.raises(InputError) as refused:
        read_sources(file)
    assert message in str(refused.value) and str(file) in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_what_is_declared_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sources.yml"
    file.write_text(
        f"""
databases:
  shop:
    url: {URL}
    tables:
      orders: {{from: sales.orders, columns: [id, changed_at], key: id, cursor: changed_at, overlap: 36 hours}}
      people: {{}}
"""
    )
    (shop,) = read_sources(file)
    orders, people = shop.tables
    assert (orders.name, orders.origin, orders.key, orders.overlap) == (
        "orders",
        "sales.orders",
        ("id",),
        timedelta(hours=36),
    )
    assert (people.origin, people.cursor) == ("people", "")


def test_secrets_come_from_the_environment_and_stay_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "p@ss/w%rd")
    secrets = Secrets()
    assert secrets.fill_url("url", URL) == "postgresql://reader:p%40ss%2Fw%25rd@db/shop"
    for shown in ("p@ss/w%rd", "p%40ss%2Fw%25rd"):
        assert secrets.hide(f"cannot log in with {shown}!") == "cannot log in with ***!"
    # a URL that is a secret as a whole: its password is one too
    monkeypatch.setenv("ALL", "postgresql://reader:hunt%40er@db/shop")
    assert secrets.fill_url("url", "${ALL}").endswith("@db/shop")
    assert "er@" not in secrets.hide("hunt@er and hunt%40er@db").replace("***", "")
    monkeypatch.delenv("WORD")
    with pytest.raises(InputError, match=r"databases\.shop\.url needs the environment variable WORD"):
        Secrets().fill_url("databases.shop.url", URL)


def test_without_the_file_there_is_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAW_DIR", str(tmp_path))
    monkeypatch.setenv("WAREHOUSE_DIR", str(tmp_path / "warehouse"))
    extract()
    assert "nothing to do, as there is no sources.yml" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("SOURCES_FILE", str(tmp_path / "other.yml"))
    with pytest.raises(InputError, match="SOURCES_FILE names"):
        sources_file()
