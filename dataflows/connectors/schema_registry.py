"""Asks a schema registry for schemas, by the methods that all registries took over from Confluent's.

A registry that is unavailable, or where authentication failed, is retried: no record is rejected for what the registry
may answer later. Only its own answer that there is no schema of an id makes a record INVALID.
"""

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential, wait_random

from dataflows.connectors.kafka.client import properties_in
from runtime.addresses import is_loopback
from runtime.bounded_http import BoundedHttp
from runtime.durations import duration_text
from runtime.errors import CommandError, SettingsError

__all__ = ["RegisteredSchema", "RegistryError", "SchemaRegistry"]

_ANSWER_WITHIN_S: Final = 10.0
_ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
"""Far above any schema that people write."""

_REFERENCES_MAX: Final = 200
"""Of a schema, with what these refer to themselves; far fewer than the calls within calls that Python allows."""

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 4.0

_UNKNOWN: Final = frozenset((40401, 40402, 40403))
"""Codes of an answer 404: no such subject, version, schema. Another 404 is a wrong address, or a proxy's word."""

_PROPERTIES: Final = ("basic.auth.user.info", "bearer.auth.token", "ssl.ca.location", "ssl.certificate.location",
                      "ssl.key.location")  # fmt: skip
"""In the names of Confluent's own clients."""


class RegistryError(CommandError):
    """The schema registry cannot be asked. The message says in one line why, and what to do."""


class _AwayError(Exception):
    """An attempt failed in a way that may pass."""


class RegisteredSchema(NamedTuple):
    """A schema.

    Attributes:
        kind: ``AVRO``, ``PROTOBUF``, ``JSON`` or another one.
        text: as it was registered.
        references: what it refers to, by the names that it uses, each behind what it refers to itself.
    """

    kind: str
    text: str
    references: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SchemaRegistry:
    """A registry. It can be pickled.

    Attributes:
        url: what all its addresses begin with.
        properties: those of the user's file, with its secrets.
        wait_ms: how long it is waited for.
    """

    url: str
    properties: Mapping[str, str] = field(repr=False)
    wait_ms: int

    @classmethod
    def of(cls, url: str, properties: str | None, wait_ms: int) -> "SchemaRegistry":
        """
        Args:
            url: of the registry.
            properties: the user's file.
            wait_ms: how long it is waited for.
        Raises:
            SettingsError: the file is wrong, or a secret would travel unencrypted.
        """
        flag = "--registry-properties"
        found = {} if properties is None else properties_in(flag, properties, _PROPERTIES, ", ".join(_PROPERTIES))
        for name in found:
            if name.endswith(".location"):  # Flink's processes stand in another folder
                found[name] = str(Path(found[name]).absolute())
        made = cls(url.rstrip("/"), found, wait_ms)
        if made._authorization() and not made._is_here and not url.startswith("https://"):
            raise SettingsError(f"--schema-registry {url}: it must be https://... where a password or a token is sent")
        try:
            made._tls()
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(f"{flag} {properties}: ssl.*: {error.strerror or error}") from None
        return made

    def check(self, say: Callable[[str], None]) -> None:
        """Check that it is available and that authentication succeeds.

        Args:
            say: takes a line for the user.
        Raises:
            SettingsError: it is no schema registry, or authentication failed.
            RegistryError: it stays away.
        """
        try:
            self._asked("/schemas/types", say, refused=(401, 403, 404))
        except HTTPError as error:
            why = "authentication failed, see --registry-properties"
            if error.code == 404:
                why = "there is no registry under this path; Apicurio's has /apis/ccompat/v7 at the end"
            raise SettingsError(f"--schema-registry {self.url}: {why}") from None

    def schema(self, schema_id: int) -> RegisteredSchema | None:
        """The schema of an id, with all that it refers to; ``None``: there is none.

        Raises:
            RegistryError: the registry stays away.
        """
        answer = self._asked(f"/schemas/ids/{schema_id}")
        if answer is None:
            return None
        found: dict[str, str] = {}
        self._add_references(answer, found)
        return RegisteredSchema(str(answer.get("schemaType", "AVRO")), answer["schema"], tuple(found.items()))

    def _add_references(self, answer: Mapping[str, Any], found: dict[str, str]) -> None:
        for reference in answer.get("references") or ():
            name = str(reference["name"])
            if name in found or len(found) >= _REFERENCES_MAX:
                continue
            found[name] = ""  # one that refers to itself ends here
            subject, version = quote(str(reference["subject"]), safe=""), quote(str(reference["version"]), safe="")
            referred = self._asked(f"/subjects/{subject}/versions/{version}")
            if referred is not None:
                self._add_references(referred, found)
            del found[name]
            if referred is not None:
                found[name] = referred["schema"]

    def _asked(
        self, path: str, say: Callable[[str], None] | None = None, refused: tuple[int, ...] = ()
    ) -> dict[str, Any] | None:
        """The answer; ``None``: there is no such schema.

        Args:
            path: behind the URL.
            say: told once that it is waited for.
            refused: status codes that are not waited for.
        """

        def told(state: RetryCallState) -> None:
            if say is not None and state.attempt_number == _TOLD_AT:
                say(f"waiting for the schema registry at {self.url}")

        attempts = Retrying(
            retry=retry_if_exception_type(_AwayError),
            wait=wait_exponential(_FIRST_PAUSE_S, max=_LONGEST_PAUSE_S) + wait_random(0, _FIRST_PAUSE_S),
            stop=stop_after_delay(self.wait_ms / 1_000),
            before_sleep=told,
            reraise=True,
        )
        try:
            return attempts(self._answer, path, refused)
        except _AwayError as error:
            raise RegistryError(
                f"the schema registry at {self.url} {error}; waited {duration_text(self.wait_ms)}, "
                "see --wait-for-broker"
            ) from None

    def _answer(self, path: str, refused: tuple[int, ...]) -> dict[str, Any] | None:
        http = BoundedHttp(_ANSWER_WITHIN_S, _ANSWER_BYTES_MAX, through_proxies=not self._is_here, tls=self._tls())
        try:
            return _parsed(http.body(Request(self.url + path, headers=self._headers())))
        except HTTPError as error:
            if error.code in refused:
                raise
            if error.code == 404 and _code_in(error.read()) in _UNKNOWN:
                return None
            raise _AwayError(f"answered {error.code}") from None
        except (OSError, HTTPException) as error:
            raise _AwayError(f"does not answer: {getattr(error, 'reason', error)}") from None

    @property
    def _is_here(self) -> bool:
        return is_loopback(urlsplit(self.url).hostname or "")

    def _headers(self) -> dict[str, str]:
        accept = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        authorization = self._authorization()
        return accept if authorization is None else {**accept, "Authorization": authorization}

    def _authorization(self) -> str | None:
        if user_info := self.properties.get("basic.auth.user.info"):
            return "Basic " + base64.b64encode(user_info.encode()).decode()
        token = self.properties.get("bearer.auth.token")
        return f"Bearer {token}" if token else None

    def _tls(self) -> ssl.SSLContext | None:
        if not any(name.startswith("ssl.") for name in self.properties):
            return None
        context = ssl.create_default_context(cafile=self.properties.get("ssl.ca.location"))
        if certificate := self.properties.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, self.properties.get("ssl.key.location"))
        return context


_TOLD_AT: Final = 3
"""The attempt after which the user is told, a second or so after the first."""


def _parsed(body: bytes) -> dict[str, Any]:
    """What an answer says: a schema, or the kinds of schemas."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise _AwayError("answered no JSON") from None
    if isinstance(answer, list):
        return {"kinds": answer}
    if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
        raise _AwayError("answered no schema")
    references = answer.get("references") or []
    if not all(isinstance(one, dict) and {"name", "subject", "version"} <= one.keys() for one in references):
        raise _AwayError("answered no references")
    return answer


def _code_in(body: bytes) -> object:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer.get("error_code") if isinstance(answer, dict) else None
