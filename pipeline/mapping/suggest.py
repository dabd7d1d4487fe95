"""A first ``shop.yml`` from a file's header and content: every guess is said to be one."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from pipeline.base import paths
from pipeline.base.errors import InputError
from pipeline.base.sql import literal, name_of, scalar
from pipeline.mapping import values
from pipeline.mapping.check import workshop
from pipeline.mapping.ledger import ALIKE_SHARE, CALLED_OFF, GIVEN_BACK
from pipeline.mapping.shopfile import AMOUNTS, COUNTS, SourceFiles
from pipeline.mapping.sources import Sources, UnknownLettersError, plain, sheet_headers

# Words that shops head their columns with, the surest first, without capitals, blanks and signs.
WORDS: dict[str, tuple[str, ...]] = {
    "customer": (
        *("customerid", "customeruniqueid", "customernumber", "customerno", "customer", "custid", "clientid", "userid"),
        *("memberid", "householdkey", "householdid", "buyerid", "client", "user", "kunde", "cliente", "клиент"),
        *("покупатель", "loyaltyid", "cardid"),
    ),
    "email": ("email", "customeremail", "emailaddress", "billingemail", "mail", "buyeremail"),
    "order": (
        *("orderid", "orderno", "ordernumber", "invoiceno", "invoice", "invoiceid", "invoicenumber", "basketid"),
        *("transactionid", "receiptid", "receipt", "order", "purchaseid", "заказ", "чек", "pedido", "commande"),
    ),
    "date": (
        *("invoicedate", "orderdate", "purchasedate", "transactiondate", "orderdatetime", "orderpurchasetimestamp"),
        *("purchasetimestamp", "createdat", "datetime", "timestamp", "date", "datum", "fecha", "data", "дата", "day"),
        *("orderedat", "bestelldatum", "saledate", "salesdate", "trandate", "transdate", "shipdate"),
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
        *("commoditydesc", "productline", "producttype", "categorycode"),
    ),
    "country": ("country", "shippingcountry", "billingcountry", "shipcountry", "land", "pais", "pays", "страна"),
    "state": ("state", "province", "shippingstate", "shippingprovince", "shipstate", "bundesland", "billingstate"),
    "city": ("city", "shippingcity", "billingcity", "shipcity", "town", "ort", "stadt", "ciudad", "ville", "город"),
    "zip": ("zip", "zipcode", "postalcode", "postcode", "shippingzip", "shippostalcode", "plz", "billingpostcode"),
    "status": ("orderstatus", "status", "paymentstatus", "financialstatus", "bestellstatus", "статус", "estado"),
    "payment": ("paymentmethod", "paymenttype", "payment", "tendertype", "zahlungsart", "formadepago"),
    "shipping": ("shippingcost", "shippingamount", "freight", "shippingfee", "ordershipping", "versandkosten"),
    "refunded": ("refundedamount", "refundamount", "orderrefundamount"),
    "currency": ("currency", "ordercurrency", "currencycode", "währung", "waehrung", "валюта", "moneda", "devise"),
}
# What longer names have in them, in the languages of the shops we know of, where none of the words above is a name.
_NUMBER = r"(id|no|nr|num|nummer|number|numero|número|key|code|код|номер|ид|番号|コード)"
_PEOPLE = (
    r"(customer|client|cust|user|member|buyer|shopper|household|account|kunde|kunden|cliente|klient|клиент|клиента"
    r"|покупатель|покупателя|пользователь|пользователя|контрагент|会員|顧客|お客様)"
)
_ORDERS = (
    r"(order|orders|invoice|receipt|basket|transaction|ticket|purchase|sale|sales|bill|session|bestell|bestellung|bestellungs"
    r"|auftrag|auftrags|rechnung|rechnungs|beleg|bon|commande|facture|pedido|factura|fattura|ordine|zamowienia"
    r"|zamówienia|заказ|заказа|чек|чека|накладная|накладной|受注|注文)"
)
_SUMS = (
    r"(amount|total|sum|sales|revenue|value|betrag|summe|umsatz|montant|importe|valor|importo|kwota|сумма|стоимость|итого"
    r"|выручка|金額|小計|合計|売上)"
)
PATTERNS: dict[str, tuple[str, ...]] = {
    "customer": (rf".*{_PEOPLE}{_NUMBER}", rf"{_NUMBER}{_PEOPLE}", rf".*{_PEOPLE}", r"(card|karte|карта|карты).*"),
    "email": (r".*(email|почта|mail|メール).*",),
    "order": (rf".*{_ORDERS}{_NUMBER}", rf"{_NUMBER}{_ORDERS}", rf".*{_ORDERS}uuid"),
    "date": (
        rf".*{_ORDERS}.*(date|datum|fecha|data|time|at|дата|日時|日付|日)",
        rf"(date|datum|fecha|data|дата|дата?ивремя).*{_ORDERS}",
        r"(event|purchase|payment|дата|date|created|placed|ordered|sold|erstellt).*(time|date|at|on|дата|am)",
        r".*(datum|date|fecha|дата|время|日時|日付)",
    ),
    "amount": (rf"(line|item|row|net|gross|позици).*{_SUMS}", rf".*{_SUMS}", rf"{_SUMS}.*"),
    "quantity": (r".*(quantity|qty|menge|anzahl|stück|stueck|количество|кол|колво|cantidad|quantité|数量)",),
    "price": (r".*(unitprice|price|einzelpreis|preis|precio|prix|цена|單價|単価|itemcost)", r"(цена|price|preis).*"),
    "product": (
        r".*(product|item|article|artikel|sku|товар|товара|producto|produit|prodotto|商品)"
        rf"{_NUMBER}",
        r".*(sku|артикул)",
        rf"{_NUMBER}(товара|товар|produit|producto)",
    ),
    "name": (
        r".*(product|item|artikel|article|lineitem|produkt)(name|title|bezeichnung)",
        r"(наименование|название|товар|номенклатура|商品名|produkt|producto|produit|bezeichnung|nombre).*",
    ),
    "category": (r".*(category|kategorie|категория|categoria|categoría|catégorie|группатоваров|カテゴリ)",),
    "city": (r"(город|city).*",),
    "state": (r"(регион|область|都道府県|bundesland|provincia|région)",),
    "zip": (r"(индекс|почтовыйиндекс|郵便番号|códigopostal|codigopostal|codepostal)",),
    "status": (r".*(status|статус|состояние|estado|statut|stato).*",),
    "payment": (r".*(paymentmethod|paymenttype|zahlungsart|оплаты|支払方法|формаоплаты|métododepago).*",),
}
# What a name has in it that says something else than its field.
NOT_MEANT = {
    "customer": r"name|segment|type|since|age|group|country|city|email|phone|имя|телефон|名",
    "date": r"ship|deliver|due|birth|updat|requir|liefer|fulfil|paidat|cancel|доставк|отгруз|рожд|gebur|expir|start",
    "amount": r"tax|ship|disc|refund|vat|mwst|steuer|profit|cost|ндс|скидк|достав|qty|quantity|unit|rabatt|tip|payment",
    "price": r"compare|ship|discount|list|total",
    "status": r"marital|loyal|member|fulfillment|delivery|employ",
    "name": r"customer|user|kunde|клиент",
    "quantity": r"stock|bestand",
}
# What an order came to in all is called so, where each of its lines has an amount of its own.
WHOLES = ("ordertotal", "ordertotalamount", "grandtotal", "total", "totalpaid", "totalamount", "gesamtbetrag")
NUMBERS = ("amount", "quantity", "price", "discount", "shipping", "refunded")
# Columns by which an export of a vendor's is known.
EXPORTS = {
    "shopify": {"name", "createdat", "financialstatus", "lineitemquantity", "lineitemprice"},
    "shopify_bulk": {"parentid", "id", "totalpriceset"},
    "woocommerce": {"parentorderid", "totalamount", "datecreatedgmt"},
    "magento": {"incrementid", "basegrandtotal", "basetotalrefunded"},
    "olist": {"orderpurchasetimestamp", "orderestimateddeliverydate", "orderstatus"},
}
# Words of a log of events that stand for a purchase.
BOUGHT = ("purchase", "order_completed", "order completed", "transaction", "buy", "checkout_completed")
CODE_PAGES = ("cp1251", "cp932", "gb18030", "cp866", "koi8-r", "euc_kr", "big5", "cp1253")
SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "₽": "RUB",
    "руб": "RUB",
    "¥": "JPY",
    "￥": "JPY",
    "円": "JPY",
    "₹": "INR",
    "zł": "PLN",
    "kč": "CZK",
    "₺": "TRY",
    "r$": "BRL",
    "chf": "CHF",
    "₴": "UAH",
    "₩": "KRW",
    "₪": "ILS",
    "a$": "AUD",
    "c$": "CAD",
}
OTHER_NAMES = {"uk": "GB", "england": "GB", "usa": "US", "united states of america": "US", "deutschland": "DE"}
OTHER_NAMES |= {"россия": "RU", "russia": "RU", "österreich": "AT", "schweiz": "CH", "españa": "ES", "日本": "JP"}
EURO = ("DE", "FR", "ES", "IT", "NL", "BE", "AT", "IE", "PT", "FI", "GR")
CURRENCIES = {
    **dict.fromkeys(EURO, "EUR"),
    "GB": "GBP",
    "US": "USD",
    "JP": "JPY",
    "AU": "AUD",
    "CA": "CAD",
    "RU": "RUB",
}
CURRENCIES |= {"BR": "BRL", "CH": "CHF", "PL": "PLN", "SE": "SEK", "IN": "INR", "NZ": "NZD", "MX": "MXN", "TR": "TRY"}
ZONED = "to be said, as times name a zone: without it they are taken to UTC"
UNZONED = "say it if times name a zone such as Z or +02:00"
# What statuses usually mean; the shop is to look at each.
STATUSES = (
    (r"draft|trash|test", "leave out"),
    (CALLED_OFF, "canceled"),
    (r"partial", "processing"),
    (GIVEN_BACK, "canceled"),
    (r"deliver|complet|fulfil|closed|finish|done|geliefert|abgeschlossen|erledigt|доставл|выполн|заверш", "delivered"),
    (r"получен|закрыт|livr|entreg|terminad|完了", "delivered"),
    (r"ship|transit|dispatch|sent|versand|versendet|отправл|в пути|exp[eé]di|enviad|発送", "shipped"),
    (r"pending|hold|new|created|open|await|unpaid|offen|ausstehend|нов|ожида|не оплачен|attente|pendiente", "created"),
    (
        r"paid|process|approved|confirm|authori|bezahlt|bearbeitung|оплач|обработ|сборк|подтвер|pay[eé]|pagad",
        "processing",
    ),
)
# Customer numbers that tills and plug-ins write for people they do not know.
NOBODY = ("0", "-1", "guest", "anonymous", "unknown", "walk-in", "gast", "гость", "розничный покупатель")
MOST_CODES, MOST_STATUSES = 15, 30
SAMPLE = 5_000


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
        files = SourceFiles((file.name,), sheet=_sheet_of_orders(file))
        try:
            columns = sources.read("lines", files)
        except UnknownLettersError:
            files = replace(files, encoding=_code_page(sources, files))
            columns = sources.read("lines", files)
        return _Suggestion(connection, files, columns, sources.notes).text()


def _sheet_of_orders(file: Path) -> str:
    """Name the sheet of a workbook whose columns say most of an order; empty where it is read without being named."""
    if file.suffix.lower() != ".xlsx":
        return ""
    headers = {title: {plain(name) for name in names} for title, names in sheet_headers(file).items()}
    best = max(headers, key=lambda title: (len(_match(sorted(headers[title]), lambda *_: True)), len(headers[title])))
    # all sheets that are like the widest are read anyhow, such as one for each year
    widest = max(headers.values(), key=len)
    return "" if 2 * len(headers[best] & widest) >= len(headers[best]) else best


def _code_page(sources: Sources, files: SourceFiles) -> str:
    """Find the encoding in which the line of names has words that we know.

    Raises
    ------
    InputError
        There is none, or more than one.
    """
    found: dict[str, int] = {}
    for number, encoding in enumerate(CODE_PAGES):
        try:
            columns = sources.read(f"tried {number}", replace(files, encoding=encoding))
        except InputError:
            continue
        spelt = [name for name in columns if not name.isascii()]
        found[encoding] = len(_match(spelt, lambda *_: True))
    best = max(found, key=lambda encoding: found[encoding], default="")
    if not best or not found[best]:
        raise InputError(
            f"{files.patterns[0]} is not UTF-8, and its letters may be Cyrillic, Greek, Japanese or others. Save it as "
            "UTF-8, or write shop.yml by hand with `encoding: cp1251` (or cp932, cp866, koi8-r, cp1253, gb18030 ...)."
        )
    return best


def _match(columns: list[str], fits: Callable[[str, str], bool]) -> dict[str, str]:
    """Give each field the column whose name says it best and whose cells fit; no column serves two."""
    free = {plain(name): name for name in columns}
    found: dict[str, str] = {}
    for field, words in WORDS.items():
        word = next((word for word in words if word in free and fits(field, free[word])), None)
        if word is not None:
            found[field] = free.pop(word)
    for field, patterns in PATTERNS.items():
        if field in found or (field == "price" and "amount" in found and "quantity" not in found):
            continue
        other = NOT_MEANT.get(field, r"\b\B")
        likely = [
            name
            for pattern in patterns
            for name in free
            if re.fullmatch(pattern, name) and not re.search(other, name) and fits(field, free[name])
        ]
        if likely:
            found[field] = free.pop(likely[0])
    return found


class _Suggestion:
    def __init__(
        self, connection: duckdb.DuckDBPyConnection, files: SourceFiles, columns: list[str], notes: list[str]
    ) -> None:
        self._connection = connection
        self._files = files
        self._name = files.patterns[0]
        self._columns = columns
        self._notes = notes
        self._preset = self._vendor()
        self._bought = self._find_purchases()
        self._found = _match(columns, self._fits)
        self._remarks: dict[str, str] = {}
        self._settle()
        self._others = self._find_other_names()

    def _vendor(self) -> str:
        names = {plain(name) for name in self._columns}
        return next((preset for preset, needed in EXPORTS.items() if needed <= names), "transactions")

    def _rows(self, select: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(select).fetchall()

    def _fits(self, field: str, column: str) -> bool:
        """Tell whether a column's cells can be what its name says."""
        cell = name_of(column)
        test = {
            **dict.fromkeys(
                NUMBERS, f"coalesce({values.number(cell, 'point')}, {values.number(cell, 'comma')}) IS NOT NULL"
            ),
            "date": f"regexp_matches({cell}, '[0-9]') AND NOT regexp_full_match({cell}, '[0-9]{{1,2}}:[0-9:]+')",
            "email": f"contains({cell}, '@')",
        }.get(field)
        if test is None:
            return True
        filled, good = self._rows(
            f"""SELECT count(*), count(*) FILTER ({test}) FROM (
                SELECT {cell} FROM lines WHERE {cell} IS NOT NULL LIMIT {SAMPLE})"""
        )[0]
        return bool(filled) and good >= 0.8 * filled

    def _find_purchases(self) -> tuple[str, str] | None:
        """Find the column of a log of events that tells purchases from the rest, and its word for them."""
        for column in self._columns:
            if re.search(r"event|action|type|behaviou?r", plain(column)):
                cell = name_of(column)
                kinds = [kind for (kind,) in self._rows(f"SELECT DISTINCT {cell} FROM lines LIMIT 50")]
                bought = [kind for kind in kinds if kind and kind.strip().lower() in BOUGHT]
                if len(bought) == 1 and any(re.search(r"view|cart|click", kind or "", re.IGNORECASE) for kind in kinds):
                    return column, bought[0]
        return None

    def _settle(self) -> None:
        """Settle by the cells what names alone do not say."""
        found, remarks = self._found, self._remarks
        taken = set(found.values())
        free = {plain(name): name for name in self._columns if name not in taken}
        if not {"customer", "email"} & found.keys():
            named = [
                name for name in free if re.search(r"(customer|client|kunde|клиент|покупател).*(name|имя)|фио", name)
            ]
            if "id" in free and self._repeats(free["id"]):
                found["customer"] = free["id"]
            elif named:
                found["customer"] = free[named[0]]
                remarks["customer"] = "a name: two people may share it; a number or an e-mail is surer"
        if "price" in found and not {"amount", "quantity"} & found.keys():
            found["amount"] = found.pop("price")
            remarks["amount"] = "guessed: each line is one unit"
        elif "amount" in found:
            found.pop("price", None)
        elif "price" in found:
            remarks["price"] = "of one unit; times quantity is what the line cost"
        if not {"order", "amount"} <= found.keys():
            return
        wholes = [name for word, name in free.items() if word in WHOLES and self._fits("amount", name)]
        if self._is_of_the_order(found["order"], found["amount"]):
            wholes = [found.pop("amount")]
        wholes = [name for name in wholes if self._is_of_the_order(found["order"], name)]
        if wholes:
            found["total"] = wholes[0]
            remarks["total"] = "guessed: of the whole order, as it is the same on each of its lines"

    def _repeats(self, column: str) -> bool:
        cell = name_of(column)
        rows, different = self._rows(f"SELECT count({cell}), count(DISTINCT {cell}) FROM lines")[0]
        return bool(different < 0.95 * rows)

    def _is_of_the_order(self, order: str, amount: str) -> bool:
        several, alike = self._rows(
            f"""SELECT count(*), count(*) FILTER (amounts = 1) FROM (
                SELECT count(DISTINCT {name_of(amount)}) AS amounts FROM lines WHERE {name_of(order)} IS NOT NULL
                GROUP BY {name_of(order)} HAVING count(*) > 1)"""
        )[0]
        return bool(several) and alike > ALIKE_SHARE * several

    def _find_other_names(self) -> dict[str, list[str]]:
        """Find what fields are called in other files or sheets: columns filled only where the first is empty."""
        free = {plain(name): name for name in self._columns if name not in self._found.values()}
        others: dict[str, list[str]] = {}
        for field, first in self._found.items():
            for name in [free[word] for word in WORDS.get(field, ()) if word in free]:
                both, without = self._connection.execute(
                    f"""SELECT count({name_of(first)}), count(*) - count({name_of(first)}) FROM lines
                    WHERE {name_of(name)} IS NOT NULL"""
                ).fetchall()[0]
                if without and not both:
                    others.setdefault(field, []).append(free.pop(plain(name)))
        return others

    def text(self) -> str:
        """Write the file."""
        country = self._country()
        currency, why = self._currency(country)
        zoned = "date" in self._found and self._zoned()
        lines = [
            f"# A first mapping of {self._name}, guessed from its header and content. Correct it, then run",
            "# `make map` to see how every column is read.",
            *(f"# {note}" for note in self._notes),
            f"preset: {self._preset}",
            f"currency: {currency}            # {why}",
            f"country: {country}              # guessed: the shop's own country, two letters"
            if country
            else "# country: DE            # the shop's own country, two letters; without it there are no states",
            f"# time_zone: Europe/Berlin   # {ZONED if zoned else UNZONED}",
        ]
        if self._preset != "transactions":
            return "\n".join([*lines, *self._of_vendor()]) + "\n"
        if self._bought:
            column, word = self._bought
            query = f"select * from lines where {name_of(column)} = {literal(word)}"
            lines += [f"files: {{lines: {_quoted(self._name)}}}", f"from: {query}   # the others are no purchases"]
        else:
            lines.append(f"from: {_quoted(self._name)}")
        for key, value in (("sheet", self._files.sheet), ("encoding", self._files.encoding)):
            if value:
                lines.append(f"{key}: {_quoted(value)}   # guessed from the names of its columns")
        lines.append("columns:")
        lines += [f"  {line}" for line in self._list_columns()]
        lines += self._list_guests() + self._list_forms(currency) + self._list_codes() + self._list_statuses()
        return "\n".join(lines) + "\n"

    def _of_vendor(self) -> list[str]:
        """Say what a vendor's export needs beside its preset: nothing, where its file is called as usual."""
        if self._preset == "shopify":
            usual = self._name.lower().startswith("orders_export")
            return [] if usual else [f"files: {{orders: {_quoted(self._name)}}}"]
        table = {"magento": "sales_order", "woocommerce": "wc_orders"}.get(self._preset)
        return [f"# docs/your-shop.md lists the tables that lie beside {self._name} ({table})"] if table else []

    def _zoned(self) -> bool:
        cell = name_of(self._found["date"])
        return bool(self._rows(f"SELECT 1 FROM lines WHERE {values.names_zone(cell)} LIMIT 1"))

    def _most_common(self, field: str) -> str:
        if field not in self._found:
            return ""
        cell = name_of(self._found[field])
        rows = self._rows(
            f"SELECT trim({cell}) FROM lines WHERE {cell} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        )
        return str(rows[0][0]) if rows else ""

    def _country(self) -> str:
        """Guess the shop's country: that of most of its lines."""
        named = self._most_common("country").lower()
        with (paths.PROJECT / "seeds" / "countries.csv").open(encoding="utf-8", newline="") as stream:
            known = {row["country_name"].lower(): row["country"] for row in csv.DictReader(stream)}
        known |= {code.lower(): code for code in known.values()} | OTHER_NAMES
        return known.get(named, "")

    def _currency(self, country: str) -> tuple[str, str]:
        """Guess the currency, and say from what: that of most lines, of the signs beside amounts, or of the country."""
        written = self._most_common("currency").upper()
        if re.fullmatch(r"[A-Z]{3}", written):
            return written, "that of most lines; amounts in another go to quarantine"
        for field in ("amount", "total", "price"):
            example = self._most_common(field).lower()
            sign = next((sign for sign in SIGNS if sign in example), None)
            if sign:
                return SIGNS[sign], f"guessed from amounts such as {example}"
        if country in CURRENCIES:
            return CURRENCIES[country], "guessed from the country"
        return "???", "three letters of your currency, such as EUR"

    def _list_columns(self) -> list[str]:
        found = dict(self._found)
        lines = []
        if "customer" not in found and "email" not in found:
            lines.append("customer: ???   # which column says who bought?")
        if "date" not in found:
            lines.append("date: ???   # which column says when?")
        if not {"amount", "total"} & found.keys() and not {"quantity", "price"} <= found.keys():
            lines.append("amount: ???   # which column says for how much? An expression will do")
        for field, column in found.items():
            names = [_quoted(name) for name in (column, *self._others.get(field, []))]
            remark = f"   # {self._remarks[field]}" if field in self._remarks else ""
            lines.append(f"{field}: {'[' + ', '.join(names) + ']' if len(names) > 1 else names[0]}{remark}")
        used = {*self._found.values(), *(name for names in self._others.values() for name in names)}
        unused = [name for name in self._columns if name not in used]
        if "date" in found and (clock := self._find_clock(unused)):
            both = f"{name_of(found['date'])} || ' ' || {name_of(clock)}"
            lines.append(f"# {clock} holds the time of day: to have both, say date: {_quoted(both)}")
        return [*lines, f"# not used: {', '.join(unused)}"] if unused else lines

    def _find_clock(self, columns: list[str]) -> str:
        """Find a column whose cells are all times of day."""
        for column in columns:
            cell = name_of(column)
            is_clock = f"regexp_full_match(trim({cell}), '[0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}})?')"
            filled, clocks = self._rows(
                f"""SELECT count(*), count(*) FILTER ({is_clock}) FROM (
                    SELECT {cell} FROM lines WHERE {cell} IS NOT NULL LIMIT {SAMPLE})"""
            )[0]
            if filled and filled == clocks:
                return column
        return ""

    def _list_forms(self, currency: str) -> list[str]:
        lines = []
        numbers = {name: name_of(self._found[name]) for name in (*AMOUNTS, *COUNTS) if name in self._found}
        try:
            decimal = values.decimal_of(self._connection, "lines", numbers, currency) if numbers else ""
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

    def _list_guests(self) -> list[str]:
        """List customer numbers that stand for nobody: they buy far more than anybody does."""
        if "customer" not in self._found:
            return []
        cell = values.nothing(name_of(self._found["customer"]))
        words = ", ".join(map(literal, NOBODY))
        guests = self._rows(
            f"""SELECT {cell}, count(*) FROM lines WHERE lower({cell}) IN ({words}) GROUP BY 1
            HAVING count(*) > 1 ORDER BY 2 DESC"""
        )
        listed = ", ".join(_quoted(guest) for guest, _ in guests)
        return [f"guest: [{listed}]   # guessed: {sum(n for _, n in guests):,} lines of nobody"] if guests else []

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
