"""Access tokens for the services: from a file, or from an OAuth 2.0 token endpoint by client credentials (RFC 6749).

No token and no secret appears in a message, a log or an argument.
"""

import base64
import json
import re
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from threading import Lock
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlencode, urlsplit

from dataflows.settings import ChannelSettings
from runtime.addresses import is_loopback
from runtime.bounded_http import BoundedHttp
from runtime.errors import SettingsError
from runtime.watched_files import WatchedFiles

__all__ = ["TokenEndpoint", "TokenError", "TokenSource", "token_source", "watched_secret"]

_ANSWER_WITHIN_S: Final = 10.0
_ANSWER_BYTES_MAX: Final = 65_536
_LIFE_UNSAID_S: Final = 60.0
"""Lifetime of a token for which the endpoint names none."""

_LIFE_MAX_S: Final = 86_400.0
"""The longest lifetime that is believed: after it a token is renewed in any case."""

_TOKEN: Final = re.compile(r"[!-~]{1,8192}")
"""Characters and length that gRPC metadata and a server accept."""

_RENEWED_AT: Final = 0.75
"""The share of its lifetime after which a token is renewed; the rest covers an endpoint that is unavailable."""

_AGAIN_AFTER_S: Final = 2.0
"""Between two attempts to renew a token that is still valid."""


class TokenError(Exception):
    """No token is available for now."""


class TokenSource(Protocol):
    """Where tokens come from; safe for use by many threads."""

    def token(self) -> str:
        """A token to be used at once.

        Raises:
            TokenError: there is none, for now.
        """


def token_source(channel: ChannelSettings) -> TokenSource | None:
    """The source of a run's tokens; ``None`` if calls carry none.

    Raises:
        SettingsError: a file cannot be read, or the endpoint would get a secret unencrypted.
    """
    if channel.token_file is not None:
        return _TokenFile(channel.token_file)
    if channel.token_endpoint is None:
        return None
    assert channel.client_id is not None
    assert channel.client_secret_file is not None
    secret = watched_secret(channel.client_secret_file, "secret")
    return TokenEndpoint(channel.token_endpoint, channel.client_id, secret, channel.token_scope)


def watched_secret(path: str, what: str) -> WatchedFiles[str]:
    """One line in a file of its own."""

    def parsed(contents: list[bytes]) -> str:
        text = contents[0].strip()
        if not text or not text.isascii() or any(byte <= 0x20 or byte == 0x7F for byte in text):
            raise SettingsError(f"{path}: holds no {what}: one line without spaces is needed")
        return text.decode()

    return WatchedFiles([path], parsed)


class _TokenFile:
    """A file that the issuer of tokens keeps up to date, as Kubernetes does."""

    def __init__(self, path: str) -> None:
        self._file = watched_secret(path, "token")

    def token(self) -> str:
        return self._file.current()


class _Held(NamedTuple):
    token: str
    renewed_at_s: float
    ends_at_s: float


class TokenEndpoint:
    """Fetches tokens, and renews each before it expires. Meanwhile calls use the old one."""

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: WatchedFiles[str],
        scope: str | None,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        """Nothing is asked yet.

        Raises:
            SettingsError: the URL is neither https nor on this machine, or holds a secret itself.
        """
        parts = urlsplit(url)
        on_this_machine = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or "@" in parts.netloc or not (parts.scheme == "https" or on_this_machine):
            raise SettingsError("--token-endpoint must be https://..., or http://... on this machine, without a user")
        self._url = url
        self._client_id = client_id
        self._secret = secret
        self._scope = scope
        self._clock_s = clock_s
        self._renewing = Lock()
        self._held: _Held | None = None
        self._http = BoundedHttp(_ANSWER_WITHIN_S, _ANSWER_BYTES_MAX, through_proxies=not on_this_machine)

    def token(self) -> str:
        held, now_s = self._held, self._clock_s()
        if held is not None and now_s < held.renewed_at_s:
            return held.token
        is_valid = held is not None and now_s < held.ends_at_s
        if not self._renewing.acquire(blocking=not is_valid):
            assert held is not None
            return held.token
        try:
            return self._renewed(now_s)
        finally:
            self._renewing.release()

    def _renewed(self, now_s: float) -> str:
        held = self._held
        if held is not None and now_s < held.renewed_at_s:  # another thread was faster
            return held.token
        try:
            self._held = self._fetched()
        except TokenError:
            now_s = self._clock_s()
            if held is None or now_s >= held.ends_at_s:
                raise
            self._held = held._replace(renewed_at_s=now_s + _AGAIN_AFTER_S)
        assert self._held is not None
        return self._held.token

    def _fetched(self) -> _Held:
        asked_at_s = self._clock_s()
        try:
            said = json.loads(self._http.body(self._request()))
            token, kind = said["access_token"], said["token_type"].lower()
            life_s = _life_s(said)
        except HTTPError as error:
            error.close()
            raise TokenError(f"the token endpoint {self._url} answered {error.code}") from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise TokenError(f"the token endpoint {self._url} does not answer: {reason}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise TokenError(f"the token endpoint {self._url} answered no token") from None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or kind != "bearer":
            raise TokenError(f"the token endpoint {self._url} answered no bearer token")
        return _Held(token, asked_at_s + _RENEWED_AT * life_s, asked_at_s + life_s)

    def _request(self) -> urllib.request.Request:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret.current())}"  # RFC 6749, section 2.3.1
        headers = {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Accept": "application/json",
        }
        return urllib.request.Request(self._url, urlencode(form).encode(), headers, method="POST")


def _life_s(said: dict[str, Any]) -> float:
    """How long a token lives; RFC 6749 has a number of seconds there, some issuers write it as a text.

    >>> _life_s({"expires_in": 3600}), _life_s({"expires_in": "3600"}), _life_s({}), _life_s({"expires_in": 10**400})
    (3600.0, 3600.0, 60.0, 86400.0)
    """
    value = said.get("expires_in", _LIFE_UNSAID_S)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if type(value) not in (int, float) or not value > 0:  # the second is so of NaN too
        raise ValueError("expires_in")
    return float(min(value, _LIFE_MAX_S))
