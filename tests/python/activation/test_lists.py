"""Lists as the platforms' documents ask for them, and contacts as shops have them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from pathlib import Path

import pytest

from activation.contacts import read_contacts
from activation.formats import FORMATS, Reached, clean_email, clean_phone, harmless, write_list
from pipeline.base.errors import InputError

HEADER = "customer_unique_id,email,phone,consent_email,consent_sms,consent_ads,updated_at\n"


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAW_DIR", str(tmp_path))
    return tmp_path


def test_hashes_are_those_of_the_documents() -> None:
    # the pairs that Yandex publishes for trying one's own hashing
    text, _ = write_list("yandex", [Reached("a", "mail@yandex.ru", "+79995551111")])
    assert text == "phone,email\r\nf09f2c3d48f31e2a802944ade2e5aec5,3c56ff8fef0f6c65b36b2d25720fe276\r\n"
    meta, _ = write_list("meta", [Reached("a", "mail@yandex.ru", "+79995551111")])
    google, _ = write_list("google", [Reached("a", "mail@yandex.ru", "+79995551111")])
    assert meta.startswith("email,phone\r\n")
    assert google.startswith("Email,Phone\r\n")
    cells, google_cells = (text.splitlines()[1].split(",") for text in (meta, google))
    email, bare, with_plus = (
        hashlib.sha256(value).hexdigest() for value in (b"mail@yandex.ru", b"79995551111", b"+79995551111")
    )
    assert (cells, google_cells) == ([email, bare], [email, with_plus])


def test_cells_that_a_spreadsheet_would_compute_are_text_and_phones_stay_phones() -> None:
    text, _ = write_list("csv", [Reached('=cmd|"x",1', "a@example.com", "+5520912345678")])
    assert list(csv.reader(io.StringIO(text)))[1] == ['\'=cmd|"x",1', "a@example.com", "+5520912345678"]
    assert [harmless(cell) for cell in ("+1-2", "-x", "@x", "\tx", "plain")] == ["'+1-2", "'-x", "'@x", "'\tx", "plain"]
    # in a list for sending an apostrophe would break the address: such a one is no address
    assert clean_email("=a@example.com") == ""


def test_everyone_without_an_address_is_left_out() -> None:
    for name in FORMATS:
        _, written = write_list(name, [Reached("none", "", ""), Reached("one", "a@example.com", "")])
        assert written == ["one"]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (" Ann.Lee@Example.COM ", "ann.lee@example.com"),
        ("two@example.com,three@example.com", ""),
        ("no-domain@", ""),
        ("line\nbreak@example.com", ""),
    ],
)
def test_addresses_are_made_uniform_or_refused(written: str, address: str) -> None:
    assert clean_email(written) == address


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("(20) 91234-5678", "+5520912345678"),
        ("+55 20 91234 5678", "+5520912345678"),
        ("020 91234-5678", "+5520912345678"),
        ("+7 999 555-11-11", "+79995551111"),
        ("ask him", ""),
        ("12", ""),
        ("", ""),
    ],
)
def test_phones_become_international_or_are_refused(written: str, number: str) -> None:
    pytest.importorskip("phonenumbers")
    assert clean_phone(written, "BR") == number


def test_of_two_rows_of_a_person_the_later_counts_and_of_equals_what_both_allow(raw: Path) -> None:
    (raw / "contacts.csv").write_text(
        HEADER
        + "A,old@example.com,,yes,yes,yes,2024-01-01\na,new@example.com,,no,yes,yes,2024-02-01\n"
        + "b,b@example.com,,yes,no,yes,2024-01-01\nB,b@example.com,,no,no,yes,2024-01-01\n"
    )
    contacts = read_contacts(merges_spellings=True)
    assert contacts is not None
    assert contacts.of("A") == contacts.of("a")
    assert (contacts.people["a"].email, sorted(contacts.people["a"].channels)) == ("new@example.com", ["ads", "sms"])
    assert contacts.people["b"].channels == {"ads"}
    assert "2 rows are of people who have one already" in contacts.notes[0]
    kept_apart = read_contacts(merges_spellings=False)
    assert kept_apart is not None
    assert set(kept_apart.people) == {"A", "a", "b", "B"}


def test_what_is_no_consent_is_none_and_messages_show_no_address(raw: Path) -> None:
    (raw / "contacts.csv").write_text(
        HEADER + "a,a@example.com,,maybe,,sim,\n,b@example.com,,yes,,,\nc,c@example.com\n"
    )
    contacts = read_contacts(merges_spellings=True)
    assert contacts is not None
    assert contacts.people["a"].channels == {"ads"}
    told = " ".join(contacts.notes)
    assert "row 2" in told
    assert "row 3, 4" in told
    assert "@" not in told
    assert contacts.agreed("email") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"customer_unique_id,email,phone\n",
            "no column consent_email, consent_sms, consent_ads. Without",
        ),
        (b"customer_unique_id,email,email,phone,consent_email,consent_sms,consent_ads\n", "email twice"),
        (HEADER.encode() + b'a,"never closed,,yes,,,\n', "line 2"),
        (HEADER.encode() + b"a,\xff\xfe,,yes,,,\n", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_fault(raw: Path, content: bytes, message: str) -> None:
    (raw / "contacts.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"contacts\.csv") as raised:
        read_contacts(merges_spellings=True)
    assert message in str(raised.value)


def test_contacts_may_be_compressed_but_not_twice_there(raw: Path) -> None:
    assert read_contacts(merges_spellings=True) is None
    (raw / "contacts.csv.gz").write_bytes(gzip.compress((HEADER + "a,a@example.com,,yes,,,\n").encode()))
    contacts = read_contacts(merges_spellings=True)
    assert contacts is not None
    assert contacts.agreed("email") == ["a"]
    (raw / "contacts.csv").write_text(HEADER)
    with pytest.raises(InputError, match="keep one of them"):
        read_contacts(merges_spellings=True)
