"""The lists that channels take, each as its own document asks for it.

- ``csv``: RFC 4180, UTF-8, one row a person. Cells that a spreadsheet would compute begin with an apostrophe, except
  phone numbers: their plus sign is part of them.
- ``email``: the addresses alone, under ``email``.
- ``yandex``: *File requirements, CRM data* of Yandex Audience (https://yandex.com/support/audience/en/file): ``phone``
  as digits with the country code, ``email`` in small letters, each value hashed with MD5, 100 rows at least.
- ``meta``: *How to format a customer list* (https://www.facebook.com/business/help/2082575038703844): ``email`` and
  ``phone`` with the country code, 100 people at least; hashed with SHA-256 from trimmed small letters and bare digits
  (https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences).
- ``google``: *Format your customer data file* (https://support.google.com/google-ads/answer/7659867): ``Email`` and
  ``Phone``, hashed with SHA-256 from trimmed small letters and E.164 with its plus sign.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from activation.contacts import ADDRESS
from pipeline.base.errors import PipelineError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True)
class Reached:
    """A person and the addresses that can be used; empty where there is none."""

    customer_id: str
    email: str
    phone: str


@dataclass(frozen=True)
class Format:
    """A list that some channel takes.

    Attributes
    ----------
    channels
        Channels whose consent covers it.
    header
        Its columns.
    row
        The cells of a person; None where the format has no use for them.
    fewest
        Under so many rows the platform takes no list.
    """

    channels: frozenset[str]
    header: tuple[str, ...]
    row: Callable[[Reached], tuple[str, ...] | None]
    fewest: int = 1


def clean_email(written: str) -> str:
    """Return an address as mail and platforms take it; empty where it is none."""
    address = written.strip().lower()
    return address if ADDRESS.fullmatch(address) else ""


def clean_phone(written: str, country: str) -> str:
    """Return a phone number as E.164; empty where it cannot be one.

    Parameters
    ----------
    written : str
        With or without spaces, brackets and country code.
    country : str
        Whose number it is where it names none, as ISO 3166 has it.

    Raises
    ------
    PipelineError
        The library that knows the countries' numbers is not installed.
    """
    if not written.strip() or any(letter.isalpha() for letter in written):
        return ""
    try:
        import phonenumbers
    except ImportError as error:
        raise PipelineError(
            "Phone numbers need the package phonenumbers, which this environment lacks: `make warehouse` installs it."
        ) from error
    try:
        number = phonenumbers.parse(written, country)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def harmless(cell: str) -> str:
    """Make a cell plain text to a spreadsheet; phone numbers in E.164 stay as they are."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _E164.fullmatch(cell) else cell


def write_list(format_name: str, people: Iterable[Reached]) -> tuple[str, list[str]]:
    """Write people as a list of a format.

    Returns
    -------
    text : str
        RFC 4180.
    written : list of str
        Ids of the people who are in it.
    """
    chosen = FORMATS[format_name]
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(chosen.header)
    written = []
    for person in people:
        row = chosen.row(person)
        if row is not None:
            writer.writerow(row)
            written.append(person.customer_id)
    return sink.getvalue(), written


def _hashed(value: str, algorithm: str) -> str:
    return hashlib.new(algorithm, value.encode(), usedforsecurity=False).hexdigest() if value else ""


def _plain(person: Reached) -> tuple[str, ...] | None:
    if not person.email and not person.phone:
        return None
    return harmless(person.customer_id), person.email, harmless(person.phone)


def _mail(person: Reached) -> tuple[str, ...] | None:
    return (person.email,) if person.email else None


def _yandex(person: Reached) -> tuple[str, ...] | None:
    cells = _hashed(person.phone.lstrip("+"), "md5"), _hashed(person.email, "md5")
    return cells if any(cells) else None


def _meta(person: Reached) -> tuple[str, ...] | None:
    cells = _hashed(person.email, "sha256"), _hashed(person.phone.lstrip("+"), "sha256")
    return cells if any(cells) else None


def _google(person: Reached) -> tuple[str, ...] | None:
    cells = _hashed(person.email, "sha256"), _hashed(person.phone, "sha256")
    return cells if any(cells) else None


_ADS = frozenset({"ads"})
FORMATS: dict[str, Format] = {
    "csv": Format(frozenset({"email", "sms", "ads"}), ("customer_id", "email", "phone"), _plain),
    "email": Format(frozenset({"email"}), ("email",), _mail),
    "yandex": Format(_ADS, ("phone", "email"), _yandex, fewest=100),
    "meta": Format(_ADS, ("email", "phone"), _meta, fewest=100),
    "google": Format(_ADS, ("Email", "Phone"), _google, fewest=100),
}
