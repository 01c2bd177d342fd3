"""A server that answers as a schema registry does, or as it is told: over HTTP, on a port of its own."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

__all__ = ["RegistryServer", "registry_server"]

UNKNOWN = (404, {"error_code": 40403, "message": "Schema not found"})


@dataclass
class RegistryServer:
    """What it answers: by path, else that there is no such schema.

    Attributes:
        url: of the registry.
        answers: status and JSON, or a body as it stands, by path.
        next_answers: to be given before these, one a request.
        asked: path and ``Authorization`` of each request.
    """

    url: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=lambda: {"/schemas/types": (200, ["AVRO", "JSON"])})
    next_answers: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        self.asked.append((path, authorization))
        status, said = self.next_answers.pop(0) if self.next_answers else self.answers.get(path, UNKNOWN)
        return status, said if isinstance(said, bytes) else json.dumps(said).encode()

    def add(self, schema_id: int, schema: Any, **more: Any) -> None:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        self.answers[f"/schemas/ids/{schema_id}"] = (200, {"schema": text, **more})


@contextmanager
def registry_server(tls: ssl.SSLContext | None = None) -> Iterator[RegistryServer]:
    answers = RegistryServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.answer(self.path, self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    answers.url = f"http{'' if tls is None else 's'}://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
