"""Write the list of the treated of a launch; whoever is in it is written down first, without any address."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pyarrow as pa

from activation.audiences import Declared
from activation.contacts import Contacts, read_contacts
from activation.formats import FORMATS, Reached, clean_email, clean_phone, write_list
from pipeline.base import campaigns, paths
from pipeline.base.campaigns import TREATED
from pipeline.base.console import say
from pipeline.base.errors import InputError
from pipeline.base.files import part_of
from pipeline.base.locking import exclusive
from pipeline.base.settings import project_vars


def export(declared: Declared, name: str, format_name: str, folder: Path | None = None) -> Path:
    """Write the list of a launch's treated who agree to its channel today.

    Nobody is drawn again: the arms are those of the launch. The record of the export comes first, so that a run which
    is killed leaves at most somebody who counts as written to and was not, never the other way round.

    Parameters
    ----------
    declared
        The file of audiences; only the country of phones is taken from it.
    name
        An audience, for its latest launch, or a launch.
    format_name
        A key of ``FORMATS``.
    folder
        Where the list goes; beside the campaigns by default.

    Raises
    ------
    InputError
        There is no such launch, nobody's consent is known, the channel's consent does not cover the format, or too few
        people would be in the list.
    """
    wanted = FORMATS[format_name]
    with exclusive(_campaigns_dir()):
        rows = campaigns.read(_launch_file(name))
        launch_id, channel = str(rows["launch_id"][0]), str(rows["channel"][0])
        if channel not in wanted.channels:
            raise InputError(
                f"{launch_id} is for the channel {channel}: people who agreed to that have not agreed to a list for "
                f"{format_name}. Declare an audience with the channel {' or '.join(sorted(wanted.channels))}."
            )
        contacts = read_contacts(merges_spellings=bool(project_vars()["merge_person_spellings"]))
        if contacts is None:
            raise InputError(
                f"{paths.raw_dir().name} has no contacts.csv: nobody's consent is known, and no list is written."
            )
        for note in contacts.notes:
            say(f"  {note}")
        treated = [
            person
            for person, arm in zip(rows["customer_id"].to_pylist(), rows["arm"].to_pylist(), strict=True)
            if arm == TREATED
        ]
        text, written = write_list(format_name, _reached(treated, channel, contacts, declared.settings.phone_country))
        if len(written) < max(wanted.fewest, 1):
            raise InputError(
                f"{launch_id}: {len(written)} people can be in a list for {format_name}, which takes {wanted.fewest} "
                "at least. No list is written."
            )
        at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        record = f"{launch_id}-{format_name}-{at:%Y%m%dT%H%M%S%f}"
        columns = {
            "launch_id": [launch_id] * len(written),
            "exported_at": [at] * len(written),
            "format": [format_name] * len(written),
            "customer_id": written,
        }
        campaigns.write("exports", record, pa.table(columns, schema=campaigns.EXPORT))
        place = folder or paths.lists_dir()
        paths.make_private(place)
        file = place / f"{record}.csv"
        _write_for_owner(file, text)
    say(f"  {len(written):,} of {len(treated):,} treated people are in the list")
    return file


def _reached(treated: list[str], channel: str, contacts: Contacts, country: str) -> list[Reached]:
    """Find the addresses of those who agree today, and say how many have none that can be used."""
    found: list[Reached] = []
    refused = unusable_emails = unusable_phones = 0
    for person in treated:
        contact = contacts.of(person)
        if contact is None or channel not in contact.channels:
            refused += 1
            continue
        email = clean_email(contact.email) if channel in ("email", "ads") else ""
        phone = clean_phone(contact.phone, country) if channel in ("sms", "ads") else ""
        unusable_emails += bool(contact.email) and channel in ("email", "ads") and not email
        unusable_phones += bool(contact.phone) and channel in ("sms", "ads") and not phone
        if email or phone:
            found.append(Reached(person, email, phone))
    for count, what in (
        (refused, f"people do not agree to {channel}, or are not in contacts.csv"),
        (unusable_emails, "e-mail addresses are none that can be used"),
        (unusable_phones, "phone numbers are none that can be used"),
    ):
        if count:
            say(f"  {count:,} {what}: left out")
    return found


def _launch_file(name: str) -> Path:
    """Find the launch of that name, or the latest of the audience of that name."""
    listed = campaigns.files("launches")
    exact = [file for file in listed if file.stem == name]
    of_audience = [file for file in listed if file.stem.rpartition("-")[0] == name]
    if not exact and not of_audience:
        known = ", ".join(file.stem for file in listed) or "none yet"
        raise InputError(
            f"There is no launch of {name} (launches: {known}). `python -m activation launch {name}` makes one."
        )
    return (exact or of_audience)[-1]


def _campaigns_dir() -> Path:
    paths.make_private(paths.campaigns_dir())
    return paths.campaigns_dir()


def _write_for_owner(file: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = part_of(file)
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
