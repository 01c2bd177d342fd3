"""Serves the live page to this machine alone, and answers nothing but reads.

A page of a stranger, open in the same browser, learns nothing: under another name than localhost it is refused (DNS
rebinding), and under that name the browser keeps the answer from it, since no answer allows another origin.
"""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from dataflows.browser.device_windows import DeviceWindows
from dataflows.browser.live_fleet import LiveFleet
from dataflows.connectors.kafka.client import BrokerError
from dataflows.pipeline.first_records import InputError
from dataflows.replay.written_outputs import FollowedOutputs

__all__ = ["PageServer", "followed"]

_HOSTS: Final = frozenset({"localhost", "127.0.0.1"})
_LOOK_EVERY_S: Final = 1.0
_SILENT_FOR_S: Final = 10.0
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def followed(outputs: FollowedOutputs, fleet: LiveFleet, ended: Event) -> Thread:
    """A thread that keeps a fleet up with its outputs until the end; what it cannot read is told as its problem."""

    def follow() -> None:
        while not ended.is_set():
            try:
                if outputs.are_anew():
                    fleet.forget()
                for kind, line in outputs.new():
                    fleet.take(kind, line)
                    if ended.is_set():
                        return
                fleet.problem = None
            except (BrokerError, InputError, OSError) as error:
                fleet.problem = str(error)
            ended.wait(_LOOK_EVERY_S)

    thread = Thread(target=follow, name="outputs", daemon=True)
    thread.start()
    return thread


class PageServer(ThreadingHTTPServer):
    """Serves one page and what it asks for.

    Attributes:
        url: where it is.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, page: str, fleet: LiveFleet, windows: DeviceWindows) -> None:
        """Listen.

        Args:
            port: 0 takes a free one.
            page: the document.
            fleet: what the outputs say.
            windows: what the log says of a device.
        Raises:
            OSError: the port is taken.
        """
        super().__init__(("127.0.0.1", port), _Handler)
        self.url: Final = f"http://localhost:{self.server_address[1]}/"
        self.page: Final = page.encode()
        self.fleet: Final = fleet
        self.windows: Final = windows

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: a browser that leaves early is no event of ours."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT_FOR_S
    server: PageServer
    server_version = "latecomer"
    sys_version = ""

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in _HOSTS:
            self._answer(403, "text/plain", b"this page is for localhost alone\n")
            return
        place = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(place.query, keep_blank_values=True).items()}
        if place.path == "/":
            self._answer(200, "text/html; charset=utf-8", self.server.page)
        elif place.path in _ANSWERS:
            self._answer_by(_ANSWERS[place.path], asked)
        else:
            self._answer(404, "text/plain", b"there is no such page\n")

    do_HEAD = do_GET  # noqa: N815  # a method of the library's

    def _answer_by(self, answer: Callable[[PageServer, dict[str, str]], Any], asked: dict[str, str]) -> None:
        try:
            body, status = answer(self.server, asked), 200
        except KeyError as error:
            body, status = {"problem": f"{error.args[0]} is not given"}, 400
        except (BrokerError, InputError, OSError, ValueError) as error:  # the log is away, or another one by now
            body, status = {"problem": str(error)}, 503
        if body is None:
            body, status = {"problem": "the log does not have it"}, 404
        self._answer(status, "application/json", msgspec.json.encode(body))

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Whatever the library refuses, a method that is no read among them."""
        status = 405 if code == 501 else code
        self.send_response(status)
        if status == 405:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Log nothing: nor is a look."""


def _fleet(server: PageServer, asked: dict[str, str]) -> Any:
    seen = server.fleet.seen()
    return (
        {"version": seen["version"]} if asked.get("version") == str(seen["version"]) and not seen["problem"] else seen
    )


def _evaluations(server: PageServer, asked: dict[str, str]) -> Any:
    return server.windows.evaluations(asked["device"])


def _window(server: PageServer, asked: dict[str, str]) -> Any:
    window = server.windows.window(asked["device"], asked["evaluation"])
    if window is None:
        return None
    prediction = server.fleet.prediction(asked["device"], asked["evaluation"])
    return {**window, "prediction": None if prediction is None else msgspec.Raw(prediction)}


def _explanation(server: PageServer, asked: dict[str, str]) -> Any:
    return {"lines": server.windows.explanation(asked["evaluation"])}


_ANSWERS: Final[dict[str, Callable[[PageServer, dict[str, str]], Any]]] = {
    "/fleet": _fleet,
    "/evaluations": _evaluations,
    "/window": _window,
    "/explanation": _explanation,
}
