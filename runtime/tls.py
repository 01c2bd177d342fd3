"""Certificates and keys for both ends of a channel, checked before they are used."""

import logging
from datetime import UTC, datetime
from functools import cache
from typing import Final, NamedTuple

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from runtime.errors import SettingsError
from runtime.watched_files import WatchedFiles

__all__ = ["TlsFiles", "server_credentials", "watched_tls_files"]

_RSA_BITS_MIN: Final = 2_048
_CURVES: Final = ("secp256r1", "secp384r1")
"""gRPC's library signs no handshake by another key: a server with one would listen and take no connection."""

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"

_logger = logging.getLogger(__name__)


class TlsFiles(NamedTuple):
    """What one end of a channel presents and trusts, PEM.

    Attributes:
        pair: its private key, and its certificate with the intermediate ones.
        authorities: the authorities that must have signed the other end's certificate; ``None``: it asks for none.
    """

    pair: tuple[bytes, bytes] | None
    authorities: bytes | None


def watched_tls_files(cert: str | None, key: str | None, authorities: str | None) -> WatchedFiles[TlsFiles]:
    """The files of one end, by their names. Once the authorities were all taken out of theirs, nobody is believed.

    Raises:
        SettingsError: one cannot be read, holds something else, or key and certificate do not fit each other.
    """
    paths = [path for path in (cert, key, authorities) if path is not None]
    has_begun = False

    def parsed(contents: list[bytes]) -> TlsFiles:
        by_path = dict(zip(paths, contents, strict=True))
        believed = None if authorities is None else by_path[authorities]
        if authorities is not None and believed is not None:
            if has_begun and _BEGIN not in believed:
                _logger.error("%s: holds no certificate: nobody new is let in", authorities)
                believed = _nobody()
            _certificates(authorities, believed)
        if cert is None or key is None:
            return TlsFiles(None, believed)
        _check_pair(cert, by_path[cert], key, by_path[key])
        return TlsFiles((by_path[key], by_path[cert]), believed)

    files = WatchedFiles(paths, parsed)
    has_begun = True
    return files


def server_credentials(files: WatchedFiles[TlsFiles]) -> grpc.ServerCredentials:
    """TLS by these files as they are at each handshake; with authorities, clients must present a certificate."""
    given = files.current()

    def configuration(held: TlsFiles) -> grpc.ServerCertificateConfiguration:
        assert held.pair is not None
        return grpc.ssl_server_certificate_configuration([held.pair], held.authorities)

    def configuration_if_changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal given
        held = files.current()
        if held is given:
            return None
        given = held
        return configuration(held)

    return grpc.dynamic_ssl_server_credentials(
        configuration(given),
        configuration_if_changed,  # type: ignore[arg-type]  # None, for no change, is not in its types
        require_client_authentication=given.authorities is not None,
    )


@cache
def _nobody() -> bytes:
    """An authority that has signed nothing and never will: its key is gone. gRPC takes no empty list of them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _certificates(path: str, data: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise SettingsError(f"{path}: holds no certificate, or a damaged one (PEM is needed)") from None


def _is_usable(key: CertificatePublicKeyTypes) -> bool:
    if isinstance(key, RSAPublicKey):
        return key.key_size >= _RSA_BITS_MIN
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES


def _check_pair(cert: str, cert_data: bytes, key: str, key_data: bytes) -> None:
    certificate = _certificates(cert, cert_data)[0]
    try:
        private = load_pem_private_key(key_data, password=None)
    except (ValueError, TypeError):  # its own words could tell what is inside
        raise SettingsError(f"{key}: holds no private key that can be read (PEM, not encrypted)") from None
    public = certificate.public_key()
    if not _is_usable(public):
        raise SettingsError(f"{cert}: its key must be RSA of {_RSA_BITS_MIN} bits or more, or EC on P-256 or P-384")
    if private.public_key() != public:
        raise SettingsError(f"{key}: is not the key of the certificate in {cert}")
