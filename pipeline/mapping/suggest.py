"""A first ``shop.yml`` from a file's header and content: every guess is said to be one."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from pipeline.base.errors import InputError
from pipeline.base.sql import name_of, scalar
from pipeline.mapping import values
from pipeline.mapping.check import workshop
from pipeline.mapping.shopfile import AMOUNTS, COUNTS, SourceFiles
from pipeline.mapping.sources import Sources, plain

# Words that shops head their columns with, the surest first, without capitals, blanks and signs.
WORDS: dict[str, tuple[str, ...]] = {
    "customer": (
        *("customerid", "customeruniqueid", "customernumber", "customerno", "customer", "custid", "clientid", "userid"),
        *("memberid", "householdkey", "householdid", "buyerid", "client", "user", "kundennummer", "kundennr", "kunde"),
        *("idcliente", "cliente", "idclient", "клиент", "покупатель", "idклиента", "loyaltyid", "cardid", "id"),
    ),
    "email": ("email", "customeremail", "emailaddress", "billingemail", "mail", "buyeremail"),
    "order": (
        *("orderid", "orderno", "ordernumber", "invoiceno", "invoice", "invoiceid", "invoicenumber", "basketid"),
        *("transactionid", "receiptid", "receipt", "order", "purchaseid", "bestellnummer", "rechnungsnummer", "заказ"),
    ),
    "date": (
        *("invoicedate", "orderdate", "purchasedate", "transactiondate", "orderdatetime", "orderpurchasetimestamp"),
        *("purchasetimestamp", "createdat", "datetime", "timestamp", "date", "datum", "fecha", "data", "дата", "day"),
        *("orderedat", "bestelldatum", "saledate", "salesdate", "shipdate", "trandate", "transdate"),
    ),
    "amount": (
        *("amount", "lineamount", "linetotal", "totalamount", "totalprice", "totalsales", "sales", "salesvalue"),
        *("salesamount", "revenue", "value", "paid", "total", "orderamount", "ordertotal", "betrag", "umsatz", "summe"),
        *("importe", "montant", "сумма", "turnover", "purchaseamount", "spend", "totalspent", "dollars", "netamount"),
    ),
    "quantity": ("quantity", "qty", "units", "unitssold", "count", "menge", "anzahl", "cantidad", "количество"),
    "price": ("unitprice", "price", "itemprice", "sellingprice", "priceeach", "preis", "precio", "prix", "цена"),
    "discount": ("discountamount", "couponamount"),
    "product": (
        *("stockcode", "sku", "productid", "itemid", "productcode", "itemcode", "articleid", "article", "asin", "ean"),
        *("upc", "artikelnummer", "productnumber", "product", "item", "artikel", "товар", "артикул"),
    ),
    "name": ("description", "productname", "itemname", "title", "producttitle", "productdescription", "bezeichnung"),
    "category": (
        *("category", "productcategory", "subcategory", "department", "productgroup", "warengruppe", "категория"),
        *("commoditydesc", "productline", "producttype"),
    ),
    "country": ("country", "shippingcountry", "billingcountry", "shipcountry", "land", "pais", "pays", "страна"),
    "state": ("state", "province", "shippingstate", "shippingprovince", "shipstate", "bundesland"),
    "city": ("city", "shippingcity", "billingcity", "shipcity", "town", "ort", "stadt", "ciudad", "ville", "город"),
    "zip": ("zip", "zipcode", "postalcode", "postcode", "shippingzip", "shippostalcode", "plz"),
    "status": ("orderstatus", "status", "state of order", "paymentstatus", "financialstatus", "bestellstatus"),
    "payment": ("paymentmethod", "paymenttype", "payment", "tendertype", "zahlungsart"),
    "shipping": ("shippingcost", "shippingamount", "freight", "shippingfee"),
}
# What statuses usually mean; the shop is to look at each.
STATUSES = (
    (r"cancel|storn|void|declin|fail|abandon|reject|отмен", "canceled"),
    (r"deliver|complet|fulfil|closed|finish|done|доставл", "delivered"),
    (r"refund|return|retour", "canceled"),
    (r"ship|transit|dispatch|sent", "shipped"),
    (r"paid|process|approved|confirm", "processing"),
    (r"pending|hold|new|created|open|await|unpaid", "created"),
    (r"draft|trash|test", "leave out"),
)
MOST_CODES, MOST_STATUSES = 15, 30


def suggest(file: Path) -> str:
    """Write a first ``shop.yml`` for a file of transactions.

    Raises
    ------
    InputError
        The file is not there or cannot be read.
    """
    if not file.is_file():
        raise InputError(f"There is no file {file}.")
    with workshop() as work, duckdb.connect(str(work / "sources.duckdb")) as connection:
        sources = Sources(connection, file.parent, work)
        columns = sources.read("lines", SourceFiles((file.name,)))
        return _Suggestion(connection, file, columns, sources.notes).text()


class _Suggestion:
    def __init__(self, connection: duckdb.DuckDBPyConnection, file: Path, columns: list[str], notes: list[str]) -> None:
        self._connection = connection
        self._file = file
        self._columns = columns
        self._notes = notes
        self._found = self._match()
        self._others = self._find_other_names()

    def _match(self) -> dict[str, str]:
        """Give each field the column whose name says it best; no column serves two."""
        free = {plain(name): name for name in self._columns}
        found: dict[str, str] = {}
        for field, words in WORDS.items():
            word = next((word for word in words if word in free), None)
            if word is not None:
                found[field] = free.pop(word)
        return found

    def _find_other_names(self) -> dict[str, list[str]]:
        """Find what fields are called in other files or sheets: columns filled only where the first is empty."""
        free = {plain(name): name for name in self._columns if name not in self._found.values()}
        others: dict[str, list[str]] = {}
        for field, first in self._found.items():
            for name in [free[word] for word in WORDS[field] if word in free]:
                both, without = self._connection.execute(
                    f"""SELECT count({name_of(first)}), count(*) - count({name_of(first)}) FROM lines
                    WHERE {name_of(name)} IS NOT NULL"""
                ).fetchall()[0]
                if without and not both:
                    others.setdefault(field, []).append(free.pop(plain(name)))
        return others

    def text(self) -> str:
        """Write the file."""
        lines = [
            f"# A first mapping of {self._file.name}, guessed from its header and content. Correct it, then run",
            "# `make map` to see how every column is read.",
            *(f"# {note}" for note in self._notes),
            "preset: transactions",
            "currency: EUR            # guessed by nobody: three letters of your currency",
            "country: DE              # the shop's own country, two letters; leave the line out for none",
            "# time_zone: Europe/Berlin   # say it if times name a zone such as Z or +02:00",
            f"from: {_quoted(self._file.name)}",
            "columns:",
        ]
        lines += [f"  {line}" for line in self._list_columns()]
        lines += self._list_forms() + self._list_codes() + self._list_statuses()
        return "\n".join(lines) + "\n"

    def _list_columns(self) -> list[str]:
        found = dict(self._found)
        lines = []
        if "customer" not in found and "email" not in found:
            lines.append("customer: ???   # which column says who bought?")
        if "date" not in found:
            lines.append("date: ???   # which column says when?")
        if "amount" in found:
            found.pop("price", None)
        elif not {"quantity", "price"} <= found.keys():
            lines.append("amount: ???   # which column says for how much? An expression will do")
        for field, column in found.items():
            names = [_quoted(name) for name in (column, *self._others.get(field, []))]
            # where there is no amount, it is quantity times price
            remark = "   # of one unit; times quantity is what the line cost" if field == "price" else ""
            lines.append(f"{field}: {'[' + ', '.join(names) + ']' if len(names) > 1 else names[0]}{remark}")
        used = {*self._found.values(), *(name for names in self._others.values() for name in names)}
        unused = [name for name in self._columns if name not in used]
        return [*lines, f"# not used: {', '.join(unused)}"] if unused else lines

    def _list_forms(self) -> list[str]:
        lines = []
        numbers = {name: name_of(self._found[name]) for name in (*AMOUNTS, *COUNTS) if name in self._found}
        try:
            decimal = values.decimal_of(self._connection, "lines", numbers) if numbers else ""
            if decimal == "comma":
                lines.append("money: {decimal: comma}")
        except InputError as error:
            lines += [f"# {error}", "money: {decimal: ???}   # point or comma"]
        if date := self._found.get("date"):
            try:
                form = values.dates_of(self._connection, "lines", date, name_of(date))
                lines.append(f"dates: {form}")
            except InputError as error:
                lines += [f"# {error}", "dates: ???"]
        return lines

    def _list_codes(self) -> list[str]:
        """List product codes that look like fees: no digit in them, where most have some."""
        if "product" not in self._found:
            return []
        code = name_of(self._found["product"])
        has_digit = f"regexp_matches({code}, '[0-9]')"
        share = scalar(self._connection, f"SELECT (100 * avg({has_digit}::INTEGER))::INTEGER FROM lines")
        found = self._connection.execute(
            f"""SELECT {code}, count(*) FROM lines WHERE {code} IS NOT NULL AND NOT {has_digit}
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_CODES}"""
        ).fetchall()
        if share < 90 or not found:
            return []
        listed = ", ".join(_quoted(word) for word, _ in found)
        return [f"not_products: [{listed}]   # guessed: postage, fees and the like; they count as freight"]

    def _list_statuses(self) -> list[str]:
        if "status" not in self._found:
            return []
        status = name_of(self._found["status"])
        found = self._connection.execute(
            f"""SELECT lower(trim({status})), count(*) FROM lines WHERE {status} IS NOT NULL
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_STATUSES}"""
        ).fetchall()
        lines = ["statuses:   # guessed: look at each"]
        for word, count in found:
            ours = next((ours for pattern, ours in STATUSES if re.search(pattern, word)), "???")
            lines.append(f"  {_quoted(word)}: {ours}   # {count:,} lines")
        return lines


def _quoted(text: str) -> str:
    """Write a text so that YAML takes it for one."""
    if re.fullmatch(r"[A-Za-z_][\w .*-]*[\w.]|[A-Za-z_]", text) and text.lower() not in (
        "no",
        "yes",
        "on",
        "off",
        "y",
        "n",
    ):
        return text
    return "'" + text.replace("'", "''") + "'"
