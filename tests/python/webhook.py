"""A web server that stands for whoever is told by the webhook."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = "token-that-nobody-may-see"  # noqa: S105


class Listener:
    """A web server that keeps what is posted to it.

    Attributes
    ----------
    heard
        What was posted, oldest first.
    status
        What it answers.
    when_heard
        Called with each event before it is answered.
    """

    def __init__(self) -> None:
        heard: list[dict[str, object]] = []
        self.status = 204
        self.when_heard: Callable[[dict[str, object]], object] = lambda event: None
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                heard.append(event)
                listener.when_heard(event)
                self.send_response(listener.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.heard = heard
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/{SECRET}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
