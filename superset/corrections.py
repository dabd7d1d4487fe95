"""Small things that Superset itself leaves open, put right before the first request."""

from __future__ import annotations

import logging

import row_limits


def install() -> None:
    """Put all of them right in this process."""
    row_limits.install()
    _hide_addresses()
    logging.getLogger("superset.views.error_handling").addFilter(_is_worth_a_line)


def _hide_addresses() -> None:
    """Keep e-mail addresses out of the lists of owners, which everybody with an account may ask for."""
    from superset.views.base_api import BaseSupersetModelRestApi

    BaseSupersetModelRestApi.extra_fields_rel_fields = {"owners": ["active"]}


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a fault is ours. An address that does not exist is a page of traceback, and anybody may ask for many."""
    from werkzeug.exceptions import HTTPException

    fault = record.exc_info[1] if record.exc_info else None
    return not (isinstance(fault, HTTPException) and (fault.code or 500) < 500)
