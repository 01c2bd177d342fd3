"""Who may call: each call shows a JSON Web Token, signed by a key of the issuer's key set (RFC 7519, RFC 8725).

The caller learns only that its token is not valid or does not allow the call; the log has the kind of the fault, never
the token.
"""

import json
import logging
from typing import Any, Final, NamedTuple

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from grpc_services.python.errors import ForbiddenError, UnauthenticatedError
from grpc_services.python.settings import ServerSettings, SettingsError
from grpc_services.python.watched_files import WatchedFiles

__all__ = ["TokenCheck"]

_logger = logging.getLogger(__name__)

_KEY_KINDS: Final = {
    **{f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The one kind of key that each signature goes with: a key is never used in another way than it was made for."""

_RSA_BITS_MIN: Final = 2048
"""RFC 7518, section 3.3."""

_TOKEN_CHARACTERS_MAX: Final = 16_384
"""More than gRPC lets through in all metadata of a call."""


class _Key(NamedTuple):
    key_id: str | None
    kind: tuple[str, str | None]
    algorithm: str | None
    public: Any


class TokenCheck:
    """Checks the token of each call."""

    def __init__(self, settings: ServerSettings) -> None:
        """Read the key set.

        Raises:
            SettingsError: it cannot be read, or is no set of public keys.
        """
        assert settings.jwks is not None
        path = settings.jwks
        self._keys = WatchedFiles([path], lambda contents: _public_keys(path, contents[0]))
        self._settings = settings

    def admit(self, context: grpc.ServicerContext) -> None:
        """Let a call in.

        Raises:
            UnauthenticatedError: it shows no token, or one that is not valid here and now.
            ForbiddenError: its token does not hold the scope, or is that of somebody else than may call.
        """
        values = [value for key, value in context.invocation_metadata() if key == "authorization"]
        try:
            claims = self._claims(_bearer_token(values))
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            _logger.info("a call was refused: %s", type(error).__name__)
            raise UnauthenticatedError from None
        scope, subjects = self._settings.required_scope, self._settings.subjects
        if (scope is not None and scope not in _scopes(claims)) or (subjects and claims.get("sub") not in subjects):
            raise ForbiddenError

    def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._settings.jwt_algorithms:
            raise jwt.InvalidAlgorithmError
        fitting = [
            key
            for key in self._keys.current()
            if key.kind == _KEY_KINDS[algorithm]
            and key.algorithm in (None, algorithm)
            and (key_id is None or key.key_id == key_id)
        ]
        for key in fitting:
            try:
                return jwt.decode(
                    token,
                    key.public,
                    algorithms=[algorithm],
                    audience=self._settings.audience,
                    issuer=self._settings.issuer,
                    leeway=self._settings.clock_skew_ms / 1000,
                    options={"require": ["exp", "iss", "aud"]},
                )
            except jwt.InvalidSignatureError:
                continue  # without a key id, or with one used twice, another key may have signed
        raise jwt.InvalidSignatureError


def _bearer_token(values: list[str | bytes]) -> str:
    [value] = values  # none or several are as wrong as a bad one
    kind, _, token = str(value).partition(" ")
    if kind.lower() != "bearer" or len(token) > _TOKEN_CHARACTERS_MAX:
        raise ValueError
    return token


def _scopes(claims: dict[str, Any]) -> list[Any]:
    """RFC 8693 writes one string with spaces between; some issuers write an array."""
    scope = claims.get("scope")
    if isinstance(scope, str):
        return scope.split(" ")
    return scope if isinstance(scope, list) else []


def _public_keys(path: str, data: bytes) -> list[_Key]:
    try:
        given = json.loads(data)["keys"]
        keys = [key for one in given if (key := _public_key(path, one)) is not None]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, jwt.PyJWTError):
        raise SettingsError(f"{path}: is no JSON Web Key Set, or a key in it is damaged") from None
    if not keys:
        raise SettingsError(f"{path}: holds no key that a signature can be checked by")
    return keys


def _public_key(path: str, one: dict[str, Any]) -> _Key | None:
    """A key as the set holds it; ``None`` for one that is for something else."""
    if one["kty"] == "oct" or "d" in one:
        raise SettingsError(f"{path}: holds a secret key; the set must hold public keys only")
    kind = (one["kty"], None if one["kty"] == "RSA" else one.get("crv"))
    if kind not in _KEY_KINDS.values() or one.get("use", "sig") != "sig":
        return None
    if one.get("alg") not in (None, *_KEY_KINDS):
        return None
    # The algorithm counts below; here it would only bind an RSA key to RS256.
    public = jwt.PyJWK({name: value for name, value in one.items() if name != "alg"}).key
    if isinstance(public, RSAPublicKey) and public.key_size < _RSA_BITS_MIN:
        raise SettingsError(f"{path}: holds an RSA key below {_RSA_BITS_MIN} bits")
    return _Key(one.get("kid"), kind, one.get("alg"), public)
