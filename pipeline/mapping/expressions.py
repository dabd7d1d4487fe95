"""What ``columns`` of a shop's file may say: a column's name, a sum of columns, or SQL."""

from __future__ import annotations

import re
from difflib import get_close_matches

import duckdb

from pipeline.base.errors import InputError
from pipeline.base.sql import name_of
from pipeline.mapping import values
from pipeline.mapping.shopfile import AMOUNTS, COUNTS, Shop
from pipeline.mapping.sources import CONTROL, plain

ARITHMETIC = re.compile(r"[\s0-9.()+*/-]*")


class Expressions:
    """Compiles the expressions of one origin to SQL, each tried before it is used.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds the shop's tables.
    shop : Shop
    origin : str
        One of the tables, or a query over them.

    Attributes
    ----------
    relation : str
        SQL of the origin, with ``_file`` and ``_line``.
    columns : dict of str to str
        Its columns, by what their names say whatever their capitals and signs.
    kinds : dict of str to str
        Type of what each compiled field gives before it is made a text.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, shop: Shop, origin: str) -> None:
        self._connection = connection
        self._shop = shop
        _create_macro(connection, shop.decimal or "point")
        tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        is_table = origin in tables
        query = f"SELECT * FROM {name_of(origin)}" if is_table else origin.rstrip().rstrip(";")
        try:
            found = connection.execute(f"SELECT * FROM ({query}) LIMIT 0").description or []
        except duckdb.Error as error:
            raise InputError(
                f"{shop.file}: `from` cannot be run ({sentence(error)}). Your tables are "
                f"{', '.join(sorted(shop.files))}."
            ) from error
        names = [column[0] for column in found]
        if not is_table:
            add = ", ".join(
                text
                for name, text in (("_file", "NULL::VARCHAR AS _file"), ("_line", "NULL::BIGINT AS _line"))
                if name not in names
            )
            query = f"SELECT *{', ' + add if add else ''} FROM ({query})"
        self.relation = f"({query}) AS origin"
        self.columns = {plain(name): name for name in names if name not in CONTROL}
        self.kinds: dict[str, str] = {}

    def text(self, field: str, given: tuple[str, ...]) -> str:
        """Write the SQL of a field's texts; of several columns, the first that is filled.

        Raises
        ------
        InputError
            No column is called so, and it is no SQL that can be run.
        """
        found = [sql for one in given if (sql := self._one(field, one)) is not None]
        if not found:
            shown = " or ".join(given)
            near = get_close_matches(plain(given[0]), self.columns, n=1)
            meant = f" Did you mean {self.columns[near[0]]}?" if near else ""
            raise InputError(
                f"{self._shop.file}: columns.{field} is {shown}, and there is no such column.{meant} "
                f"The columns are {', '.join(self.columns.values())}."
            )
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def _one(self, field: str, given: str) -> str | None:
        if plain(given) in self.columns and not re.search(r"[()'+*/]", given.replace(self.columns[plain(given)], "")):
            expression = name_of(self.columns[plain(given)])
            self._note(field, expression)
            return f"{expression}::VARCHAR"
        expression = given
        if field in (*AMOUNTS, *COUNTS):
            expression = self._arithmetic(given) or given
        try:
            self._note(field, expression)
        except duckdb.Error as error:
            if re.fullmatch(r"[\w .#%/-]+", given):
                return None
            raise InputError(
                f"{self._shop.file}: columns.{field} is {given!r}, which cannot be run ({sentence(error)}). The "
                f"columns are {', '.join(self.columns.values())}; a name with blanks goes between double quotes."
            ) from error
        return f"({expression})::VARCHAR"

    def _note(self, field: str, expression: str) -> None:
        described = self._connection.execute(f"DESCRIBE SELECT {expression} AS made FROM {self.relation}").fetchall()
        self.kinds[field] = str(described[0][1])

    def _arithmetic(self, given: str) -> str | None:
        """Read a sum of columns, such as ``Quantity * Unit Price``: the cells are texts, and numbers are meant."""
        left, built = given, ""
        names = sorted(self.columns.values(), key=len, reverse=True)
        used: dict[str, str] = {}
        while left:
            name = next((one for one in names for form in (one, name_of(one)) if left.startswith(form)), None)
            if name is not None and not (built and re.search(r"\w$", built)):
                form = name_of(name) if left.startswith(name_of(name)) else name
                rest = left[len(form) :]
                if not re.match(r"\w", rest):
                    built += f"number({name_of(name)})"
                    used[name] = name_of(name)
                    left = rest
                    continue
            if not ARITHMETIC.fullmatch(left[0]):
                return None
            built += left[0]
            left = left[1:]
        if used and not self._shop.decimal:
            decimal = values.decimal_of(self._connection, self.relation, used, self._shop.currency)
            _create_macro(self._connection, decimal)
        return built if used else None


def _create_macro(connection: duckdb.DuckDBPyConnection, decimal: str) -> None:
    """Give expressions the word that shops need, ``number(text)``."""
    connection.execute(f"CREATE OR REPLACE MACRO number(given) AS {values.number('(given::VARCHAR)', decimal)}")


def sentence(error: Exception) -> str:
    """Return the first line of an error, without its full stop."""
    return str(error).splitlines()[0].rstrip(".")
