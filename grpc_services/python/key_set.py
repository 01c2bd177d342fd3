"""The public keys of the issuer of tokens: a JSON Web Key Set (RFC 7517) in a file that may change.

``docs/tokens.md`` has the rules, one table for both languages.
"""

import json
import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from runtime.errors import SettingsError
from runtime.watched_files import StaleFilesError, WatchedFiles

__all__ = ["KEPT_S", "Key", "KeySet"]

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

_RSA_BITS_MAX: Final = 16_384
"""What Java's own reader takes; the time of a check grows with the square, and strangers have their tokens checked."""

_BYTES_MAX: Final = 1 << 20
_KEYS_MAX: Final = 32
"""A token without a key id is tried on each: this bounds what one costs. Issuers publish two to ten."""

KEPT_S: Final = 600.0
"""How long the last good keys serve while the file is unreadable: a rotation caught half-way takes seconds, and a key
that was taken away because it leaked must not serve for ever."""


class Key(NamedTuple):
    """A public key.

    Attributes:
        key_id: its ``kid``.
        kind: its ``kty`` and curve.
        algorithm: the only one that it is for, or ``None``.
        public: as the cryptography library has it.
    """

    key_id: str | None
    kind: tuple[str, str | None]
    algorithm: str | None
    public: Any

    def fits(self, algorithm: str, key_id: str | None) -> bool:
        """Whether it may have signed a token of this algorithm that names this key, or none."""
        return (
            self.kind == _KEY_KINDS[algorithm] and self.algorithm in (None, algorithm) and key_id in (None, self.key_id)
        )


class KeySet:
    """The keys of the moment."""

    def __init__(self, path: str, algorithms: Sequence[str], clock_s: Callable[[], float] = monotonic) -> None:
        """Read the file.

        Raises:
            SettingsError: it cannot be read, is no set of public keys, or holds none for these algorithms.
        """
        self._path = path
        self._algorithms = algorithms
        self._file = WatchedFiles([path], lambda contents: self._fitting(contents[0]), KEPT_S, clock_s)
        if not self._file.current():
            raise SettingsError(f"{path}: holds no key for {', '.join(algorithms)}")

    def current(self) -> list[Key]:
        """None where the set was emptied, or has been unreadable for too long: then every call is refused."""
        try:
            return self._file.current()
        except StaleFilesError:
            return []

    def _fitting(self, data: bytes) -> list[Key]:
        keys = _public_keys(self._path, data)
        fitting = [key for key in keys if any(key.fits(algorithm, None) for algorithm in self._algorithms)]
        if not fitting:
            _logger.error("%s: holds no key for %s: no call is let in", self._path, ", ".join(self._algorithms))
        return fitting


def _public_keys(path: str, data: bytes) -> list[Key]:
    if len(data) > _BYTES_MAX:
        raise SettingsError(f"{path}: holds {len(data)} bytes, a key set may hold {_BYTES_MAX}")
    try:
        given = json.loads(data)["keys"]
        if not isinstance(given, list):
            raise TypeError
        if len(given) > _KEYS_MAX:
            raise SettingsError(f"{path}: holds {len(given)} keys, a key set may hold {_KEYS_MAX}")
        return [key for one in given if (key := _public_key(path, one)) is not None]
    except SettingsError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, jwt.PyJWTError):
        raise SettingsError(f"{path}: is no JSON Web Key Set, or a key in it is damaged") from None


def _public_key(path: str, one: dict[str, Any]) -> Key | None:
    """A key as the set holds it; ``None`` for one that is for something else."""
    if one["kty"] == "oct" or "d" in one:
        raise SettingsError(f"{path}: holds a secret key; the set must hold public keys only")
    kind = (one["kty"], None if one["kty"] == "RSA" else one.get("crv"))
    is_for_signatures = one.get("use", "sig") == "sig" and "verify" in one.get("key_ops", ["verify"])
    if kind not in _KEY_KINDS.values() or not is_for_signatures or one.get("alg") not in (None, *_KEY_KINDS):
        return None
    # The algorithm counts below; here it would only bind an RSA key to RS256.
    public = jwt.PyJWK({name: value for name, value in one.items() if name != "alg"}).key
    if isinstance(public, RSAPublicKey) and not _RSA_BITS_MIN <= public.key_size <= _RSA_BITS_MAX:
        bits = f"{_RSA_BITS_MIN} to {_RSA_BITS_MAX} bits"
        raise SettingsError(f"{path}: holds an RSA key of {public.key_size} bits, which must have {bits}")
    return Key(one.get("kid"), kind, one.get("alg"), public)
