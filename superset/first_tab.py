"""Time a dashboard's first tab in Chromium, for ``bench.py``: reads a request as JSON, prints seconds as JSON.

Runs in the environment of the tests, which has Playwright.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import Any

from playwright.sync_api import ViewportSize, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    # The maps need WebGL, here without a graphics card.
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
# Tall enough for every chart of a tab: those outside the window are not drawn.
WINDOW: ViewportSize = {"width": 1280, "height": 4000}
DRAWN = """() => document.querySelector('[data-test="chart-container"]') !== null && !document.querySelector(
    '[data-test="loading-indicator"], .loading, .ant-skeleton, .ant-spin-spinning'
)"""
QUIET_SECONDS, LIMIT_SECONDS = 1.5, 120


def seconds_until_drawn(page: Any, address: str) -> float:
    """Open a page; return when it was drawn, after which nothing was loading any more."""
    started = time.monotonic()
    page.goto(address, wait_until="domcontentloaded")
    drawn_at = None
    while time.monotonic() - started < LIMIT_SECONDS:
        now = time.monotonic()
        if not page.evaluate(DRAWN):
            drawn_at = None
        elif drawn_at is None:
            drawn_at = now
        elif now - drawn_at > QUIET_SECONDS:
            return drawn_at - started
        page.wait_for_timeout(20)
    raise SystemExit(f"still drawing after {LIMIT_SECONDS} s: {address}")


def main() -> None:
    """Visit the page as often as asked, in one new browser."""
    request = json.load(sys.stdin)
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(found for name in names if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        context = chromium.new_context(viewport=WINDOW)
        context.add_cookies(request["cookies"])
        seconds = []
        for _ in range(request["visits"]):
            page = context.new_page()
            seconds.append(seconds_until_drawn(page, request["address"]))
            page.close()
        chromium.close()
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
