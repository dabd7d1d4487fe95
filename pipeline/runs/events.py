"""What happened, as JSON lines in the warehouse folder, and to a webhook where one is set."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.base import paths
from pipeline.base.console import say

WEBHOOK_VARIABLE = "ALERT_WEBHOOK_URL"
LARGEST_LOG = 5_000_000  # bytes; then the log starts again and the one before it is kept
WEBHOOK_SECONDS = 5
# What a person wants to be told of; everything else is in the log only.
TOLD = {"failed", "warned", "published", "alert"}


def log_file() -> Path:
    """Return the file of the log."""
    return paths.warehouse_dir() / "logs" / "events.jsonl"


def emit(event: str, **details: Any) -> bool:
    """Write one event to the log, and post it where ``ALERT_WEBHOOK_URL`` says. Neither ever fails a run.

    Returns
    -------
    bool
        False where somebody was to be told of it and did not hear.
    """
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **details}
    text = json.dumps(line, default=str, ensure_ascii=False)
    try:
        file = log_file()
        paths.make_warehouse_dir()
        file.parent.mkdir(mode=0o700, exist_ok=True)
        if file.exists() and file.stat().st_size > LARGEST_LOG:
            file.replace(file.with_suffix(".1.jsonl"))
        # one write of one line: lines of two processes do not mix
        with file.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text + "\n")
    except OSError as error:
        say(f"  the event log cannot be written ({error.strerror})")
    if event in TOLD and (address := os.environ.get(WEBHOOK_VARIABLE)):
        return _post(address, text)
    return True


def _post(address: str, text: str) -> bool:
    # an address often holds a token: it is named nowhere, in no message and no log
    if not address.startswith(("http://", "https://")):
        say(f"  {WEBHOOK_VARIABLE} is no http or https address; nobody was told")
        return False
    request = urllib.request.Request(  # noqa: S310
        address, data=text.encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        say(f"  the webhook answered {error.code}; nobody was told")
    except (OSError, ValueError):
        say("  the webhook did not answer; nobody was told")
    return False
