"""Small things that Superset itself leaves open, put right before the first request."""

from __future__ import annotations

import importlib
import re
from typing import Any
from urllib.parse import urlsplit

import languages
import row_limits
from flask import Flask, Response, redirect, request, session

FIRST_PAGE = "shop-overview"
# What a narrow screen shows, before anything asks for it; and what a drawing shows, for readers aloud.
SCRIPTS = """<head><script src="/brand/phone.js" nonce="{0}"></script>
<script src="/brand/readers.js" defer nonce="{0}"></script>"""
SCREEN = '<meta name="viewport" content="width=device-width, initial-scale=1">'


def install(app: Flask) -> None:
    """Put all of them right in this process."""
    row_limits.install()
    _hide_addresses()
    _choose_languages(app)
    app.before_request(_refuse_large_bodies)
    app.before_request(_open_the_first_page)
    app.after_request(_name_the_language_and_the_screen)


def _hide_addresses() -> None:
    """Leave e-mail addresses out where owners are named: everyone with an account may ask for those."""
    from superset.connectors.sqla.models import SqlaTable
    from superset.views.base_api import BaseSupersetModelRestApi

    BaseSupersetModelRestApi.extra_fields_rel_fields = {"owners": ["active"]}
    for name in ("dashboards", "charts"):
        api = importlib.import_module(f"superset.{name}.api")
        view = getattr(api, f"{name[:-1].title()}RestApi")
        lists = [value for key, value in vars(api).items() if key.endswith("_LIST_COLUMNS")]
        for columns in (*lists, view.list_columns, view.list_select_columns):
            columns[:] = [column for column in columns if column != "owners.email"]
    for name in ("charts", "datasets"):
        importlib.import_module(f"superset.{name}.schemas").UserSchema._declared_fields.pop("email", None)
    everything = SqlaTable.owners_data.fget
    SqlaTable.owners_data = property(
        lambda table: [{key: value for key, value in one.items() if key != "email"} for one in everything(table)]
    )


def _choose_languages(app: Flask) -> None:
    """Lead from a dashboard to the same one in the language that is chosen.

    Answers 404 for a language that there is not: Superset fails, and logs it, for every visitor who asks.
    """
    endpoint = "SupersetIndexView.patch_flask_locale"
    view = app.view_functions[endpoint]

    def choose(locale: str) -> Any:
        if locale not in app.config["LANGUAGES"]:
            return Response(status=404)
        answer = view(locale=locale)
        here = languages.of_address(urlsplit(request.referrer or "").path)
        return redirect(languages.address(here[0], locale)) if here else answer

    app.view_functions[endpoint] = choose


def _open_the_first_page() -> Any:
    """Open the overview where Superset would open a list of what was looked at last, in the language spoken last.

    A dashboard decides the language of all that stands around it.
    """
    if request.method != "GET":
        return None
    if here := languages.of_address(request.path):
        if session.get("locale", languages.WRITTEN) != here[1]:
            session["locale"] = here[1]
        return None
    if request.path == "/":
        return redirect(languages.address(FIRST_PAGE, session.get("locale", languages.WRITTEN)))
    return None


def _name_the_language_and_the_screen(response: Response) -> Response:
    """Say in which language a page is and what its drawings show, for readers aloud; and that it fits a phone."""
    if response.mimetype == "text/html" and not response.direct_passthrough:
        language = session.get("locale", languages.WRITTEN)
        text = response.get_data(as_text=True).replace("<html>", f'<html lang="{language}">', 1)
        # The page's own word for scripts that may run on it.
        if nonce := re.search(r'<script[^>]* nonce="([^"]+)"', text):
            text = text.replace("<head>", SCRIPTS.format(nonce.group(1)), 1)
        # before the scripts, which ask how wide the screen is
        if 'name="viewport"' not in text:
            text = text.replace("<head>", f"<head>{SCREEN}", 1)
        response.set_data(text)
    return response


def _refuse_large_bodies() -> Response | None:
    """Answer 413 before anybody reads the body: views that catch every fault would call it one of their own."""
    return Response(status=413) if (request.content_length or 0) > (request.max_content_length or 0) else None
