"""HTTP requests with one deadline for the whole answer.

The timeout of a socket starts again with each byte, so a server that sends one now and then could hold its reader for
ever. Here a timer shuts the connection down at the deadline.
"""

import socket
import ssl
import urllib.request
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from io import BytesIO
from threading import Timer
from typing import Any
from urllib.error import HTTPError

__all__ = ["BoundedHttp", "TooLateError", "TooLongError"]


class TooLateError(OSError):
    """The answer was not complete in time."""


class TooLongError(OSError):
    """The answer holds more bytes than it may."""


class BoundedHttp:
    """Makes requests; follows no redirect, which could take a secret elsewhere."""

    def __init__(
        self, within_s: float, max_bytes: int, *, through_proxies: bool, tls: ssl.SSLContext | None = None
    ) -> None:
        """
        Args:
            within_s: the deadline of a request, its answer included.
            max_bytes: the longest body.
            through_proxies: those that the environment names are used.
            tls: whom to believe, and what to present. Default: whom the machine believes, and nothing.
        """
        self._within_s = within_s
        self._tls = tls
        self._max_bytes = max_bytes
        self._proxies: list[Any] = [] if through_proxies else [urllib.request.ProxyHandler({})]

    def body(self, request: urllib.request.Request) -> bytes:
        """The body of the answer.

        Raises:
            HTTPError: the status is none of a success; it has the body.
            TooLateError: it was not there in time, headers and body.
            TooLongError: it is longer than it may be.
            OSError, HTTPException: anything else that a connection may meet.
        """
        sockets: list[socket.socket] = []
        too_late: list[bool] = []

        def end() -> None:
            too_late.append(True)
            for one in sockets:
                with suppress(OSError):  # it has ended by itself
                    one.shutdown(socket.SHUT_RDWR)

        https = _Https(sockets, self._tls)
        opener = urllib.request.build_opener(_NoRedirect, _Http(sockets), https, *self._proxies)
        timer = Timer(self._within_s, end)
        timer.daemon = True
        timer.start()
        try:
            with opener.open(request, timeout=self._within_s) as answer:
                body: bytes = answer.read(self._max_bytes + 1)
        except HTTPError as error:
            with error:
                said = BytesIO(error.read(self._max_bytes))
            raise HTTPError(error.url, error.code, error.msg, error.headers, said) from None
        except Exception:
            if too_late:
                raise TooLateError(f"no whole answer within {self._within_s:g} s") from None
            raise
        finally:
            timer.cancel()
        if too_late:
            raise TooLateError(f"no whole answer within {self._within_s:g} s")
        if len(body) > self._max_bytes:
            raise TooLongError(f"more than {self._max_bytes} bytes")
        return body


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class _Http(urllib.request.HTTPHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self._connection = partial(_SeenHttp, sockets)

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._connection, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, sockets: list[socket.socket], tls: ssl.SSLContext | None) -> None:
        super().__init__()
        self._connection = partial(_SeenHttps, sockets, context=tls)

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._connection, req)


class _SeenHttp(HTTPConnection):
    def __init__(self, sockets: list[socket.socket], *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._sockets = sockets

    def connect(self) -> None:
        super().connect()
        self._sockets.append(self.sock)


class _SeenHttps(_SeenHttp, HTTPSConnection):
    """What ``super`` is above, is HTTPS here."""
