"""Who may call: each call shows a JSON Web Token, signed by a key of the issuer's key set (RFC 7519, RFC 8725).

The rules stand in ``docs/tokens.md``, one table for both languages. The library checks signatures; what the claims have
to be is decided here, because it takes texts and booleans for times, and the last of two claims of one name. The caller
learns only that its token is not valid or does not allow the call; the log has the kind of the fault, never the token.
"""

import json
import logging
from collections.abc import Sequence
from time import time
from typing import Any, Final

import jwt

from grpc_services.python.errors import ForbiddenError, UnauthenticatedError
from grpc_services.python.key_set import KeySet
from grpc_services.python.settings import ServerSettings

__all__ = ["TokenCheck"]

_logger = logging.getLogger(__name__)

_TOKEN_CHARACTERS_MAX: Final = 8_192
"""What gRPC lets through in all metadata of a call, by default and in both languages."""

_DEPTH_MAX: Final = 32
"""Objects and lists inside each other, as in Java."""

_TYPES: Final = (None, "jwt", "at+jwt", "application/jwt", "application/at+jwt")
"""A token made for another use must not let anybody in (RFC 8725, section 3.11). ``at+jwt``: RFC 9068."""

_TIME_MAX_S: Final = 253_402_300_799
"""The end of the year 9999."""

_SIGNATURES: Final = jwt.PyJWS()


class _TokenError(ValueError):
    """A rule is broken; the message says which, never by what."""


class TokenCheck:
    """Checks the token of each call."""

    def __init__(self, settings: ServerSettings) -> None:
        """Read the key set.

        Raises:
            SettingsError: it cannot be read, or holds no public key that fits.
        """
        assert settings.tokens.jwks is not None
        self._keys = KeySet(settings.tokens.jwks, settings.tokens.jwt_algorithms)
        self._settings = settings

    def admit(self, metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Let a call in by its metadata.

        Raises:
            UnauthenticatedError: it shows no token, or one that is not valid here and now.
            ForbiddenError: its token does not hold the scope, or is that of somebody else than may call.
        """
        try:
            claims = self._claims(_bearer_token([value for key, value in metadata if key == "authorization"]))
        except (_TokenError, jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            _logger.info("a call was refused: %s", error if isinstance(error, _TokenError) else type(error).__name__)
            raise UnauthenticatedError from None
        scope, subjects = self._settings.required_scope, self._settings.tokens.subjects
        if (scope is not None and scope not in _scopes(claims)) or (subjects and claims.get("sub") not in subjects):
            raise ForbiddenError

    def _claims(self, token: str) -> dict[str, Any]:
        header_part, _, _ = token.partition(".")
        header = _json_object(jwt.utils.base64url_decode(header_part))
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in self._settings.tokens.jwt_algorithms:
            raise _TokenError("alg")
        if "kid" in header and not isinstance(key_id, str):
            raise _TokenError("kid")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES or ("typ" in header and kind is None):
            raise _TokenError("typ")
        if "crit" in header:
            raise _TokenError("crit")
        if header.get("b64", True) is not True:
            raise _TokenError("b64")
        for key in self._keys.current():
            if not key.fits(algorithm, key_id):
                continue
            try:
                signed = _SIGNATURES.decode(token, key.public, algorithms=[algorithm])
            except jwt.InvalidSignatureError:
                continue  # without a key id, or with one used twice, another key may have signed
            claims = _json_object(signed)
            self._check(claims)
            return claims
        raise _TokenError("signature")

    def _check(self, claims: dict[str, Any]) -> None:
        skew_s, now_s = self._settings.tokens.clock_skew_ms / 1000, time()
        if _time_s(claims, "exp") + skew_s <= now_s:
            raise _TokenError("exp")
        for name in ("nbf", "iat"):
            if name in claims and _time_s(claims, name) > now_s + skew_s:
                raise _TokenError(name)
        if claims.get("iss") != self._settings.tokens.issuer:
            raise _TokenError("iss")
        given = claims.get("aud")
        audiences = given if isinstance(given, list) else [given]
        if not all(isinstance(one, str) for one in audiences) or self._settings.tokens.audience not in audiences:
            raise _TokenError("aud")


def _bearer_token(values: list[str | bytes]) -> str:
    if len(values) != 1:
        raise _TokenError("authorization")
    kind, _, rest = str(values[0]).partition(" ")
    token = rest.lstrip(" ")
    if kind.lower() != "bearer" or len(token) > _TOKEN_CHARACTERS_MAX:
        raise _TokenError("authorization")
    return token


def _json_object(data: bytes) -> dict[str, Any]:
    found = json.loads(data.decode(), object_pairs_hook=_named_once, parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise _TokenError("form")
    _check_depth(found, _DEPTH_MAX)
    return found


def _check_depth(value: object, left: int) -> None:
    if isinstance(value, dict | list):
        if left == 0:
            raise _TokenError("form")
        for inner in value.values() if isinstance(value, dict) else value:
            _check_depth(inner, left - 1)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values of one name, another reader may believe the other one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TokenError("form")
    return found


def _no_constant(_: str) -> float:
    """``NaN`` and ``Infinity`` are not JSON."""
    raise _TokenError("form")


def _time_s(claims: dict[str, Any], name: str) -> float:
    value: Any = claims.get(name)
    if type(value) not in (int, float) or not 0 <= value <= _TIME_MAX_S:
        raise _TokenError(name)
    return float(value)


def _scopes(claims: dict[str, Any]) -> list[Any]:
    """RFC 8693 writes one string with spaces between; some issuers write an array."""
    scope = claims.get("scope")
    if isinstance(scope, str):
        return scope.split(" ")
    return scope if isinstance(scope, list) else []
