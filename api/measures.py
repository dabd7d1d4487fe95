"""What Prometheus reads at ``/metrics``: requests, their seconds, the build that is served."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.base import paths

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Measures:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("api_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "api_request_seconds", "Seconds until an answer.", ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.predictions = Counter("api_predictions", "Rows scored.", ("model",), registry=self.registry)
        self.published = Gauge(
            "api_build_published_timestamp_seconds", "When the served build was published.", registry=self.registry
        )
        self.switches = Counter("api_builds_loaded", "Builds loaded since the start.", registry=self.registry)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format, with what the pipeline wrote of its last runs behind it."""
        try:
            of_the_pipeline = paths.metrics_file().read_bytes()
        except OSError:
            of_the_pipeline = b""
        return generate_latest(self.registry) + of_the_pipeline


class Measured:
    """Count and time every request by its route, never by its address: that may hold a customer's id."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self.app, self.measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "other"
            self.measures.requests.labels(method, route, str(status)).inc()
            self.measures.seconds.labels(route).observe(time.perf_counter() - started)
