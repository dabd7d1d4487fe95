"""Every dashboard in a real browser: all charts draw, nothing fails, nothing leaves this host.

Screenshots go to the folder SUPERSET_SHOTS names, else to pytest's temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from builds import ROOT, query
from superset_process import Server, server_for, whole

pytestmark = [pytest.mark.superset, pytest.mark.browser]

# Which shop is seen how wide. Where there are the real files, the normal run sees the demo shop narrow and the real
# files wide; ALL_LOOKS=1 sees both in both ways.
NARROW, WIDE = 1280, 1920
LOOKS = [("demo", NARROW), ("demo", WIDE)]
if os.environ.get("OLIST_DIR"):
    LOOKS = [("demo", NARROW), ("olist", WIDE)]
if os.environ.get("ALL_LOOKS"):
    LOOKS = [(shop, width) for shop in ("demo", "olist") for width in (NARROW, WIDE)]

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # The maps need WebGL, here without a graphics card.
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
BUSY = """() => document.querySelectorAll(
    '[data-test="loading-indicator"], .loading, .ant-skeleton, .ant-spin-spinning'
).length"""
BROKEN = """() => [...document.querySelectorAll(
    '[data-test="dashboard-component-chart-holder"]'
)].filter(holder => holder.offsetParent !== null).flatMap(holder => {
    const title = (holder.querySelector('[data-test="editable-title"]') || holder).innerText.split('\\n')[0];
    const text = holder.innerText;
    const failed = holder.querySelector('.ant-alert-error, [data-test="error-alert"]') !== null;
    const empty = /No results were returned|No data after filtering|Unexpected error|Data error/.test(text);
    return failed || empty ? [title + ': ' + text.slice(0, 200)] : [];
})"""
HEIGHT = """() => Math.ceil(Math.max(...[...document.querySelectorAll(
    '.grid-container, .dashboard-content, .grid-content'
)].map(part => part.getBoundingClientRect().bottom + window.scrollY)))"""
CLIPPED = """() => [...document.querySelectorAll('.dashboard-markdown, [data-test="dashboard-markdown-editor"]')]
    .filter(part => part.offsetParent !== null && part.scrollHeight > part.clientHeight + 4 && part.clientHeight > 0)
    .map(part => part.innerText.slice(0, 60))"""
# Seconds without anything to wait for until a page counts as drawn, and what a drawing that moves takes after that.
QUIET, ANIMATION = 0.6, 0.7
# Superset's pages carry a telemetry pixel; the browser refuses to ask for it and says so.
PIXEL = "apachesuperset.gateway.scarf.sh"

SPECS = sorted(
    (yaml.safe_load(path.read_text()) for path in (ROOT / "superset" / "assets").glob("*/dashboard.yaml")),
    key=lambda spec: int(spec["order"]),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if BROWSER is None:
        reason = "no Chromium on this machine: apt-get install chromium"
        # where a browser was promised, a silent skip would hide that nobody has looked
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def server(served_warehouse: Path) -> Server:
    return server_for(served_warehouse)


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def any_server(shop: str, request: pytest.FixtureRequest) -> Server:
    """Return the demo shop's dashboards, then those of the real files."""
    return server_for(request.getfixturevalue("served_warehouse" if shop == "demo" else "olist_warehouse"))


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("SUPERSET_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def shots_of_shop(shop: str, shots: Path) -> Path:
    folder = shots / shop
    folder.mkdir(exist_ok=True)
    return folder


class Visit:
    """A page, and what went wrong on it."""

    def __init__(self, browser: Any, server: Server, role: str, width: int) -> None:
        self.server = server
        self.width = width
        self.context = browser.new_context(viewport={"width": width, "height": 1000})
        self.page = self.context.new_page()
        self.problems: list[str] = []
        person = server.person(role)
        self.context.add_cookies(
            [{"name": one.name, "value": one.value or "", "url": server.base} for one in person.session.cookies],
        )
        self.page.on("console", self._console)
        self.page.on("response", self._response)
        self.page.on("requestfinished", self._finished)
        self.asked: dict[Any, float] = {}
        self.page.on("request", self._ask)
        self.page.on("requestfinished", lambda request: self.asked.pop(request, None))
        self.page.on("requestfailed", lambda request: self.asked.pop(request, None))
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))

    def _console(self, message: Any) -> None:
        if message.type == "error" and PIXEL not in message.text:
            self.problems.append(f"console: {message.text[:300]}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url[:200]}")

    def _finished(self, request: Any) -> None:
        if request.url.startswith("http") and not request.url.startswith(self.server.base):
            self.problems.append(f"left this host: {request.url[:200]}")

    def _ask(self, request: Any) -> None:
        if "/basemap/" in request.url or "chart/data" in request.url:
            self.asked[request] = time.monotonic()

    def _is_waiting(self) -> bool:
        # The browser drops requests of tiles it no longer needs without a word.
        now = time.monotonic()
        return any("chart/data" in request.url or now - since < 10 for request, since in self.asked.items())

    def settle(self, seconds: float = 120) -> None:
        """Wait until nothing is asked for, and everything in view has been drawn for a moment."""
        end, quiet_since = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            if (
                self._is_waiting()
                or self.page.evaluate(BUSY)
                or not self.page.locator('[data-test="chart-container"]').count()
            ):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > QUIET:
                return
            self.page.wait_for_timeout(50)  # lets the page's events in, which time.sleep would not
        self.problems.append(f"still drawing after {seconds:.0f} s")

    def look(self, name: str, shots: Path) -> None:
        """Make the window as tall as the page, so that every chart draws; keep a picture, note what is broken."""
        self.settle()
        self.page.set_viewport_size({"width": self.width, "height": min(self.page.evaluate(HEIGHT) + 40, 6000)})
        self.settle()
        self.page.wait_for_timeout(ANIMATION * 1000)
        self.page.screenshot(path=str(shots / f"{name}_{self.width}.png"))
        self.problems += [f"{name}: {text}" for text in self.page.evaluate(BROKEN)]
        self.problems += [f"{name}: text is cut: {text}" for text in self.page.evaluate(CLIPPED)]
        self.page.set_viewport_size({"width": self.width, "height": 1000})


@pytest.mark.parametrize(("shop", "width"), LOOKS, indirect=["shop"])
@pytest.mark.parametrize("spec", SPECS, ids=[spec["slug"] for spec in SPECS])
def test_every_chart_of_a_dashboard_draws(
    browser: Any, any_server: Server, shots_of_shop: Path, spec: dict[str, Any], width: int
) -> None:
    folder = shots_of_shop
    role = "Stakeholder" if "Stakeholder" in spec["audience"] else "Marketing"
    visit = Visit(browser, any_server, role, width)
    visit.page.goto(f"{any_server.base}/superset/dashboard/{spec['slug']}/")
    visit.page.wait_for_selector('[data-test="chart-container"]', timeout=60_000)
    visit.look(spec["slug"], folder)
    for number, tab in enumerate(spec.get("tabs", [])[1:], start=2):
        visit.page.locator(".ant-tabs-tab", has_text=whole(tab["title"])).first.click()
        visit.look(f"{spec['slug']}_{number}", folder)
    visit.context.close()
    assert visit.problems == []


def test_a_filter_and_a_click_on_a_cell_change_the_page(browser: Any, server: Server, shots: Path) -> None:
    visit = Visit(browser, server, "Stakeholder", 1280)
    asked: list[str] = []

    def note(request: Any) -> None:
        if "chart/data" in request.url:
            asked.append(request.post_data or "")

    visit.page.on("request", note)
    visit.page.goto(f"{server.base}/superset/dashboard/shop-overview/")
    visit.page.wait_for_selector('[data-test="chart-container"]', timeout=60_000)
    visit.settle()
    asked.clear()
    # The first box is the region, the second the state.
    visit.page.locator('[data-test="form-item-value"] .ant-select').nth(1).click()
    visit.page.keyboard.type("Bahia")
    visit.page.locator(".ant-select-item-option", has_text="Bahia").first.click()
    visit.page.keyboard.press("Escape")
    visit.page.locator('[data-test="filter-bar__apply-button"]').click()
    visit.settle()
    assert any("Bahia" in body for body in asked), "no chart was asked again with the state"
    visit.page.screenshot(path=str(shots / "filtered.png"))
    assert visit.page.evaluate(BROKEN) == []
    # A cell of a table filters the rest of the page.
    visit.page.locator(".ant-tabs-tab", has_text="Customers and service").click()
    visit.settle()
    visit.page.set_viewport_size({"width": 1280, "height": visit.page.evaluate(HEIGHT) + 40})
    visit.settle()
    asked.clear()
    visit.page.locator("td", has_text="Bahia").first.click()
    visit.settle()
    assert any("Bahia" in body for body in asked), "the click filtered nothing"
    visit.context.close()
    assert visit.problems == []


def test_a_click_on_a_bar_filters_by_its_name(browser: Any, server: Server) -> None:
    """A segment that is clicked narrows the other charts, and its name is sent, never the length of the bar."""
    visit = Visit(browser, server, "Stakeholder", 1280)
    asked: list[str] = []
    visit.page.on("request", lambda one: asked.append(one.post_data or "") if "chart/data" in one.url else None)
    visit.page.goto(f"{server.base}/superset/dashboard/customer-segments/")
    visit.page.wait_for_selector('[data-test="chart-container"]', timeout=60_000)
    visit.settle()
    chart = visit.page.locator(".dashboard-component-chart-holder", has_text="Customers by segment").first
    bars = chart.locator("canvas")
    bars.scroll_into_view_if_needed()
    visit.settle()
    visit.page.wait_for_timeout(ANIMATION * 1000)
    box = bars.bounding_box()
    asked.clear()
    # the longest bar is the first from above and begins right of the names
    for height in (0.05, 0.08, 0.11, 0.14, 0.18, 0.22):
        visit.page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * height)
        visit.settle()
        if asked:
            break
    sent = [one for body in asked for query in json.loads(body)["queries"] for one in query["filters"]]
    names = {value for one in sent if one["col"] == "rfm_segment" for value in one["val"]}
    segments = set(query(server.warehouse, "select distinct rfm_segment from marts.segment_summary")["rfm_segment"])
    assert len(names) == 1 and names < segments, (names, sent[:3])
    visit.context.close()


def tab_until(page: Any, condition: str) -> None:
    """Press Tab until the element that has the focus meets a condition."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(f"() => {{ const focused = document.activeElement; return {condition}; }}"):
            return
    pytest.fail(f"the keyboard reaches nothing with {condition}")


def test_a_page_is_filtered_and_turned_by_keyboard_alone(browser: Any, server: Server) -> None:
    visit = Visit(browser, server, "Stakeholder", 1280)
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.post_data or "") if "data" in request.url else None)
    visit.page.goto(f"{server.base}/superset/dashboard/shop-overview/")
    visit.page.wait_for_selector('[data-test="chart-container"]', timeout=60_000)
    visit.settle()
    asked.clear()
    tab_until(visit.page, "focused.getAttribute('role') === 'combobox'")
    visit.page.keyboard.press("Tab")
    tab_until(visit.page, "focused.getAttribute('role') === 'combobox'")
    visit.page.keyboard.type("Bahia")
    visit.page.wait_for_selector(".ant-select-item-option", timeout=30_000)
    time.sleep(1)  # the list narrows as one types
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("Escape")
    tab_until(visit.page, "focused.dataset.test === 'filter-bar__apply-button'")
    visit.page.keyboard.press("Enter")
    visit.settle()
    assert any("Bahia" in body for body in asked), "the filter was not applied"
    tab_until(visit.page, "focused.getAttribute('role') === 'tab'")
    visit.page.keyboard.press("ArrowRight")
    visit.page.keyboard.press("Enter")
    visit.settle()
    turned = visit.page.locator('[role="tab"][aria-selected="true"]').first.inner_text()
    visit.context.close()
    assert "Customers and service" in turned
