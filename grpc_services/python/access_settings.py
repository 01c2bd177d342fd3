"""What an operator can set about who may call a server: its certificate, and the tokens that it accepts."""

from dataclasses import dataclass
from typing import Final

from runtime.durations import duration_text
from runtime.errors import SettingsError
from runtime.settings import flag_of, setting

__all__ = ["ALGORITHMS", "TlsSettings", "TokenSettings", "check_range", "check_wait"]

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""The signatures of tokens that a public key can check. With ``none`` or an HS one anybody could sign."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The server's certificate, and whether clients need one. The files are read again when they change."""

    tls_cert: str | None = setting(
        None, "Certificate of the server and those between it and its authority, PEM; turns TLS on.", shows="FILE"
    )
    tls_key: str | None = setting(None, "Private key of the certificate, PEM, not encrypted.", shows="FILE")
    tls_client_ca: str | None = setting(
        None, "Authorities of clients, PEM; each client then has to show a certificate of one of them.", shows="FILE"
    )

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            given, needed = ("--tls-cert", "--tls-key") if self.tls_key is None else ("--tls-key", "--tls-cert")
            raise SettingsError(f"{given} needs {needed}")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise SettingsError("--tls-client-ca needs --tls-cert and --tls-key")


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Which tokens are accepted. Source: docs/tokens.md."""

    jwks: str | None = setting(
        None,
        "Public keys of the issuer of tokens, a JSON Web Key Set (RFC 7517), read again when it changes; each call "
        "then needs a token, health excepted. Needs TLS.",
        shows="FILE",
    )
    issuer: str | None = setting(None, "Required issuer (iss) of a token.", shows="TEXT")
    audience: str | None = setting(None, "Audience (aud) that a token must be for.", shows="TEXT")
    jwt_algorithms: tuple[str, ...] = setting(
        ("RS256", "ES256"), "Accepted JWS algorithms.", kind="names", shows="NAME[,...]"
    )
    clock_skew_ms: int = setting(
        30_000, "Accepted difference between the issuer's clock and this machine's.", flag="--clock-skew",
        kind="duration",
    )  # fmt: skip
    scope: str | None = setting(
        None, "Scope that a token must hold. Default: latecomer.SERVICE, or none with --subject.", shows="NAME"
    )
    subjects: tuple[str, ...] = setting(
        (),
        "Accepted subjects (sub) of tokens, for issuers without scopes, such as Kubernetes service accounts. Default: "
        "any.",
        flag="--subject",
        kind="names",
        shows="NAME[,...]",
    )

    def __post_init__(self) -> None:
        check_wait(self, "clock_skew_ms", 0, 300_000)  # above, a token outlives its end by more than most live
        if not self.jwt_algorithms:
            raise SettingsError("--jwt-algorithms must name one at least")
        for algorithm in self.jwt_algorithms:
            if algorithm not in ALGORITHMS:
                raise SettingsError(f"--jwt-algorithms must be of {', '.join(ALGORITHMS)}, not {algorithm!r}")
        if self.jwks is None:
            for name in ("issuer", "audience", "scope", "subjects"):
                if getattr(self, name):
                    raise SettingsError(f"{flag_of(type(self), name)} needs --jwks")
            return
        for name in ("issuer", "audience"):
            if not getattr(self, name):
                raise SettingsError(f"--jwks needs --{name}")
        if self.scope is not None and len(self.scope.split()) != 1:
            raise SettingsError(f"--scope must be one name, not {self.scope!r}")
        if not all(self.subjects):
            raise SettingsError("--subject must be a name, or several with commas between")


def check_range(settings: object, name: str, lowest: int, highest: int) -> None:
    value = getattr(settings, name)
    if type(value) is not int or not lowest <= value <= highest:
        flag = flag_of(type(settings), name)
        raise SettingsError(f"{flag} must be an integer from {lowest} to {highest}, not {value!r}")


def check_wait(settings: object, name: str, lowest_ms: int, highest_ms: int) -> None:
    value = getattr(settings, name)
    if type(value) is not int or not lowest_ms <= value <= highest_ms:
        bounds = f"from {duration_text(lowest_ms)} to {duration_text(highest_ms)}"
        text = duration_text(value) if type(value) is int else repr(value)
        raise SettingsError(f"{flag_of(type(settings), name)} must be {bounds}, not {text}")
