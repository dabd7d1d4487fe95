"""How much a caller may send, and how often."""

from __future__ import annotations

import math
import threading
import time

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, Said, render
from api.texts import language_of

BODY_BYTES = 16_000_000
BATCH_ROWS = 10_000


class RateLimit:
    """Token buckets, one a caller: `rate` requests a second, and twice as many at once after a rest."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, caller: str) -> None:
        """Count a request.

        Raises
        ------
        Problem
            429, with the seconds to wait.
        """
        now = time.monotonic()
        with self._lock:
            left, before = self._buckets.get(caller, (2 * self.rate, now))
            left = min(2 * self.rate, left + (now - before) * self.rate)
            self._buckets[caller] = (left - 1 if left >= 1 else left, now)
        if left < 1:
            seconds = math.ceil((1 - left) / self.rate)
            detail = Said("too_many_requests_detail", {"rate": f"{self.rate:g}", "seconds": seconds})
            raise Problem(429, "too_many_requests", detail, headers={"Retry-After": str(seconds)})


class BodyLimit:
    """Refuse bodies beyond the limit: at once when their length is announced, and as they arrive when it is not."""

    def __init__(self, app: ASGIApp, most: int = BODY_BYTES) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        received, is_answered = 0, False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # the rest is neither kept nor read on
            return message if received <= self.most else {"type": "http.disconnect"}

        async def noted(message: Message) -> None:
            nonlocal is_answered
            if received <= self.most or is_answered:
                is_answered = True
                await send(message)

        if announced.isdigit() and int(announced) > self.most:
            await self._refuse(scope, receive, send)
            return
        try:
            await self.app(scope, counted, noted)
        except ClientDisconnect:
            if received <= self.most:
                raise
        if received > self.most and not is_answered:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem(
            413,
            "body_too_large",
            Said("body_too_large_detail", {"megabytes": self.most // 1_000_000}),
            headers={"Connection": "close"},
        )
        language = language_of(Request(scope).headers.get("accept-language"))
        await render(problem, language)(scope, receive, send)
