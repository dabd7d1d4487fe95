"""Lines of orders, as any shop has them, to the tables of the raw contract.

A line says who bought, when, and for how much; all else is optional. Returns, which are lines below zero, are taken off
the purchase they belong to: first within their order, then the same person's latest purchase of the same product, then
that person's latest purchases. What finds none goes to quarantine, so that purchases less returns always add up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import duckdb

from pipeline.base.errors import InputError, PipelineError
from pipeline.base.sql import literal, name_of, scalar
from pipeline.landing.cells import BROKEN, DESTROYED, MISSING, NO_ROW, NOT_LISTED, ROUNDED_ID, UNMATCHED, UNREADABLE
from pipeline.landing.contract import raw_tables
from pipeline.mapping import values
from pipeline.mapping.expressions import Expressions
from pipeline.mapping.shopfile import AMOUNTS, COUNTS, FIELDS, FLAGS, IDS, LEFT_OUT, STAMPS, TEXTS, Shop
from pipeline.mapping.sources import FAULTS, plain

TOTAL_WORDS = (
    *("total", "totals", "grand total", "subtotal", "sum", "count", "gesamt", "gesamtsumme", "summe", "total general"),
    *("totale", "somme", "suma", "totaal", "итого", "всего"),
)
WHOLLY_WRONG = 10
# From so many orders, and so many times those of the next, a customer is more likely a crowd.
CROWD, FAR_MORE = 50, 5
ALIKE_SHARE = 0.98
CENT = 0.005
SHOWN = 60
MOST_WORDS = 50
CALLED_OFF = r"cancel|storn|void|declin|fail|abandon|reject|отмен|аннул|annul|取消|キャンセル"
GIVEN_BACK = r"refund|return|retour|chargeback|возвра|erstatt|rembours|reembols|devuel|返品"
# Fields, the columns that may hold them, the cells that matter, and what becomes of them where they are not mapped.
UNUSED = (
    (
        "currency",
        r"currency|валюта|währung|waehrung|moneda|devise",
        r"^[a-z]{3}$",
        "amounts are added up whatever it says",
    ),
    ("status", r"status|статус", rf"{CALLED_OFF}|{GIVEN_BACK}", "those orders count as the others do"),
)


@dataclass
class Outcome:
    """What became of a shop's rows before they are judged as the raw tables.

    Attributes
    ----------
    tables : dict of str to str
        Table of the contract to the SQL of its rows.
    notes : list of str
        What a person should know.
    left_out : dict of str to int
        Rows that the shop's file says to leave out, by why.
    lines : dict of str to int
        Lines by what became of them; together they are all lines of the files.
    read : dict of str to tuple
        Field to rows, rows filled, rows read, and up to three values that could not be.
    """

    tables: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    read: dict[str, tuple[int, int, int, list[str]]] = field(default_factory=dict)


class Ledger:
    """Compiles a shop's lines, and says what it took them for.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds the shop's tables.
    shop : Shop
    is_dry : bool
        Whether a fault of a whole column is only noted, so that all of them can be told at once.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, shop: Shop, *, is_dry: bool = False) -> None:
        self._connection = connection
        self._shop = shop
        self._is_dry = is_dry
        self._outcome = Outcome()
        self.faults: list[str] = []
        self._fields: list[str] = []
        self._made: set[str] = set()

    def compile(self) -> Outcome:
        """Create what the tables are made of, and write their SQL.

        Raises
        ------
        InputError
            A column, a form or a status is not as the shop's file says; the message names the key to change.
        """
        self._texts()
        decimal, form = self._forms()
        self._typed(decimal, form)
        self._refuse_wrong_columns()
        self._refuse_lost_zeros()
        self._create_statuses()
        self._faults()
        self._refuse_unknown_statuses()
        self._lines()
        self._note_doubts()
        self._net()
        self._orders()
        self._note_sum()
        self._outcome.lines = self._accounted()
        self._outcome.tables = self._tables()
        return self._outcome

    def _refuse(self, message: str) -> None:
        message = f"{self._shop.file}: {message}"
        if not self._is_dry:
            raise InputError(message)
        self.faults.append(message)

    def _texts(self) -> None:
        """Create ``ledger_texts``: the fields as the files have them."""
        expressions = Expressions(self._connection, self._shop, self._shop.origin)
        listed = []
        for name in FIELDS:
            if name in self._shop.columns:
                self._fields.append(name)
                listed.append(f"{expressions.text(name, self._shop.columns[name])} AS {name_of(name)}")
        # what an expression has made a number or a day needs no form to be read by
        self._made = {name for name, kind in expressions.kinds.items() if kind != "VARCHAR"}
        self._note_unused(expressions)
        self._connection.execute(
            f"""CREATE TABLE ledger_texts AS SELECT {", ".join(listed)}, _file, _line,
                row_number() OVER () AS _n FROM {expressions.relation}"""
        )
        rows = scalar(self._connection, "SELECT count(*) FROM ledger_texts")
        if not rows:
            raise InputError(f"{self._shop.file}: the files hold no line.")

    def _note_unused(self, expressions: Expressions) -> None:
        """Note columns that nobody mapped and that change what is counted: several currencies, orders called off."""
        mapped = {plain(one) for spelt in self._shop.columns.values() for one in spelt}
        for part, named, telling, told in UNUSED:
            columns = [name for word, name in expressions.columns.items() if re.search(named, word)]
            if part in self._fields or any(plain(name) in mapped for name in columns):
                continue
            for name in columns:
                cell = f"{name_of(name)}::VARCHAR"
                rows = self._connection.execute(
                    f"""SELECT lower(trim({cell})) AS word FROM {expressions.relation}
                    WHERE {values.nothing(cell)} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {MOST_WORDS}"""
                ).fetchall()
                words = [word for (word,) in rows if re.search(telling, word)]
                if words and 1 < len(rows) < MOST_WORDS:
                    self._outcome.notes.append(
                        f"column {name} ({', '.join(words[:3])} ...) is not mapped: {told}, unless you say "
                        f"`{part}: {name}`"
                    )

    def _forms(self) -> tuple[str, str]:
        """Tell how numbers and days are written."""
        decimal, form = self._shop.decimal, self._shop.dates
        texts = {name: name_of(name) for name in self._fields if name in (*AMOUNTS, *COUNTS)}
        texts = {name: text for name, text in texts.items() if name not in self._made}
        if not decimal:
            try:
                decimal = values.decimal_of(self._connection, "ledger_texts", texts, self._shop.currency)
            except InputError as error:
                self._refuse(str(error))
                decimal = "point"
        if form and form not in values.DATE_FORMS and "%" not in form:
            known = ", ".join(values.DATE_FORMS)
            self._refuse(f"dates is {form!r}; it must be one of {known}, or signs of strptime such as '%d %b %Y'.")
            form = ""
        if "date" in self._made:
            form = values.ISO
        if not form:
            try:
                form = values.dates_of(self._connection, "ledger_texts", "date", "date")
            except InputError as error:
                self._refuse(str(error))
                form = values.ISO
            if form != values.ISO:
                self._outcome.notes.append(f"dates are read as {form}: the content leaves no other way")
        if decimal == "comma" and not self._shop.decimal:
            self._outcome.notes.append("amounts are read with a decimal comma: the content leaves no other way")
        return decimal, form

    def _typed(self, decimal: str, form: str) -> None:
        """Create ``ledger_typed``: the fields in their types, beside the texts that could not be read."""
        listed = []
        for name in self._fields:
            column = name_of(name)
            if name in IDS:
                listed.append(f"{values.identity(column, self._shop.width.get(name, 0))} AS {column}")
            elif name in (*AMOUNTS, *COUNTS):
                form_of_number = "point" if name in self._made else decimal
                listed.append(f"{values.number(column, form_of_number)} AS {column}")
            elif name in STAMPS:
                listed.append(f"{values.stamp(column, form, self._shop.time_zone)} AS {column}")
            elif name in FLAGS:
                listed.append(f"coalesce(lower(trim({column})) IN ('true', 't', 'yes', 'y', '1'), false) AS {column}")
            else:
                listed.append(f"{values.nothing(column)} AS {column}")
        self._connection.execute(
            f"CREATE TABLE ledger_typed AS SELECT _n, _file, _line, {', '.join(listed)} FROM ledger_texts"
        )
        if not self._shop.time_zone and form == values.ISO:
            zoned = scalar(self._connection, f"SELECT count(*) FROM ledger_texts WHERE {values.names_zone('date')}")
            if zoned:
                self._outcome.notes.append(
                    f"{zoned:,} times name a time zone and are taken to UTC, as shop.yml says no time_zone"
                )

    def _refuse_wrong_columns(self) -> None:
        """Stop where a whole column cannot be read, and keep what can be said of every column."""
        rows = scalar(self._connection, "SELECT count(*) FROM ledger_texts")
        for name in self._fields:
            column = name_of(name)
            if name in FLAGS:
                continue
            filled = f"{values.nothing(f'texts.{column}')} IS NOT NULL"
            bad = f"{filled} AND typed.{column} IS NULL"
            present, unread, examples = self._connection.execute(
                f"""SELECT count(*) FILTER ({filled}), count(*) FILTER ({bad}),
                    list(DISTINCT texts.{column}) FILTER ({bad})
                FROM ledger_texts AS texts JOIN ledger_typed AS typed USING (_n)"""
            ).fetchall()[0]
            shown = sorted(examples or [])[:3]
            self._outcome.read[name] = (rows, present, present - unread, shown)
            if present >= WHOLLY_WRONG and unread == present:
                cure = {
                    **dict.fromkeys(AMOUNTS, "say `money: {decimal: comma}` (or point) if they are numbers"),
                    **dict.fromkeys(COUNTS, "say `money: {decimal: comma}` (or point) if they are numbers"),
                    **dict.fromkeys(STAMPS, "say another form in `dates`"),
                }[name]
                self._refuse(
                    f"not one of the {present:,} values of {name} can be read, for example {shown[0]!r:.80}; {cure}."
                )
        if "date" in self._fields:
            self._refuse_swapped_days()

    def _refuse_swapped_days(self) -> None:
        """Stop where so many days are none that their form must be another."""
        _, present, read, examples = self._outcome.read["date"]
        if present >= WHOLLY_WRONG and present - read > 0.3 * present and read:
            self._refuse(
                f"{present - read:,} of {present:,} dates cannot be read as `dates` says, for example "
                f"{examples[0]!r}; is it the other way round, dd/mm/yyyy or mm/dd/yyyy?"
            )

    def _refuse_lost_zeros(self) -> None:
        for name in IDS:
            if name not in self._fields or name in self._shop.width:
                continue
            column = name_of(name)
            pairs = self._connection.execute(
                f"""SELECT min({column}), max({column}) FROM (SELECT DISTINCT {column} FROM ledger_typed
                    WHERE regexp_full_match({column}, '[0-9]+'))
                GROUP BY ltrim({column}, '0') HAVING count(*) > 1 ORDER BY 1 LIMIT 1"""
            ).fetchall()
            if pairs:
                short, long = sorted(pairs[0], key=len)
                self._refuse(
                    f"{name} is written {short} here and {long} there: a spreadsheet loses leading zeros. Say "
                    f"`width: {{{name}: {len(long)}}}` if they are one, `width: {{{name}: as written}}` if two."
                )

    def _faults(self) -> None:
        """Create ``ledger_faults``: lines that cannot be a purchase or a return, with the reason."""
        words = ", ".join(map(literal, TOTAL_WORDS))
        any_total = " OR ".join(
            f"lower(trim(texts.{name_of(name)}, ' :')) IN ({words})"
            for name in self._fields
            if name in (*IDS, *TEXTS, *STAMPS)
        )
        is_total = f"typed.date IS NULL AND ({any_total})"
        is_header = "false"
        headed = [
            f"lower(trim(texts.{name_of(name)})) = {literal(spelt[0].lower())}"
            for name, spelt in self._shop.columns.items()
            if name in self._fields
        ]
        if len(headed) > 1:
            is_header = f"(({' AND '.join(headed[:3])}))"
        unread = [
            (
                UNREADABLE,
                f"{values.nothing(f'texts.{name_of(name)}')} IS NOT NULL AND typed.{name_of(name)} IS NULL",
                f"{literal(name + ': cannot read ')} || left(texts.{name_of(name)}, {SHOWN})",
            )
            for name in self._fields
            if name in (*AMOUNTS, *COUNTS, *STAMPS)
        ]
        rounded = [
            (
                DESTROYED,
                f"regexp_full_match(texts.{name_of(name)}, '{ROUNDED_ID}')",
                f"{literal(name + ': ')} || texts.{name_of(name)} || "
                "' is a number that a spreadsheet has rounded; export the column as text'",
            )
            for name in IDS
            if name in self._fields
        ]
        needed = [(MISSING, "typed.date IS NULL", "'date: missing'")]
        # what was cancelled often has no amount any more, and needs none
        is_void = f"coalesce({self._status()} IN ('canceled', 'unavailable', {literal(LEFT_OUT)}), false)"
        if "amount" in self._fields:
            needed.append((MISSING, f"typed.amount IS NULL AND NOT {is_void}", "'amount: missing'"))
        elif {"quantity", "price"} <= set(self._fields):
            empty = "(typed.quantity IS NULL OR typed.price IS NULL)"
            needed.append((MISSING, f"{empty} AND NOT {is_void}", "'quantity or price: missing'"))
        foreign = []
        if "currency" in self._fields and self._shop.currency:
            ours = literal(self._shop.currency)
            foreign = [
                (
                    NOT_LISTED,
                    f"upper(typed.currency) <> {ours}",
                    f"'currency: an amount in ' || typed.currency || ', and the shop counts in ' || {ours}",
                )
            ]
        checks = [(NO_ROW, is_header, "'the line of column names again'"), (NO_ROW, is_total, "'a line of totals'")]
        checks += [*rounded, *unread, *needed, *foreign]
        problem = " ".join(f"WHEN {test} THEN {literal(kind)}" for kind, test, _ in checks)
        sentence = " ".join(f"WHEN {test} THEN {said}" for _, test, said in checks)
        self._connection.execute(
            f"""CREATE TABLE ledger_faults AS
            SELECT typed._n, typed._file, typed._line, CASE {problem} END AS _problem, CASE {sentence} END AS _fault,
                to_json(texts)::VARCHAR AS _source_row
            FROM ledger_texts AS texts JOIN ledger_typed AS typed USING (_n)
            WHERE CASE {problem} END IS NOT NULL"""
        )

    def _create_statuses(self) -> None:
        """Create ``ledger_statuses``: the shop's words and ours."""
        known = raw_tables()["orders"].fields["order_status"].allowed
        mapping = {**{status: status for status in known}, **self._shop.statuses}
        self._connection.execute("CREATE TABLE ledger_statuses (theirs VARCHAR, ours VARCHAR)")
        self._connection.executemany("INSERT INTO ledger_statuses VALUES (?, ?)", list(mapping.items()))

    def _status(self) -> str:
        """Write the SQL of our word for a line's status."""
        if "status" not in self._fields:
            return "NULL::VARCHAR"
        return "(SELECT ours FROM ledger_statuses WHERE theirs = lower(typed.status))"

    def _refuse_unknown_statuses(self) -> None:
        """Stop where the shop has statuses that nobody mapped, and list them with how often they occur."""
        if "status" not in self._fields:
            return
        known = raw_tables()["orders"].fields["order_status"].allowed
        strange = self._connection.execute(
            """SELECT lower(status), count(*) FROM ledger_typed
            WHERE status IS NOT NULL AND lower(status) NOT IN (SELECT theirs FROM ledger_statuses)
                AND _n NOT IN (SELECT _n FROM ledger_faults)
            GROUP BY 1 ORDER BY 2 DESC, 1"""
        ).fetchall()
        if strange:
            listed = ", ".join(f"{word} ({count:,} lines)" for word, count in strange[:12])
            self._refuse(
                f"statuses does not say what these are: {listed}. Add, for each, a line such as "
                f"`{strange[0][0]}: delivered`; ours are {', '.join(known)}, and `{LEFT_OUT}`."
            )

    def _lines(self) -> None:
        """Create ``ledger_lines``: lines that count, in cents, each with its order and its person."""
        has = set(self._fields)
        amount = "amount" if "amount" in has else "quantity * price" if {"quantity", "price"} <= has else "0"
        if "discount" in has:
            amount = f"{amount} - abs(coalesce(discount, 0))"
        if "return" in has:
            amount = f'CASE WHEN "return" THEN -abs({amount}) ELSE {amount} END'
        guests = ", ".join(literal(guest.lower()) for guest in self._shop.guest)
        of_person = {
            "customer": f"CASE WHEN lower(customer) IN ({guests}) THEN NULL ELSE customer END"
            if guests
            else "customer",
            "email": "lower(email)",
        }
        persons = [of_person[name] for name in self._shop.person if name in has]
        person = f"coalesce({', '.join(persons)})" if persons else "NULL::VARCHAR"
        # an address is nobody's number: what is kept of it names a person and tells nothing of them
        person = f"CASE WHEN contains({person}, '@') THEN left(sha256(lower({person})), 32) ELSE {person} END"
        status = self._status()
        is_product = "true"
        if self._shop.not_products and "product" in has:
            tests = " OR ".join(f"lower(product) GLOB {literal(code.lower())}" for code in self._shop.not_products)
            is_product = f"NOT coalesce({tests}, false)"
        order = '"order"' if "order" in has else "NULL::VARCHAR"
        # without a number, what one person bought at one time is one order
        made = f"left(sha256(concat_ws('|', {person}, date::VARCHAR)), 32)"
        alone = "left(sha256(concat_ws('|', _file, _line::VARCHAR)), 32)"
        order = f"coalesce({order}, CASE WHEN {person} IS NULL THEN {alone} ELSE {made} END)"
        optional = {name: name_of(name) if name in has else "NULL" for name in FIELDS}
        self._connection.execute(
            f"""CREATE TABLE ledger_lines AS
            SELECT *, amount AS left_amount FROM (SELECT _n, _file, _line, {order} AS order_id, {person} AS person,
                date AS bought_at,
                {"product" if "product" in has else "NULL::VARCHAR"} AS product, {is_product} AS is_product,
                coalesce(round(({amount}) * 100)::BIGINT, 0) AS amount, ({amount}) AS exact,
                {optional["quantity"]}::DECIMAL(18,4) AS quantity,
                {status} AS status,
                {"test" if "test" in has else "false"} AS is_test,
                {", ".join(f"{optional[name]}::VARCHAR AS {name}" for name in _KEPT_TEXTS)},
                {", ".join(f"round({optional[name]} * 100)::BIGINT AS {name}" for name in _KEPT_AMOUNTS)}
            FROM ledger_typed AS typed WHERE _n NOT IN (SELECT _n FROM ledger_faults))"""
        )
        for why, test in (
            ("test orders", "is_test"),
            (f"statuses that are mapped to `{LEFT_OUT}`", f"status = {literal(LEFT_OUT)}"),
        ):
            found = scalar(self._connection, f"SELECT count(*) FROM ledger_lines WHERE coalesce({test}, false)")
            if found:
                self._outcome.left_out[why] = found
                self._connection.execute(f"DELETE FROM ledger_lines WHERE coalesce({test}, false)")
        shared, orders = self._connection.execute(
            """SELECT count(*) FILTER (people > 1), count(*) FROM (
                SELECT count(DISTINCT person) AS people FROM ledger_lines WHERE amount >= 0 GROUP BY order_id)"""
        ).fetchall()[0]
        if shared:
            self._outcome.notes.append(
                f"{shared:,} of {orders:,} order numbers name more than one customer; the first is taken. If numbers "
                "begin again in each store or on each day, say `order` as an expression, such as store || '-' || no"
            )

    def _note_doubts(self) -> None:
        """Note what is read as it stands, and rarely meant so: a customer who is a crowd, an amount of whole orders."""
        crowds = self._connection.execute(
            """SELECT person, orders, 100 * orders / sum(orders) OVER () FROM (
                SELECT person, count(DISTINCT order_id) AS orders FROM ledger_lines GROUP BY person)
            QUALIFY person IS NOT NULL ORDER BY orders DESC LIMIT 2"""
        ).fetchall()
        if len(crowds) > 1 and crowds[0][1] >= CROWD and crowds[0][1] > FAR_MORE * crowds[1][1]:
            person, orders, share = crowds[0]
            self._outcome.notes.append(
                f"customer {person} has {orders:,} orders, {share:.0f}% of all and far more than anybody else: if that "
                f"is no person, but whoever has no account, say `guest: ['{person}']`"
            )
        if self._shop.origin not in self._shop.files:
            longest = max(
                scalar(self._connection, f"SELECT count(*) FROM {name_of(table)}") for table in self._shop.files
            )
            lines = scalar(self._connection, "SELECT count(*) FROM ledger_texts")
            if lines > longest:
                self._outcome.notes.append(
                    f"`from` gives {lines:,} lines, and the longest of its tables has {longest:,} rows: a join over a "
                    "key that is there more than once counts amounts more than once"
                )
        rounded, exact = self._connection.execute(
            "SELECT sum(amount) / 100, round(coalesce(sum(exact), 0), 2) FROM ledger_lines"
        ).fetchall()[0]
        if rounded is not None and abs(float(rounded) - float(exact)) >= CENT:
            self._outcome.notes.append(
                f"amounts have parts of a cent: rounded line by line they come to {rounded:,.2f}, and to {exact:,.2f} "
                "if only their sum is rounded"
            )
        if "order" not in self._fields or "total" in self._fields:
            return
        several, alike = self._connection.execute(
            """SELECT count(*), count(*) FILTER (amounts = 1) FROM (
                SELECT count(DISTINCT amount) AS amounts FROM ledger_lines WHERE amount > 0
                GROUP BY order_id HAVING count(*) > 1)"""
        ).fetchall()[0]
        if several >= CROWD and alike > ALIKE_SHARE * several:
            self._outcome.notes.append(
                f"amount is the same on every line of {alike:,} orders of several lines, and is added up: if it is "
                "what the whole order came to, say `total` instead of `amount`"
            )

    def _net(self) -> None:
        """Take returns off purchases: what is left of each line is in ``left_amount``."""
        steps = (
            ("order_id, product", "product IS NOT NULL"),
            ("order_id", "true"),
            ("person, product", "product IS NOT NULL"),
            ("person", "person IS NOT NULL"),
        )
        for keys, condition in steps:
            if not scalar(self._connection, "SELECT count(*) FROM ledger_lines WHERE left_amount < 0"):
                return
            by = "(left_amount < 0)" if keys.startswith("order_id") else "bought_at, (left_amount < 0)"
            listed = ", ".join(f"lines.{key.strip()}" for key in keys.split(","))
            same = " AND ".join(
                f"lines.{key.strip()} IS NOT DISTINCT FROM touched.{key.strip()}" for key in keys.split(",")
            )
            # The balance never falls below nothing: a return before any purchase finds none. What is left of a
            # purchase is what the balance never falls below again: the latest purchase is returned first.
            self._connection.execute(
                f"""CREATE OR REPLACE TABLE ledger_netted AS
                WITH touched AS (SELECT DISTINCT {keys} FROM ledger_lines WHERE left_amount < 0 AND {condition}),
                concerned AS (
                    SELECT lines._n, lines.left_amount, lines.bought_at, {listed}
                    FROM ledger_lines AS lines SEMI JOIN touched ON {same} WHERE {condition}),
                summed AS (
                    SELECT *, sum(left_amount) OVER walk AS total, row_number() OVER walk AS step FROM concerned
                    WINDOW walk AS (PARTITION BY {keys} ORDER BY {by}, _n ROWS UNBOUNDED PRECEDING)),
                reflected AS (
                    SELECT *, least(0, min(total) OVER (PARTITION BY {keys} ORDER BY step ROWS UNBOUNDED PRECEDING))
                        AS missing FROM summed),
                balanced AS (
                    SELECT *, total - missing AS balance,
                        coalesce(lag(missing) OVER (PARTITION BY {keys} ORDER BY step), 0) AS missing_before
                    FROM reflected),
                foreseen AS (
                    SELECT *, min(balance) OVER (PARTITION BY {keys} ORDER BY step
                        ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS lowest FROM balanced)
                SELECT _n, (CASE WHEN left_amount < 0 THEN missing - missing_before
                    ELSE greatest(0, least(left_amount, lowest - (balance - left_amount))) END)::BIGINT AS left_amount
                FROM foreseen"""
            )
            self._connection.execute(
                """UPDATE ledger_lines SET left_amount = netted.left_amount FROM ledger_netted AS netted
                WHERE ledger_lines._n = netted._n AND ledger_lines.left_amount <> netted.left_amount"""
            )
        returned, unmatched = self._connection.execute(
            """SELECT sum(-amount) FILTER (amount < 0), coalesce(sum(-left_amount) FILTER (left_amount < 0), 0)
            FROM ledger_lines"""
        ).fetchall()[0]
        told = f"returns of {returned / 100:,.2f} are taken off what was bought"
        if unmatched:
            told += f", {unmatched / 100:,.2f} of them find no purchase and go to quarantine"
        self._outcome.notes.append(told)

    def _orders(self) -> None:
        """Create ``ledger_orders`` and ``ledger_items``: an order has a purchase in it, and as many lines as it has."""
        shop = self._shop
        has = set(self._fields)
        first = ", ".join(
            f"first({name} ORDER BY _n) FILTER ({name} IS NOT NULL) AS {name}"
            for name in (*_KEPT_TEXTS, *_KEPT_AMOUNTS)
        )
        self._connection.execute(
            f"""CREATE TABLE ledger_orders AS
            SELECT order_id, min(bought_at) AS bought_at, min(_n) AS _n, first(_file ORDER BY _n) AS _file,
                first(_line ORDER BY _n) AS _line, first(person ORDER BY _n) FILTER (person IS NOT NULL) AS person,
                sum(left_amount)::BIGINT AS kept, sum(amount)::BIGINT AS bought,
                sum(left_amount) FILTER (NOT is_product)::BIGINT AS fees,
                first(status ORDER BY _n) FILTER (status IS NOT NULL) AS status, {first}
            FROM ledger_lines WHERE amount >= 0 GROUP BY order_id"""
        )
        beside = [column for column in ("tax", "shipping") if column in has]
        counted = [column for column in beside if column not in shop.net_of]
        if "total" in has:
            left_out = "".join(f" - coalesce({column}, 0)" for column in beside if column not in counted)
            gross = f"coalesce(total, bought){left_out}"
        else:
            gross = " + ".join(["bought", *(f"coalesce({column}, 0)" for column in counted)])
        # lines that came back, and what was given back without saying for which line
        back = "bought - kept"
        if "refunded" in has and "refunds" in shop.net_of:
            back += " + abs(coalesce(refunded, 0))"
        shipping = "coalesce(shipping, 0)" if "shipping" in counted else "0"
        self._connection.execute(
            f"""CREATE TABLE ledger_totals AS
            WITH paid AS (SELECT *, {gross} AS gross, greatest({gross} - ({back}), 0) AS value FROM ledger_orders)
            SELECT * EXCLUDE (status), greatest(gross - value, 0) AS returned,
                greatest(0, least(value, {shipping} + coalesce(fees, 0))) AS freight,
                -- what brought no money in the end is no purchase
                CASE WHEN value > 0 OR status = 'unavailable' THEN coalesce(status, 'delivered') ELSE 'canceled' END
                    AS status
            FROM paid"""
        )
        # What an order brought in all is shared out over its lines as they stand; the last takes the odd cents.
        self._connection.execute(
            """CREATE TABLE ledger_items AS
            WITH products AS (
                SELECT lines.*, totals.value - totals.freight AS goods, totals.freight,
                    sum(lines.left_amount) OVER (PARTITION BY order_id) AS of_all,
                    sum(lines.left_amount) OVER one_by_one AS so_far, row_number() OVER one_by_one AS number
                FROM ledger_lines AS lines JOIN ledger_totals AS totals USING (order_id)
                -- a line that came back whole is none any more
                WHERE lines.amount >= 0 AND lines.is_product AND (lines.left_amount > 0 OR lines.amount = 0)
                WINDOW one_by_one AS (PARTITION BY order_id ORDER BY lines._n ROWS UNBOUNDED PRECEDING))
            SELECT _n, _file, _line, order_id, number, product, quantity, amount, left_amount,
                CASE WHEN of_all = goods THEN left_amount
                    WHEN of_all = 0 THEN CASE WHEN number = 1 THEN goods ELSE 0 END
                    ELSE (so_far::HUGEINT * goods // of_all - (so_far - left_amount)::HUGEINT * goods // of_all)::BIGINT
                END AS price,
                CASE WHEN number = 1 THEN freight ELSE 0 END AS freight
            FROM products
            UNION ALL BY NAME
            SELECT _n, _file, _line, order_id, 1 AS number, NULL AS product, NULL AS quantity, value AS amount,
                value AS left_amount, value - freight AS price, freight FROM ledger_totals
            WHERE order_id NOT IN (SELECT order_id FROM products)"""
        )

    def _note_sum(self) -> None:
        """Note what it all comes to, for a person to hold against the shop's own sum."""
        orders, people, value = self._connection.execute(
            """SELECT count(*), count(DISTINCT person), coalesce(sum(value), 0) FROM ledger_totals
            WHERE status NOT IN ('canceled', 'unavailable')"""
        ).fetchall()[0]
        self._outcome.notes.insert(
            0,
            f"{orders:,} orders that count, by {people:,} customers, come to {value / 100:,.2f} {self._shop.currency}",
        )

    def _accounted(self) -> dict[str, int]:
        """Say of every line what became of it.

        Raises
        ------
        PipelineError
            A line is unaccounted for.
        """
        bought, fees, returns, unmatched, read = self._connection.execute(
            """SELECT count(*) FILTER (amount >= 0 AND is_product), count(*) FILTER (amount >= 0 AND NOT is_product),
                count(*) FILTER (amount < 0 AND left_amount = 0), count(*) FILTER (left_amount < 0),
                (SELECT count(*) FROM ledger_texts) FROM ledger_lines"""
        ).fetchall()[0]
        broken = scalar(self._connection, f"SELECT count(*) FROM {FAULTS}")
        lines = {
            "lines of orders": bought,
            "fees and the like, on the freight of their order": fees,
            "returns, taken off what was bought": returns,
            "to quarantine": unmatched + scalar(self._connection, "SELECT count(*) FROM ledger_faults") + broken,
            "left out, as shop.yml says": sum(self._outcome.left_out.values()),
        }
        if sum(lines.values()) != read + broken:
            raise PipelineError(
                f"{read + broken:,} lines were read, and the books tell of {sum(lines.values()):,}: {lines}. Nothing "
                "was built. This is a fault of the pipeline: keep the files and report it."
            )
        return lines

    def _tables(self) -> dict[str, str]:
        has = set(self._fields)
        money = "printf('%d.%02d', {0} // 100, {0} % 100)"
        place = "_file AS _source_file, _line AS _source_line"
        fine = "NULL::VARCHAR AS _problem, NULL::VARCHAR AS _fault, NULL::VARCHAR AS _source_row"
        stamp = "strftime(bought_at, '%Y-%m-%d %H:%M:%S')"
        tables = {
            "orders": f"""SELECT order_id, order_id AS customer_id,
                status AS order_status, {stamp} AS order_purchase_timestamp, {place}, {fine}
                FROM ledger_totals ORDER BY _n""",
            "customers": f"""SELECT order_id AS customer_id, person AS customer_unique_id,
                {"zip" if "zip" in has else "NULL::VARCHAR"} AS customer_zip_code_prefix,
                {"city" if "city" in has else "NULL::VARCHAR"} AS customer_city,
                {"state" if "state" in has else "NULL::VARCHAR"} AS customer_state,
                {"country" if "country" in has else "NULL::VARCHAR"} AS customer_country, {place}, {fine}
                FROM ledger_totals ORDER BY _n""",
            # what was paid, and what was given back of it
            "order_payments": f"""SELECT order_id, part.number AS payment_sequential,
                coalesce({"payment" if "payment" in has else "NULL"}, 'not_defined') AS payment_type,
                part.sign || {money.format("part.value")} AS payment_value, {place}, {fine}
                FROM (SELECT *, unnest([
                    {{number: '1', sign: '', value: value + returned}},
                    {{number: '2', sign: '-', value: returned}}]) AS part FROM ledger_totals)
                WHERE part.number = '1' OR part.value > 0 ORDER BY _n, part.number""",
        }
        product = ", product AS product_id" if "product" in has else ""
        units = (
            # what is sold by weight is a unit at least
            """, greatest(1, round(abs(quantity)
                * CASE WHEN amount > 0 THEN left_amount / amount ELSE 1 END))::INTEGER::VARCHAR AS quantity"""
            if "quantity" in has
            else ""
        )
        raw = "(SELECT to_json(texts)::VARCHAR FROM ledger_texts AS texts WHERE texts._n = lines._n)"
        tables["order_items"] = f"""
            SELECT order_id, number::VARCHAR AS order_item_id{product}, {money.format("price")} AS price,
                {money.format("freight")} AS freight_value{units}, {place}, {fine}, 0 AS _kind, _n
            FROM ledger_items
            UNION ALL BY NAME
            SELECT order_id, {place}, {literal(UNMATCHED)} AS _problem,
                'a return of ' || {money.format("abs(amount)")} || CASE WHEN left_amount = amount
                    THEN '' ELSE ', of which ' || {money.format("abs(left_amount)")} END
                    || ' finds no earlier purchase to be taken off' AS _fault,
                {raw} AS _source_row, 1 AS _kind, _n FROM ledger_lines AS lines WHERE left_amount < 0
            UNION ALL BY NAME
            SELECT {place}, _problem, _fault, _source_row, 2 AS _kind, _n FROM ledger_faults
            UNION ALL BY NAME
            SELECT {place}, {literal(BROKEN)} AS _problem, fault AS _fault, raw AS _source_row, 3 AS _kind,
                _line AS _n FROM {FAULTS}"""
        tables["order_items"] = f"SELECT * EXCLUDE (_kind, _n) FROM ({tables['order_items']}) ORDER BY _kind, _n"
        if "product" in has:
            known = {"name": "product_name", "category": "product_category_name"}
            told = "".join(
                f", arg_max({name}, _n) FILTER ({name} IS NOT NULL) AS {ours}"
                for name, ours in known.items()
                if name in has
            )
            tables["products"] = f"""SELECT product AS product_id{told}, arg_min(_file, _n) AS _source_file,
                arg_min(_line, _n) AS _source_line, {fine}
                FROM ledger_lines WHERE amount >= 0 AND is_product AND product IS NOT NULL
                GROUP BY product ORDER BY product"""
        return tables


_KEPT_TEXTS = ("name", "category", "country", "state", "city", "zip", "payment", "currency")
_KEPT_AMOUNTS = ("total", "shipping", "tax", "refunded")
