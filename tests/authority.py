"""Certificates and tokens made for a test: an authority for the first, an issuer for the second."""

import json
import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Pair(NamedTuple):
    cert: str
    key: str


def replace(path: str | Path, data: bytes) -> None:
    """Change a file the way that rotation does: whole, at once."""
    beside = Path(f"{path}.new")
    beside.write_bytes(data)
    os.replace(beside, path)  # noqa: PTH105 - the name says what it is


class Authority:
    """Signs certificates; ``path`` is the file with its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.path = str(folder / f"{name}.pem")
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key.public_key(), -DAY, 10 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, SHA256())
        )
        Path(self.path).write_bytes(certificate.public_bytes(Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, begins: timedelta, ends: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            self._name, subject, key, x509.random_serial_number(), now + begins, now + ends, []
        )

    def issue(
        self,
        name: str,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        begins: timedelta = -DAY,
        ends: timedelta = DAY,
        key: Any = None,
    ) -> Pair:
        """A certificate and its key in the files ``name``.pem and ``name``.key, replaced if they are there."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(subject, key.public_key(), begins, ends)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, SHA256())
        )
        pair = Pair(str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key"))
        replace(pair.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        replace(pair.cert, certificate.public_bytes(Encoding.PEM))
        return pair


class Issuer:
    """Signs tokens; ``jwks`` is the file with its public keys."""

    NAME = "https://issuer.test"
    AUDIENCE = "latecomer"
    SCOPE = "latecomer.features latecomer.inference"

    def __init__(self, folder: Path) -> None:
        self.jwks = str(folder / "jwks.json")
        self.keys: dict[str, Any] = {"first": rsa.generate_private_key(65537, 2048)}
        self.publish()

    def publish(self) -> None:
        """Write the public keys of all keys held."""
        published = []
        for key_id, key in self.keys.items():
            algorithm = (
                jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
            )
            published.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig"})
        replace(self.jwks, json.dumps({"keys": published}).encode())

    def public_pem(self, key_id: str = "first") -> bytes:
        public: bytes = self.keys[key_id].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return public

    def token(self, key_id: str | None = "first", key: Any = None, algorithm: str = "", **claims: Any) -> str:
        """A token that is valid for an hour, but for the claims given; one that is ``None`` is left out."""
        now = datetime.now(UTC)
        whole = {
            "iss": self.NAME,
            "aud": self.AUDIENCE,
            "sub": "a test",
            "iat": now,
            "nbf": now,
            "exp": now + timedelta(hours=1),
            "scope": self.SCOPE,
        } | claims
        signing = self.keys[key_id or "first"] if key is None else key
        default = "RS256" if isinstance(signing, rsa.RSAPrivateKey) else "ES256"
        headers = {"kid": key_id} if key_id else {}
        kept = {name: value for name, value in whole.items() if value is not None}
        used: Any = None if algorithm == "none" else signing
        return jwt.encode(kept, used, algorithm or default, headers)
