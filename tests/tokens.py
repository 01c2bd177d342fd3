"""Tokens made by hand, so that each part can be wrong in its own way, and a key set with a key of each kind."""

import base64
import json
import time
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.authority import Issuer, replace

__all__ = ["TokenMaker", "base64url"]


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@cache
def _keys() -> dict[str, Any]:
    """Made once for all tests: a key of RSA takes a while."""
    return {
        "rsa": rsa.generate_private_key(65537, 2048),
        "bound": rsa.generate_private_key(65537, 2048),
        "twin": rsa.generate_private_key(65537, 2048),
        "other twin": rsa.generate_private_key(65537, 2048),
        "for encryption": rsa.generate_private_key(65537, 2048),
        "unpublished": rsa.generate_private_key(65537, 2048),
        "elliptic": ec.generate_private_key(ec.SECP256R1()),
        "wide": ec.generate_private_key(ec.SECP384R1()),
        "edwards": ed25519.Ed25519PrivateKey.generate(),
    }


class TokenMaker:
    """Signs by keys of many kinds, by their names; ``jwks`` is the file with the public ones."""

    def __init__(self, folder: Path) -> None:
        self.jwks = str(folder / "rules.jwks.json")
        self.keys = dict(_keys())
        self.publish(*(self.public(name) for name in self.keys if name != "unpublished"))

    def public(self, name: str, **changes: Any) -> dict[str, Any]:
        """The public key as a key set holds it."""
        key = self.keys[name]
        kinds: dict[type, Any] = {rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm}
        kinds |= {ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm}
        kinds |= {ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm}
        [kind] = [kind for of, kind in kinds.items() if isinstance(key, of)]
        told = {"kid": name, "use": "sig"}
        told |= {"bound": {"alg": "PS256"}, "other twin": {"kid": "twin"}, "for encryption": {"use": "enc"}}.get(
            name, {}
        )
        whole: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
        whole.pop("key_ops", None)
        return {**whole, **told, **changes}

    def publish(self, *keys: dict[str, Any]) -> None:
        """Make these the key set."""
        replace(self.jwks, json.dumps({"keys": keys}).encode())

    def token(
        self,
        signed_by: str = "rsa",
        *,
        header: dict[str, Any] | str | None = None,
        claims: dict[str, Any] | str | None = None,
        without: str | None = None,
    ) -> str:
        """A token that is valid for an hour, but for what is given.

        Args:
            signed_by: the name of a key.
            header: parameters in place of, or beside, the usual ones; a text stands as it is.
            claims: the same for claims.
            without: the claim or parameter that is left out.
        """
        algorithm = {"elliptic": "ES256", "wide": "ES384", "edwards": "EdDSA", "bound": "PS256"}.get(signed_by, "RS256")
        usual_header = {"alg": algorithm, "typ": "JWT", "kid": signed_by}
        now = int(time.time())
        usual_claims = {"iss": Issuer.NAME, "aud": Issuer.AUDIENCE, "sub": "a test", "scope": Issuer.SCOPE}
        usual_claims |= {"iat": now, "nbf": now, "exp": now + 3_600}
        parts = []
        for usual, given in ((usual_header, header), (usual_claims, claims)):
            changed = usual | (given if isinstance(given, dict) else {})
            kept = {name: value for name, value in changed.items() if name != without}
            parts.append(base64url((given if isinstance(given, str) else json.dumps(kept)).encode()))
        signing_input = ".".join(parts)
        algorithms = jwt.algorithms.get_default_algorithms()
        signature = algorithms[algorithm].sign(signing_input.encode(), self.keys[signed_by])
        return f"{signing_input}.{base64url(signature)}"
