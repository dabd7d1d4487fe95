"""The keys of the API: one file each, readable by its owner alone, and what each may do."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

ROLES = ("stakeholder", "analyst")


@dataclass(frozen=True)
class Keys:
    """Digests of the known keys.

    Parameters
    ----------
    digests : tuple of (str, bytes)
        Role and SHA-256 of its key.
    """

    digests: tuple[tuple[str, bytes], ...]

    def role_of(self, key: str) -> str | None:
        """Return the role of a key, None when nobody has it; every known key is compared in any case."""
        given = hashlib.sha256(key.encode(errors="replace")).digest()
        found = None
        for role, digest in self.digests:
            if hmac.compare_digest(given, digest):
                found = role
        return found


def read_or_make(folder: Path) -> tuple[Keys, dict[str, str]]:
    """Read the keys of a folder; make those that are not there.

    Parameters
    ----------
    folder : Path
        Holds ``<role>.key``; created with mode 700.

    Returns
    -------
    Keys, dict of role to key
        The second holds those that were made just now, to be shown once.

    Raises
    ------
    PermissionError
        Others than the owner may read a key.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    digests, made = [], {}
    for role in ROLES:
        file = folder / f"{role}.key"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if file.stat().st_mode & 0o077:
                raise PermissionError(f"Others may read {file}: remove it, and start again for a new key.") from None
            key = file.read_text().strip()
        else:
            key = made[role] = secrets.token_urlsafe(32)
            with os.fdopen(descriptor, "w") as handle:
                handle.write(f"{key}\n")
        digests.append((role, hashlib.sha256(key.encode()).digest()))
    return Keys(tuple(digests)), made
