"""Logging out, and a new password, end what was begun before: cookies in any browser, refresh and access tokens.

Superset's cookie and its tokens hold a person's number and a signature, and nothing on the server knows of them: a copy
goes on working after its owner has logged out, and a refresh token for a month after the password was changed. Here
each carries a stamp besides, made of the person's password hash and of when they last logged out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Any
from uuid import UUID

from flask import current_app, session
from flask_login import user_logged_in
from superset.extensions.metastore_cache import SupersetMetastoreCache
from superset.key_value.types import JsonKeyValueCodec
from superset.security import SupersetSecurityManager

STAMP = "stamp"
NAMESPACE = UUID("5f0d2c1e-7a34-4b5e-9c55-0c4d3a5f8e21")


@lru_cache(maxsize=1)
def _logouts() -> SupersetMetastoreCache:
    """Return where a random word is kept for each person who has ever logged out; entries do not expire."""
    return SupersetMetastoreCache(NAMESPACE, JsonKeyValueCodec(), default_timeout=0)


def stamp(user: Any) -> str:
    """Return what a person's cookies and tokens must carry to be good now."""
    text = f"{user.id}|{user.password}|{_logouts().get(str(user.id)) or ''}"
    return hmac.new(current_app.secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _put_stamp(_sender: Any, user: Any, **_: Any) -> None:
    session[STAMP] = stamp(user)


class SecurityManager(SupersetSecurityManager):  # type: ignore[misc]  # Superset is untyped
    """Superset's own, which also looks at the stamp."""

    def create_login_manager(self, app: Any) -> Any:
        """Let cookies in only with the stamp that is good now."""
        manager = super().create_login_manager(app)
        manager.user_loader(self._load_user_of_cookie)
        user_logged_in.connect(_put_stamp)
        return manager

    def create_jwt_manager(self, app: Any) -> Any:
        """Put the stamp into tokens."""
        manager = super().create_jwt_manager(app)
        manager.additional_claims_loader(self._claims)
        return manager

    def _claims(self, identity: str) -> dict[str, str]:
        return {STAMP: stamp(self.get_user_by_id(int(identity)))}

    def _load_user_of_cookie(self, number: str) -> Any:
        user = self.load_user(number)
        return user if user and _is_good(user, session.get(STAMP)) else None

    def load_user_jwt(self, header: Any, data: Any) -> Any:
        """Return the person of a token, if it carries the stamp that is good now."""
        user = self.load_user(data["sub"])
        return super().load_user_jwt(header, data) if user and _is_good(user, data.get(STAMP)) else None

    def on_user_logout(self, user: Any) -> None:
        """End every session and token of the person."""
        super().on_user_logout(user)
        _logouts().set(str(user.id), secrets.token_urlsafe(9))


def _is_good(user: Any, given: Any) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given, stamp(user))
