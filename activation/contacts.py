"""Addresses of people: read from the raw folder when a list is made, and kept in no table, log or message.

``contacts.csv`` lies beside the raw tables and is read by nothing else. Messages about it name lines, never what
stands in them.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base import paths
from pipeline.base.errors import InputError

PERSON, EMAIL, PHONE, UPDATED = "customer_unique_id", "email", "phone", "updated_at"
# Column of the consent to each channel.
CONSENTS = {"email": "consent_email", "sms": "consent_sms", "ads": "consent_ads"}
ENDINGS = (".csv", ".csv.gz")
YES = frozenset({"1", "true", "t", "yes", "y", "sim", "s", "да"})
NO = frozenset({"0", "false", "f", "no", "n", "nao", "não", "нет", ""})
ADDRESS = re.compile(r"[^\s@,;\"'<>()=+\-][^\s@,;\"'<>()]*@[^\s@,;\"'<>()]+\.[^\s@,;\"'<>().]+")
_MOST_LINES_NAMED = 5


@dataclass(frozen=True)
class Contact:
    """What is known of how to reach one person; empty where nothing is.

    Attributes
    ----------
    email, phone
        As written in the file.
    channels
        Channels agreed to.
    updated_at
        As written; the later of two rows counts.
    """

    email: str
    phone: str
    channels: frozenset[str]
    updated_at: str


@dataclass
class Contacts:
    """The file as read.

    Attributes
    ----------
    people
        Contact by the person's id, in small letters where spellings are merged.
    merges_spellings
        Whether ids that differ in capitals alone are one person.
    notes
        What a person should know of the file: lines, never what stands in them.
    """

    people: dict[str, Contact]
    merges_spellings: bool
    notes: list[str] = field(default_factory=list)

    def of(self, person: str) -> Contact | None:
        """Return a person's contact, or None."""
        return self.people.get(person.lower() if self.merges_spellings else person)

    def agreed(self, channel: str) -> list[str]:
        """List the people who agreed to a channel and have what it needs, by the id of this book."""
        return [person for person, contact in self.people.items() if _is_reachable(contact, channel)]


def find_contacts() -> Path | None:
    """Find the file of contacts in the raw folder; None where there is none."""
    found = [file for ending in ENDINGS if (file := paths.raw_dir() / f"contacts{ending}").is_file()]
    if len(found) > 1:
        raise InputError(f"{paths.raw_dir()} holds {found[0].name} and {found[1].name}: keep one of them.")
    return found[0] if found else None


def read_contacts(*, merges_spellings: bool) -> Contacts | None:
    """Read the file of contacts.

    Parameters
    ----------
    merges_spellings : bool
        The setting ``merge_person_spellings``.

    Returns
    -------
    Contacts or None
        None where the shop has no such file.

    Raises
    ------
    InputError
        A column is missing, or the file cannot be read; names file and line.
    """
    file = find_contacts()
    if file is None:
        return None
    packed = file.read_bytes()
    try:
        text = (gzip.decompress(packed) if file.name.endswith(".gz") else packed).decode("utf-8-sig")
    except (OSError, EOFError) as error:
        raise InputError(f"{file.name} is cut off or no gzip file.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name} is not UTF-8 at byte {error.start:,}.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        places = _places(file.name, header)
        contacts = Contacts({}, merges_spellings)
        _read_rows(reader, len(header), places, contacts, file.name)
    except csv.Error as error:
        raise InputError(f"{file.name}, line {reader.line_num}: {error}.") from error
    return contacts


def _places(file: str, header: list[str]) -> dict[str, int]:
    needed = [PERSON, EMAIL, PHONE, *CONSENTS.values()]
    if missing := [name for name in needed if name not in header]:
        hint = " Without a word of consent nobody is written to." if set(missing) & set(CONSENTS.values()) else ""
        raise InputError(
            f"{file} has no column {', '.join(missing)}.{hint} It needs {', '.join(needed)}, and may have {UPDATED}."
        )
    if repeated := {name for name in header if header.count(name) > 1}:
        raise InputError(f"{file} has the column {', '.join(sorted(repeated))} twice.")
    return {name: header.index(name) for name in [*needed, UPDATED] if name in header}


def _read_rows(reader: object, width: int, places: dict[str, int], contacts: Contacts, file: str) -> None:
    uneven: list[int] = []
    unclear: list[int] = []
    repeated = 0
    consents = [(channel, places[column]) for channel, column in CONSENTS.items()]
    person_at, email_at, phone_at, updated_at = places[PERSON], places[EMAIL], places[PHONE], places.get(UPDATED)
    for number, row in enumerate(reader, start=2):  # type: ignore[arg-type,var-annotated]
        if not row:
            continue
        if len(row) != width or not row[person_at].strip():
            uneven.append(number)
            continue
        agreed = set()
        for channel, place in consents:
            word = row[place].strip().lower()
            if word in YES:
                agreed.add(channel)
            elif word not in NO:
                unclear.append(number)
        contact = Contact(
            row[email_at].strip(),
            row[phone_at].strip(),
            frozenset(agreed),
            row[updated_at].strip() if updated_at is not None else "",
        )
        person = row[person_at].strip()
        person = person.lower() if contacts.merges_spellings else person
        before = contacts.people.get(person)
        if before is not None:
            repeated += 1
            contact = _settled(before, contact)
        contacts.people[person] = contact
    if uneven:
        contacts.notes.append(
            f"{file}: {len(uneven):,} rows without a person or of another width left out ({_lines(uneven)})"
        )
    if unclear:
        contacts.notes.append(
            f"{file}: {len(unclear):,} words of consent are neither yes nor no and count as no ({_lines(unclear)})"
        )
    if repeated:
        contacts.notes.append(
            f"{file}: {repeated:,} rows are of people who have one already; the later {UPDATED} counts, "
            "and of equals what both agree to"
        )


def _settled(before: Contact, after: Contact) -> Contact:
    """Choose between two rows of one person: the later; of equals only what both agree to."""
    if before.updated_at != after.updated_at:
        return max(before, after, key=lambda contact: contact.updated_at)
    return Contact(after.email, after.phone, before.channels & after.channels, after.updated_at)


def _is_reachable(contact: Contact, channel: str) -> bool:
    if channel not in contact.channels:
        return False
    return bool({"email": contact.email, "sms": contact.phone, "ads": contact.email or contact.phone}[channel])


def _lines(numbers: list[int]) -> str:
    named = ", ".join(str(number) for number in numbers[:_MOST_LINES_NAMED])
    return f"row {named}" + (" ..." if len(numbers) > _MOST_LINES_NAMED else "")
