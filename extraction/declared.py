"""``sources.yml``: which databases and APIs there are and what to take from them, read strictly."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, unquote, urlsplit

import yaml

from pipeline.base import paths
from pipeline.base.declared import find_file, read_yaml
from pipeline.base.errors import InputError

SOURCES_FILE = "sources.yml"
PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# What a header, a parameter or a key of `auth` is called when its value is a secret.
SECRET = re.compile(r"token|secret|passw|api[-_]?key|private_key|authorization|cookie", re.IGNORECASE)
# What `auth` says of a secret without being one.
NOT_SECRET = ("type", "name", "location", "username", "client_id", "access_token_url")
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}

KEYS = ("databases", "apis")
DATABASE_KEYS = ("url", "tables")
API_KEYS = ("url", "auth", "headers", "paginator", "tables")
TABLE_KEYS = ("from", "query", "columns", "key", "cursor", "overlap")
PATH_KEYS = ("path", "params", "data", "paginator", "key", "cursor", "overlap", "since")


@dataclass(frozen=True)
class Table:
    """One table to take.

    Attributes
    ----------
    name : str
        What its file is called, without ending.
    place : str
        Where ``sources.yml`` speaks of it, for messages.
    origin : str
        The table in the database, perhaps with its schema; the path in an API.
    query : str
        A query instead of a table; empty where there is none.
    columns : tuple of str
        Columns to take; empty for all.
    key : tuple of str
        Columns that name a row.
    cursor : str
        Column that grows with every change of a row; empty where the table is taken whole.
    overlap : timedelta or int
        How far behind the highest value of the cursor a run begins.
    params : dict
        What an API is asked with.
    data : str
        Where in an answer of an API the rows are, as JSONPath; empty where it is plain.
    since : str
        The parameter that asks an API for what changed since.
    paginator : dict or str or None
        How an API gives further pages, in dlt's words.
    """

    name: str
    place: str
    origin: str
    query: str = ""
    columns: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    cursor: str = ""
    overlap: timedelta | int = 0
    params: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    since: str = ""
    paginator: dict[str, Any] | str | None = None

    def digest(self) -> str:
        """Digest what decides which rows and columns the file holds."""
        said = (self.origin, self.query, self.columns, self.key, self.cursor, self.params, self.data)
        return hashlib.sha256(repr(said).encode()).hexdigest()


@dataclass(frozen=True)
class Source:
    """A database or an API.

    Attributes
    ----------
    name : str
    place : str
        Where ``sources.yml`` speaks of it, for messages.
    url : str
        As written: secrets in it are the names of environment variables.
    tables : tuple of Table
    is_api : bool
    auth : dict
        As dlt's ``rest_api`` takes it.
    headers : dict of str to str
    paginator : dict or str or None
        Of tables that say nothing else.
    """

    name: str
    place: str
    url: str
    tables: tuple[Table, ...]
    is_api: bool = False
    auth: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    paginator: dict[str, Any] | str | None = None


class Secrets:
    """Values of environment variables that sources ask for; no message lets one out."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def fill(self, place: str, text: str, *, quoted: bool = False) -> str:
        """Put the values of environment variables into a text.

        Parameters
        ----------
        place : str
            The key, for messages.
        text : str
            With ``${NAME}`` where a value goes.
        quoted : bool
            Write values as the user's part of a URL asks for.

        Raises
        ------
        InputError
            A variable is not set.
        """

        def value(found: re.Match[str]) -> str:
            given = os.environ.get(found[1])
            if not given:
                raise InputError(f"{place} needs the environment variable {found[1]}, which is not set.")
            self._remember(given)
            return quote(given, safe="") if quoted else given

        return PLACEHOLDER.sub(value, text)

    def fill_url(self, place: str, text: str) -> str:
        """Put values into a URL: a password may hold any sign."""
        if PLACEHOLDER.fullmatch(text):
            return self.fill(place, text)
        before, at, after = text.rpartition("@")
        return self.fill(place, before, quoted=True) + at + self.fill(place, after)

    def fill_all(self, place: str, value: Any) -> Any:
        """Put values into every text of a mapping or a list."""
        if isinstance(value, str):
            return self.fill(place, value)
        if isinstance(value, dict):
            return {name: self.fill_all(f"{place}.{name}", one) for name, one in value.items()}
        return [self.fill_all(place, one) for one in value] if isinstance(value, list) else value

    def hide(self, text: str) -> str:
        """Take every secret out of a text that is going to be shown."""
        for secret in sorted(self._values, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _remember(self, value: str) -> None:
        parts = [value]
        try:
            # of a whole URL only the password is a secret; its host may be named in a message
            parsed = urlsplit(value)
            if parsed.scheme and (parsed.netloc or parsed.path.startswith("/")):
                parts = [value, *([parsed.password] if parsed.password else [])]
        except ValueError:
            pass
        for part in parts:
            self._values |= {part, quote(part, safe=""), quote(part), unquote(part)}


def target_dir() -> Path:
    """Return the raw folder that files are written into: ``RAW_DIR``, else ``data/raw``; never the demo's."""
    named = os.environ.get("RAW_DIR")
    return paths.raw_dir() if named else paths.PROJECT / paths.RAW_DEFAULT


def sources_file() -> Path | None:
    """Find the file: ``SOURCES_FILE``, else ``sources.yml`` in the raw folder; None where there is none.

    Raises
    ------
    InputError
        ``SOURCES_FILE`` names no file.
    """
    return find_file("SOURCES_FILE", target_dir() / SOURCES_FILE)


def read_sources(file: Path) -> list[Source]:
    """Read and check what a shop says of its sources.

    Raises
    ------
    InputError
        Names the file, the key and what to do.
    """
    try:
        said = read_yaml(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as UTF-8 text ({error}). Save it again as UTF-8.") from error
    except yaml.YAMLError as error:
        # the line that YAML shows of the file may hold a secret: only its number is passed on
        mark = getattr(error, "problem_mark", None)
        at = f" (line {mark.line + 1})" if mark else ""
        raise InputError(
            f"{file} is no YAML{at}. A text with a colon, star or hash goes between quotes; a key stands once."
        ) from None
    return _Reader(file).sources(said)


class _Reader:
    """Checks what a file says, key by key."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def sources(self, said: object) -> list[Source]:
        top = self._dict("", said, KEYS)
        found = [
            *(self._database(name, entry) for name, entry in self._named("databases", top.get("databases", {}))),
            *(self._api(name, entry) for name, entry in self._named("apis", top.get("apis", {}))),
        ]
        if not found:
            self._refuse("databases", "and `apis` name nothing. Name at least one, or remove the file")
        taken: dict[str, str] = {}
        for table in (table for source in found for table in source.tables):
            # some disks do not tell capitals from small letters
            if other := taken.get(table.name.lower()):
                self._refuse(table.place, f"would be the same file as {other}. Give it another name, and say `from`")
            taken[table.name.lower()] = table.place
        return found

    def _database(self, name: str, entry: object) -> Source:
        place = f"databases.{name}"
        given = self._dict(place, entry, DATABASE_KEYS)
        url = self._url(place, given, "postgresql://reader:${SHOP_DATABASE_PASSWORD}@db.example.com/shop")
        tables = [self._table(place, *table) for table in self._tables(place, given)]
        return Source(name, place, url, tuple(tables))

    def _table(self, place: str, name: str, entry: object) -> Table:
        place = f"{place}.tables.{name}"
        given = self._dict(place, entry, TABLE_KEYS)
        if "from" in given and "query" in given:
            self._refuse(f"{place}.query", "and `from` are both given; one of them says where the rows are")
        if "query" in given and "columns" in given:
            self._refuse(f"{place}.columns", "goes with a table; a query names its columns itself")
        key, cursor, overlap = self._progress(place, given)
        columns = self._texts(f"{place}.columns", given.get("columns", []))
        for needed in (*key, *([cursor] if cursor else [])):
            if columns and needed not in columns:
                self._refuse(f"{place}.columns", f"lacks {needed}, which `key` or `cursor` names")
        return Table(
            name=name,
            place=place,
            origin=self._text(f"{place}.from", given.get("from", name)),
            query=self._text(f"{place}.query", given.get("query", "")).strip().rstrip(";"),
            columns=columns,
            key=key,
            cursor=cursor,
            overlap=overlap,
        )

    def _api(self, name: str, entry: object) -> Source:
        place = f"apis.{name}"
        given = self._dict(place, entry, API_KEYS)
        url = self._url(place, given, "https://api.example.com/v1/")
        auth = self._dict(f"{place}.auth", given.get("auth", {}), None)
        headers = self._dict(f"{place}.headers", given.get("headers", {}), None)
        for key, value in auth.items():
            if key not in NOT_SECRET and SECRET.search(str(key)):
                self._refuse_open(f"{place}.auth.{key}", value)
        self._refuse_open_among(f"{place}.headers", headers)
        return Source(
            name,
            place,
            url,
            tuple(self._path(place, *table) for table in self._tables(place, given)),
            is_api=True,
            auth=auth,
            headers={str(key): self._text(f"{place}.headers.{key}", value) for key, value in headers.items()},
            paginator=self._paginator(place, given),
        )

    def _path(self, place: str, name: str, entry: object) -> Table:
        place = f"{place}.tables.{name}"
        given = self._dict(place, entry, PATH_KEYS)
        key, cursor, overlap = self._progress(place, given)
        if cursor and "since" not in given:
            self._refuse(f"{place}.since", "is missing: by which parameter is the API asked for what changed since?")
        if "since" in given and not cursor:
            self._refuse(f"{place}.cursor", "is missing: which field says when a row changed?")
        params = self._dict(f"{place}.params", given.get("params", {}), None)
        self._refuse_open_among(f"{place}.params", params)
        return Table(
            name=name,
            place=place,
            origin=self._text(f"{place}.path", given.get("path", name)),
            key=key,
            cursor=cursor,
            overlap=overlap,
            params=params,
            data=self._text(f"{place}.data", given.get("data", "")),
            since=self._text(f"{place}.since", given.get("since", "")),
            paginator=self._paginator(place, given),
        )

    def _progress(self, place: str, given: dict[str, Any]) -> tuple[tuple[str, ...], str, timedelta | int]:
        """Read by what a table is taken bit by bit."""
        key = self._texts(f"{place}.key", given.get("key", []))
        cursor = self._text(f"{place}.cursor", given.get("cursor", ""))
        if not cursor:
            if "overlap" in given:
                self._refuse(f"{place}.overlap", "goes with `cursor`, which is missing")
            return key, "", 0
        if not key:
            self._refuse(f"{place}.key", "is missing: which columns name a row, so that its newer state replaces it?")
        if "overlap" not in given:
            self._refuse(
                f"{place}.overlap",
                "is missing: how far behind the newest row may one still be written, or change? Such as `2 days`, or 0",
            )
        return key, cursor, self._overlap(f"{place}.overlap", given["overlap"])

    def _overlap(self, place: str, value: object) -> timedelta | int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        found = re.fullmatch(r"\s*([0-9]+)\s*(second|minute|hour|day|week)s?\s*", str(value))
        if not isinstance(value, str) or found is None:
            self._refuse(place, f"is {value!r}; it must be a time such as `2 days` or `30 minutes`, or a whole number")
        return timedelta(seconds=int(found[1]) * UNITS[found[2]])

    def _url(self, place: str, given: dict[str, Any], such_as: str) -> str:
        place = f"{place}.url"
        if "url" not in given:
            self._refuse(place, f"is missing, such as {such_as}")
        url = self._text(place, given["url"]).strip()
        if PLACEHOLDER.fullmatch(url):
            return url
        # nothing of the URL is shown: what cannot be read may be a password
        try:
            parsed = urlsplit(url)
            password = parsed.password
        except ValueError:
            self._refuse(place, f"cannot be read; it must be a URL such as {such_as}")
        if not parsed.scheme or "://" not in url:
            self._refuse(place, f"must be a URL such as {such_as}")
        if (password and not PLACEHOLDER.fullmatch(password)) or (SECRET.search(parsed.query) and "${" not in url):
            self._refuse(
                place,
                "holds a password. Write ${NAME} in its place and set the environment variable NAME; change the "
                "password if others can read this file",
            )
        return url

    def _tables(self, place: str, given: dict[str, Any]) -> list[tuple[str, object]]:
        tables = self._named(f"{place}.tables", given.get("tables", {}))
        if not tables:
            self._refuse(f"{place}.tables", "names nothing: which tables are to be taken?")
        return tables

    def _named(self, place: str, value: object) -> list[tuple[str, object]]:
        entries = self._dict(place, value, None)
        for name in entries:
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
                self._refuse(f"{place}.{name}", "must be a name of letters, digits, underscores and hyphens")
        return list(entries.items())

    def _paginator(self, place: str, given: dict[str, Any]) -> dict[str, Any] | str | None:
        value = given.get("paginator")
        if value is None or isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("type"), str)):
            return value
        return self._refuse(
            f"{place}.paginator", f"is {value!r}; it must be a name, or a mapping with `type`, in dlt's words"
        )

    def _refuse_open_among(self, place: str, given: dict[str, Any]) -> None:
        for name, value in given.items():
            if SECRET.search(str(name)):
                self._refuse_open(f"{place}.{name}", value)

    def _refuse_open(self, place: str, value: object) -> None:
        if not isinstance(value, str) or not PLACEHOLDER.search(value):
            self._refuse(place, "is a secret. Write ${NAME} and set the environment variable NAME")

    def _dict(self, place: str, value: object, known: tuple[str, ...] | None) -> dict[str, Any]:
        if value is None:
            value = {}
        if not isinstance(value, dict):
            self._refuse(place or "it", "must hold keys with values")
        for key in value:
            if known is not None and key not in known:
                near = get_close_matches(str(key), known, n=1)
                meant = f" Did you mean {near[0]}?" if near else ""
                prefix = f"{place}." if place else ""
                raise InputError(
                    f"{self._file}: {prefix}{key} is not a key that is known.{meant} Known are {', '.join(known)}."
                )
        return value

    def _text(self, place: str, value: object) -> str:
        if not isinstance(value, str):
            self._refuse(place, f"is {value!r}; it must be a text")
        return value

    def _texts(self, place: str, value: object) -> tuple[str, ...]:
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        return self._refuse(place, f"is {value!r}; it must be a text or a list of texts")

    def _refuse(self, place: str, fault: str) -> NoReturn:
        raise InputError(f"{self._file}: {place} {fault}.")
