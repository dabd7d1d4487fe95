"""Superset's configuration; it is read through SUPERSET_CONFIG_PATH."""

from __future__ import annotations

import hashlib
import os
import sys
from datetime import timedelta
from pathlib import Path

# Superset loads this file by its path; its neighbours are found from it.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import basemap
import bounds
import corrections
import guards
import languages
import metadata
import palette
import sessions
import settings
import state
import warehouse
from flask import Flask

HOME = settings.home()

SECRET_KEY = state.secret("secret_key", 48)
SQLALCHEMY_DATABASE_URI = settings.metadata_uri()
SQLALCHEMY_ENGINE_OPTIONS = metadata.engine_options(SQLALCHEMY_DATABASE_URI)
EVENT_LOGGER = metadata.RequestLogger()
DB_CONNECTION_MUTATOR = warehouse.mutate_connection
PREVENT_UNSAFE_DB_CONNECTIONS = True

APP_NAME = "Retention Warehouse"
BLUEPRINTS = [basemap.blueprint]
FAVICONS = [{"href": "/brand/icon.svg"}]
BABEL_DEFAULT_LOCALE = languages.WRITTEN
LANGUAGES = {code: {"flag": flag, "name": name} for code, (name, flag) in languages.NAMES.items()}
COMMON_BOOTSTRAP_OVERRIDES_FUNC = languages.for_browser
FEATURE_FLAGS = {
    "DASHBOARD_RBAC": True,
    "ALERT_REPORTS": False,
    "EMBEDDABLE_CHARTS": False,
    "ENABLE_TEMPLATE_PROCESSING": False,
}

# --- who may come in
# Visitors without an account see nothing, unless SUPERSET_PUBLIC=1 opens the stakeholders' dashboards to them.
if settings.is_public():
    AUTH_ROLE_PUBLIC = "Public"
AUTH_USER_REGISTRATION = False
CUSTOM_SECURITY_MANAGER = sessions.SecurityManager
# Superset ships the same secrets for everyone. Neither feature is on; a switch must not be all that guards them.
GUEST_TOKEN_JWT_SECRET = hashlib.sha256(f"guest token {SECRET_KEY}".encode()).hexdigest()
GLOBAL_ASYNC_QUERIES_JWT_SECRET = hashlib.sha256(f"async queries {SECRET_KEY}".encode()).hexdigest()
# No page of another host has business here.
ENABLE_CORS = False
MAX_CONTENT_LENGTH = 10_000_000
FAB_PASSWORD_COMPLEXITY_ENABLED = True
RATELIMIT_ENABLED = True
# Attempts to log in, per address and worker. A limit of all requests is left to a proxy: one dashboard asks for a
# hundred files, behind a proxy all visitors share one address, and counting in memory starts a thread per request.
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = os.environ.get("SUPERSET_LOGIN_LIMIT") or "10 per minute"
RATELIMIT_APPLICATION = None


def FLASK_APP_MUTATOR(app: Flask) -> None:  # noqa: N802  (Superset's name for it)
    """Put right before the first request: who may guess passwords, what may be asked, two first statements at once."""
    _limit_attempts(app)
    guards.install(app)
    corrections.install(app)
    # Celery binds its tasks at their first use; of two first statements at the same moment one finds them half bound.
    import superset.sql_lab  # noqa: F401
    from superset.extensions import celery_app

    celery_app.finalize()


def _limit_attempts(app: Flask) -> None:
    """Limit attempts where passwords really arrive.

    Superset 6.1 puts AUTH_RATE_LIMIT on the page that draws the form, which takes no POST. The form and the API send to
    Flask-AppBuilder's own views, which have no limit then: any number of guesses is answered.
    """
    from superset.extensions import appbuilder

    limiter = appbuilder.sm.limiter
    for endpoint in ("AuthDBView.login", "SecurityApi.login"):
        if endpoint in app.view_functions:
            attempt = limiter.limit(AUTH_RATE_LIMIT, methods=["POST"])
            app.view_functions[endpoint] = attempt(app.view_functions[endpoint])


WTF_CSRF_ENABLED = True
SESSION_COOKIE_NAME = "retention_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
PERMANENT_SESSION_LIFETIME = timedelta(hours=12)
# Behind a reverse proxy that ends TLS: SUPERSET_HTTPS=1 marks the cookie secure and trusts the proxy's headers.
HTTPS = settings.behind_https()
SESSION_COOKIE_SECURE = HTTPS
ENABLE_PROXY_FIX = HTTPS

# --- what the browser may load: this host only. Superset's pages carry a telemetry pixel; the policy stops it.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "connect-src": ["'self'"],
        "font-src": ["'self'", "data:"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "object-src": "'none'",
        "script-src": ["'self'", "'strict-dynamic'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "worker-src": ["'self'", "blob:"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": HTTPS,
    "session_cookie_samesite": "Lax",
    "referrer_policy": "same-origin",
}

# --- caches: results are kept under the build they come from, so a publish is seen at once
_DAY = 24 * 3600
REDIS_URL = settings.redis_url()


def _cache(name: str, seconds: int, of_results: bool = False) -> dict[str, str | int]:
    """Return Flask-Caching's settings for one cache: in Redis when there is one, else in files."""
    if REDIS_URL:
        place = {
            "CACHE_TYPE": "warehouse.RedisBuildCache" if of_results else "RedisCache",
            "CACHE_REDIS_URL": REDIS_URL,
            "CACHE_KEY_PREFIX": f"retention_{name}_",
        }
    else:
        place = {
            "CACHE_TYPE": "warehouse.BuildCache" if of_results else "FileSystemCache",
            "CACHE_DIR": str(HOME / "cache" / name),
        }
    return {**place, "CACHE_DEFAULT_TIMEOUT": seconds}


CACHE_CONFIG = _cache("meta", 3600)
DATA_CACHE_CONFIG = _cache("data", _DAY, of_results=True)
FILTER_STATE_CACHE_CONFIG = _cache("filters", 90 * _DAY)
EXPLORE_FORM_DATA_CACHE_CONFIG = _cache("explore", 7 * _DAY)

# --- queries
SQLLAB_TIMEOUT = int(bounds.QUERY_SECONDS)
SUPERSET_WEBSERVER_TIMEOUT = int(bounds.QUERY_SECONDS) + 10
ROW_LIMIT = 50_000
SQL_MAX_ROW = 100_000

# --- how it looks
DECKGL_BASE_MAP = [[basemap.STYLE, "Built-in map"]]
EXTRA_CATEGORICAL_COLOR_SCHEMES = palette.categorical_schemes()
EXTRA_SEQUENTIAL_COLOR_SCHEMES = palette.sequential_schemes()
THEME_DEFAULT = palette.theme()
THEME_DARK = None
ENABLE_UI_THEME_ADMINISTRATION = False

# Superset's own defaults for logging are kept; the server's log file is rotated by serve.py. A warning is a page of
# traceback for each address that does not exist: anybody could fill the disk by asking for some.
LOG_LEVEL = os.environ.get("SUPERSET_LOG_LEVEL") or "ERROR"
RATELIMIT_STORAGE_URI = REDIS_URL or "memory://"  # in memory each worker counts for itself
