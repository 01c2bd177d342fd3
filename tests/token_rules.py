"""The rules of docs/tokens.md as a table: a token, or what stands in the metadata, and how a call with it ends."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any, Final

import grpc
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.authority import Issuer
from tests.tokens import TokenMaker, base64url

__all__ = ["ALGORITHMS", "HEADERS", "NOT_ALLOWED", "NOT_VALID", "OK", "TEXTS", "TOKENS"]

ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")
"""What the server is told to take."""

OK: Final = grpc.StatusCode.OK
NOT_VALID: Final = grpc.StatusCode.UNAUTHENTICATED
NOT_ALLOWED: Final = grpc.StatusCode.PERMISSION_DENIED
TEXTS: Final = {
    NOT_VALID: "the token is missing or not valid",
    NOT_ALLOWED: "the token does not allow this",
    OK: None,
}
SKEW_S: Final = 30
YEAR_9999_S: Final = 253_402_300_799


def claims(**given: Any) -> Callable[[TokenMaker], str]:
    return lambda maker: maker.token(claims=given)


def header(**given: Any) -> Callable[[TokenMaker], str]:
    return lambda maker: maker.token(header=given)


def at(name: str, seconds: float) -> Callable[[TokenMaker], str]:
    """With a time that is so far from now."""
    return lambda maker: maker.token(claims={name: time.time() + seconds})


def written(name: str, text: str, part: str = "claims") -> Callable[[TokenMaker], str]:
    """With a value as JSON writes it: what no Python object becomes."""

    def made(maker: TokenMaker) -> str:
        usual = json.loads(base64url_decoded(maker.token(without=name).split(".")[part == "claims"]))
        return maker.token(**{part: json.dumps(usual)[:-1] + f', "{name}": {text}}}'})

    return made


def twice(name: str, first: str, part: str = "claims") -> Callable[[TokenMaker], str]:
    """With a name that is there twice, the right value last."""

    def made(maker: TokenMaker) -> str:
        usual = base64url_decoded(maker.token().split(".")[part == "claims"]).decode()
        return maker.token(**{part: f'{{"{name}": {first}, {usual[1:]}'})

    return made


def marked(part: str) -> Callable[[TokenMaker], str]:
    """With a byte order mark, which some readers skip."""

    def made(maker: TokenMaker) -> str:
        usual = base64url_decoded(maker.token().split(".")[part == "claims"]).decode()
        return maker.token(**{part: "\ufeff" + usual})

    return made


def with_bits_behind(token: str) -> str:
    """The same bytes, for a reader who does not look at the last bits: 256 bytes leave four of them."""
    assert base64url_decoded(token[-342:]) == base64url_decoded(token[-342:-1] + chr(ord(token[-1]) + 1))
    return token[:-1] + chr(ord(token[-1]) + 1)


def base64url_decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed_with_the_public_key(maker: TokenMaker) -> str:
    """A key set tells everybody the bytes that HS256 would be keyed with."""
    pem = maker.keys["rsa"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing_input = maker.token(header={"alg": "HS256"}).rpartition(".")[0]
    return f"{signing_input}.{base64url(hmac.new(pem, signing_input.encode(), hashlib.sha256).digest())}"


def unsigned(maker: TokenMaker) -> str:
    return maker.token(header={"alg": "none"}).rpartition(".")[0] + "."


TOKENS: Final[dict[str, tuple[Callable[[TokenMaker], str], grpc.StatusCode]]] = {
    "usual": (claims(), OK),
    # times
    "exp missing": (lambda maker: maker.token(without="exp"), NOT_VALID),
    "exp null": (claims(exp=None), NOT_VALID),
    "exp a text": (lambda maker: maker.token(claims={"exp": str(int(time.time()) + 3_600)}), NOT_VALID),
    "exp true": (claims(exp=True), NOT_VALID),
    "exp a list": (claims(exp=[YEAR_9999_S]), NOT_VALID),
    "exp negative": (claims(exp=-1), NOT_VALID),
    "exp the end of the year 9999": (claims(exp=YEAR_9999_S), OK),
    "exp after the year 9999": (claims(exp=YEAR_9999_S + 1), NOT_VALID),
    "exp of 400 digits": (written("exp", "9" * 400), NOT_VALID),
    "exp above every double": (written("exp", "1e400"), NOT_VALID),
    "exp NaN": (written("exp", "NaN"), NOT_VALID),
    "exp Infinity": (written("exp", "Infinity"), NOT_VALID),
    "exp with a fraction": (at("exp", 3_600.5), OK),
    "exp with an exponent": (written("exp", "2.5e11"), OK),
    "exp within the skew": (at("exp", -SKEW_S / 2), OK),
    "exp beyond the skew": (at("exp", -2 * SKEW_S), NOT_VALID),
    **{
        f"{name} {how}": (made, expected)
        for name in ("nbf", "iat")
        for how, made, expected in (
            ("missing", lambda maker, name=name: maker.token(without=name), OK),
            ("null", claims(**{name: None}), NOT_VALID),
            ("a text", claims(**{name: "1"}), NOT_VALID),
            ("false", claims(**{name: False}), NOT_VALID),
            ("zero", claims(**{name: 0}), OK),
            ("negative", claims(**{name: -1}), NOT_VALID),
            ("a fraction", claims(**{name: 0.5}), OK),
            ("of 400 digits", written(name, "9" * 400), NOT_VALID),
            ("within the skew", at(name, SKEW_S / 2), OK),
            ("in the future", at(name, 2 * SKEW_S), NOT_VALID),
        )
    },
    # who, for whom, and for what
    "iss missing": (lambda maker: maker.token(without="iss"), NOT_VALID),
    "iss another": (claims(iss=Issuer.NAME + "/"), NOT_VALID),
    "iss a list": (claims(iss=[Issuer.NAME]), NOT_VALID),
    "aud missing": (lambda maker: maker.token(without="aud"), NOT_VALID),
    "aud null": (claims(aud=None), NOT_VALID),
    "aud another": (claims(aud="else"), NOT_VALID),
    "aud one of a list": (claims(aud=["else", Issuer.AUDIENCE]), OK),
    "aud an empty list": (claims(aud=[]), NOT_VALID),
    "aud a list of numbers": (claims(aud=[1, Issuer.AUDIENCE]), NOT_VALID),
    "aud an object": (claims(aud={Issuer.AUDIENCE: True}), NOT_VALID),
    "scope missing": (lambda maker: maker.token(without="scope"), NOT_ALLOWED),
    "scope null": (claims(scope=None), NOT_ALLOWED),
    "scope a number": (claims(scope=7), NOT_ALLOWED),
    "scope longer": (claims(scope="latecomer.features2"), NOT_ALLOWED),
    "scope one of a list": (claims(scope=["else", "latecomer.features"]), OK),
    "scope a list of numbers": (claims(scope=[1]), NOT_ALLOWED),
    "scope an object": (claims(scope={"latecomer.features": True}), NOT_ALLOWED),
    # header
    "alg missing": (lambda maker: maker.token(without="alg"), NOT_VALID),
    "alg none": (unsigned, NOT_VALID),
    "alg None": (lambda maker: unsigned(maker).replace("none", "None"), NOT_VALID),
    "alg HS256 by the public key": (signed_with_the_public_key, NOT_VALID),
    "alg in lower case": (header(alg="rs256"), NOT_VALID),
    "alg a list": (header(alg=["RS256"]), NOT_VALID),
    "alg not named by the server": (header(alg="RS512"), NOT_VALID),
    "alg of another kind of key": (header(alg="ES256"), NOT_VALID),
    "typ missing": (lambda maker: maker.token(without="typ"), OK),
    "typ in lower case": (header(typ="jwt"), OK),
    "typ of access tokens": (header(typ="at+jwt"), OK),
    "typ written in full": (header(typ="application/AT+JWT"), OK),
    "typ of another use": (header(typ="secevent+jwt"), NOT_VALID),
    "typ a number": (header(typ=1), NOT_VALID),
    "kid missing": (lambda maker: maker.token(without="kid"), OK),
    "kid unknown": (header(kid="unknown"), NOT_VALID),
    "kid null": (header(kid=None), NOT_VALID),
    "kid a number": (header(kid=1), NOT_VALID),
    "kid of another key": (header(kid="twin"), NOT_VALID),
    "kid of two keys, by the first": (lambda maker: maker.token("twin"), OK),
    "kid of two keys, by the second": (lambda maker: maker.token("other twin", header={"kid": "twin"}), OK),
    "crit": (header(crit=["exp"]), NOT_VALID),
    "crit empty": (header(crit=[]), NOT_VALID),
    "crit null": (header(crit=None), NOT_VALID),
    "b64 true": (header(b64=True), OK),
    "b64 false": (header(b64=False), NOT_VALID),
    "b64 null": (header(b64=None), NOT_VALID),
    "jku": (header(jku="http://127.0.0.1:9/keys"), OK),
    "a key in the header": (
        lambda maker: maker.token("unpublished", header={"kid": "rsa", "jwk": maker.public("unpublished")}),
        NOT_VALID,
    ),
    # keys
    "by an elliptic key": (lambda maker: maker.token("elliptic"), OK),
    "by an Ed25519 key": (lambda maker: maker.token("edwards"), OK),
    "by a curve whose alg is not named": (lambda maker: maker.token("wide"), NOT_VALID),
    "by another curve than the alg's": (lambda maker: maker.token("wide", header={"alg": "ES256"}), NOT_VALID),
    "by a key bound to its alg": (lambda maker: maker.token("bound"), OK),
    "by a key bound to another alg": (lambda maker: maker.token("bound", header={"alg": "RS256"}), NOT_VALID),
    "by a key for encryption": (lambda maker: maker.token("for encryption"), NOT_VALID),
    "by a key that is not published": (lambda maker: maker.token("unpublished", header={"kid": "rsa"}), NOT_VALID),
    # form
    "a claim twice": (twice("scope", '"latecomer.other"'), NOT_VALID),
    "exp twice": (twice("exp", "1"), NOT_VALID),
    "a header parameter twice": (twice("alg", '"none"', "header"), NOT_VALID),
    "claims that are a list": (lambda maker: maker.token(claims="[]"), NOT_VALID),
    "claims that are no JSON": (lambda maker: maker.token(claims="{"), NOT_VALID),
    "claims followed by more": (lambda maker: maker.token(claims='{"exp": 1} {}'), NOT_VALID),
    "a header that is a list": (lambda maker: maker.token(header="[]"), NOT_VALID),
    "a deep header": (lambda maker: maker.token(header='{"a":' + "[" * 2_000 + "]" * 2_000 + "}"), NOT_VALID),
    "changed claims": (
        lambda maker: ".".join([maker.token().split(".")[0], maker.token(claims={"sub": "x"}).split(".")[1], "AAAA"]),
        NOT_VALID,
    ),
    "no signature": (lambda maker: maker.token().rpartition(".")[0] + ".", NOT_VALID),
    "claims 32 deep": (written("deep", "[" * 31 + "]" * 31), OK),
    "claims 33 deep": (written("deep", "[" * 32 + "]" * 32), NOT_VALID),
    "claims behind a byte order mark": (marked("claims"), NOT_VALID),
    "a header behind a byte order mark": (marked("header"), NOT_VALID),
    "bits behind the end of the signature": (lambda maker: with_bits_behind(maker.token()), NOT_VALID),
    "two parts": (lambda maker: maker.token().rpartition(".")[0], NOT_VALID),
    "five parts": (lambda maker: maker.token() + ".AAAA.AAAA", NOT_VALID),
    "plain base64": (lambda maker: maker.token() + "+/==", NOT_VALID),
    "one word": (lambda maker: "abc", NOT_VALID),
}

HEADERS: Final[dict[str, tuple[Callable[[str], list[str]], grpc.StatusCode]]] = {
    "none": (lambda token: [], NOT_VALID),
    "two": (lambda token: [f"Bearer {token}", f"Bearer {token}"], NOT_VALID),
    "a good one behind a bad one": (lambda token: ["Bearer x", f"Bearer {token}"], NOT_VALID),
    "empty": (lambda token: [""], NOT_VALID),
    "the scheme alone": (lambda token: ["Bearer"], NOT_VALID),
    "the token alone": (lambda token: [token], NOT_VALID),
    "another scheme": (lambda token: [f"Basic {token}"], NOT_VALID),
    "a longer scheme": (lambda token: [f"Bearers {token}"], NOT_VALID),
    "in lower case": (lambda token: [f"bearer {token}"], OK),
    "in upper case": (lambda token: [f"BEARER {token}"], OK),
    "two spaces": (lambda token: [f"Bearer  {token}"], OK),
    "a comma": (lambda token: [f"Bearer {token}, Bearer {token}"], NOT_VALID),
}
