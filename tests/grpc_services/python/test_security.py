"""Who is let in by a server with TLS and tokens, and what the others are told."""

import base64
import hashlib
import hmac
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings, SettingsError
from grpc_services.python.stubs import mlpipeline_pb2_grpc as seed_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from tests.authority import DAY, Authority, Issuer, Pair, replace
from tests.grpc_services.python.messages import event_list, window_batch

ONE_EVENT = [(1, 1.0, 1.0, 1.0, 1.0)]
NOT_VALID = (grpc.StatusCode.UNAUTHENTICATED, "the token is missing or not valid")
NOT_ALLOWED = (grpc.StatusCode.PERMISSION_DENIED, "the token does not allow this")
_OWN_CONNECTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Guarded:
    """A feature server with TLS and the token check."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.issuer = Issuer(folder)
        self.issuer.keys["elliptic"] = ec.generate_private_key(ec.SECP256R1())
        self.issuer.publish()
        self.pair = self.authority.issue("server")
        self.server = start(self.settings())
        self.channel = self.new_channel()

    def settings(self, **changes):
        given = {
            "port": 0,
            "tls_cert": self.pair.cert,
            "tls_key": self.pair.key,
            "jwks": self.issuer.jwks,
            "issuer": Issuer.NAME,
            "audience": Issuer.AUDIENCE,
        }
        return ServerSettings("features", **given | changes)

    def new_channel(self, authority: Authority | None = None, pair: Pair | None = None, port: int | None = None):
        trusted = Path((authority or self.authority).path).read_bytes()
        shown = [Path(name).read_bytes() for name in (pair.key, pair.cert)] if pair else [None, None]
        credentials = grpc.ssl_channel_credentials(trusted, *shown)
        return grpc.secure_channel(f"127.0.0.1:{port or self.server.port}", credentials, _OWN_CONNECTIONS)

    def answer(self, *tokens: str, kind: str = "Bearer"):
        """How the server answers to a call with these tokens: the status and its text, ``None`` for a success."""
        metadata = [("authorization", f"{kind} {token}") for token in tokens]
        return asked(self.channel, metadata)


def asked(channel: grpc.Channel, metadata=()):
    try:
        seed_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(event_list(ONE_EVENT), metadata=metadata)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return None


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    one = Guarded(tmp_path_factory.mktemp("guarded"))
    yield one
    one.channel.close()
    one.server.stop(0.0)


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed_with_the_public_key(issuer: Issuer) -> str:
    parts = issuer.token().split(".")
    header = b64(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "first"}).encode())
    signed = f"{header}.{parts[1]}"
    return f"{signed}.{b64(hmac.new(issuer.public_pem(), signed.encode(), hashlib.sha256).digest())}"


def in_minutes(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


BAD_TOKENS = {
    "expired": lambda issuer: issuer.token(exp=in_minutes(-1)),
    "not_valid_yet": lambda issuer: issuer.token(nbf=in_minutes(1)),
    "for_another_audience": lambda issuer: issuer.token(aud="somebody else"),
    "of_another_issuer": lambda issuer: issuer.token(iss="https://other.test"),
    "without_an_end": lambda issuer: issuer.token(exp=None),
    "without_an_audience": lambda issuer: issuer.token(aud=None),
    "without_an_issuer": lambda issuer: issuer.token(iss=None),
    "alg_none": lambda issuer: issuer.token(algorithm="none"),
    "hs256_signed_with_the_public_key": signed_with_the_public_key,
    "another_algorithm": lambda issuer: issuer.token(algorithm="RS512"),
    "unknown_key": lambda issuer: issuer.token("second", key=rsa.generate_private_key(65537, 2048)),
    "another_key_under_a_known_id": lambda issuer: issuer.token(key=rsa.generate_private_key(65537, 2048)),
    "a_key_of_another_kind_under_a_known_id": lambda issuer: issuer.token("first", key=issuer.keys["elliptic"]),
    "changed": lambda issuer: issuer.token()[:-8] + "AAAAAAAA",
    "no_token_at_all": lambda issuer: "abc",
    "empty": lambda issuer: "",
    "huge": lambda issuer: issuer.token(junk="x" * 5_000)[:-1],
    "deep": lambda issuer: ".".join([b64(b"[" * 5_000), b64(b"{}"), b64(b"x")]),
    "not_json": lambda issuer: ".".join([b64(b"[]"), b64(b"{}"), b64(b"x")]),
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_bad_token_is_unauthenticated_and_nothing_more_is_told(guarded, kind, caplog):
    caplog.set_level(logging.DEBUG)
    token = BAD_TOKENS[kind](guarded.issuer)
    assert guarded.answer(token) == NOT_VALID
    assert not token or token not in caplog.text


def test_a_call_without_a_token_or_with_two_or_of_another_kind_is_unauthenticated(guarded):
    good = guarded.issuer.token()
    assert guarded.answer() == NOT_VALID
    assert guarded.answer(good, good) == NOT_VALID
    assert guarded.answer(good, kind="Basic") == NOT_VALID


@pytest.mark.parametrize("scope", [None, "", "latecomer.inference", "latecomer.features2", ["latecomer.inference"], 7])
def test_a_token_without_the_scope_is_denied(guarded, scope):
    assert guarded.answer(guarded.issuer.token(scope=scope)) == NOT_ALLOWED


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"key_id": "elliptic"},
        {"key_id": None},
        {"scope": "other latecomer.features"},
        {"scope": ["other", "latecomer.features"]},
        {"aud": ["other", Issuer.AUDIENCE]},
        {"exp": -0.2},  # minutes: within the allowed difference of the clocks
        {"nbf": 0.2},
    ],
)
def test_a_good_token_is_let_in(guarded, changes):
    times = {name: in_minutes(value) for name, value in changes.items() if isinstance(value, float)}
    assert guarded.answer(guarded.issuer.token(**changes | times)) is None


@pytest.mark.parametrize(
    ("settings", "claims", "expected"),
    [
        ({}, {"scope": None}, None),  # who it is says all
        ({}, {"sub": "one", "scope": "other"}, None),
        ({}, {"sub": "another"}, NOT_ALLOWED),
        ({}, {"sub": None}, NOT_ALLOWED),
        ({"scope": "latecomer.features"}, {}, None),
        ({"scope": "latecomer.features"}, {"scope": None}, NOT_ALLOWED),
    ],
)
def test_where_subjects_are_named_only_they_may_call(guarded, settings, claims, expected):
    server = start(guarded.settings(subjects=("one", "two"), **settings))
    token = guarded.issuer.token(**{"sub": "two"} | claims)
    with guarded.new_channel(port=server.port) as channel:
        assert asked(channel, [("authorization", f"Bearer {token}")]) == expected
    server.stop(0.0)


def test_streams_and_reflection_need_a_token_and_health_does_not(guarded):
    batches = batch_pb2_grpc.FeatureServiceStub(guarded.channel)
    reflection = reflection_pb2_grpc.ServerReflectionStub(guarded.channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    token = [("authorization", f"Bearer {guarded.issuer.token()}")]
    for call, request in (
        (batches.StreamFeatures, window_batch([ONE_EVENT])),
        (reflection.ServerReflectionInfo, question),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            next(call(iter([request])))
        assert (refused.value.code(), refused.value.details()) == NOT_VALID
        assert len(list(call(iter([request]), metadata=token))) == 1
    health = health_pb2_grpc.HealthStub(guarded.channel).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING


def test_a_new_key_counts_from_its_publication_and_an_old_one_until_it_is_taken_away(guarded):
    guarded.issuer.keys["next"] = rsa.generate_private_key(65537, 2048)
    token = guarded.issuer.token("next")
    assert guarded.answer(token) == NOT_VALID
    guarded.issuer.publish()
    assert guarded.answer(token) is None
    replace(guarded.issuer.jwks, b'{"keys": [')  # half a file does no harm
    assert guarded.answer(token) is None
    del guarded.issuer.keys["next"]
    guarded.issuer.publish()
    assert guarded.answer(token) == NOT_VALID
    assert guarded.answer(guarded.issuer.token()) is None


def test_a_new_certificate_is_shown_to_new_connections_and_half_a_rotation_does_no_harm(guarded):
    token = [("authorization", f"Bearer {guarded.issuer.token()}")]
    other = Authority(guarded.authority.folder, "other")
    was = Path(guarded.pair.cert).read_bytes()
    replaced = other.issue("replaced")
    try:
        replace(guarded.pair.cert, Path(replaced.cert).read_bytes())  # its key is still the old one
        with guarded.new_channel() as channel:
            assert asked(channel, token) is None
        replace(guarded.pair.key, Path(replaced.key).read_bytes())
        with guarded.new_channel(other) as channel:
            assert asked(channel, token) is None
        with guarded.new_channel() as channel:
            assert asked(channel, token)[0] is grpc.StatusCode.UNAVAILABLE
        assert asked(guarded.channel, token) is None  # an open connection stays
    finally:
        guarded.authority.issue("server")
    assert was != Path(guarded.pair.cert).read_bytes()
    with guarded.new_channel() as channel:
        assert asked(channel, token) is None


@pytest.mark.parametrize(
    ("hosts", "lasts"), [(("elsewhere.test",), DAY), (("localhost", "127.0.0.1"), -DAY / 2)], ids=["name", "expired"]
)
def test_a_server_of_another_name_or_with_an_expired_certificate_is_refused(guarded, hosts, lasts):
    pair = guarded.authority.issue("bad", hosts, ends=lasts)
    server = start(guarded.settings(tls_cert=pair.cert, tls_key=pair.key))
    with guarded.new_channel(port=server.port) as channel:
        assert asked(channel)[0] is grpc.StatusCode.UNAVAILABLE
    server.stop(0.0)


def test_with_mutual_tls_only_a_certificate_of_the_clients_authority_is_let_in(guarded, tmp_path):
    clients = Authority(tmp_path, "clients")
    server = start(
        ServerSettings(
            "features", port=0, tls_cert=guarded.pair.cert, tls_key=guarded.pair.key, tls_client_ca=clients.path
        )
    )
    allowed, late = clients.issue("allowed"), clients.issue("late", ends=-DAY / 2)
    for pair, expected in (
        (allowed, None),
        (late, grpc.StatusCode.UNAVAILABLE),
        (guarded.pair, grpc.StatusCode.UNAVAILABLE),
        (None, grpc.StatusCode.UNAVAILABLE),
    ):
        with guarded.new_channel(pair=pair, port=server.port) as channel:
            answer = asked(channel)
            assert (answer and answer[0]) is expected
    server.stop(0.0)


def bad_files(folder: Path, pair: Pair) -> dict[str, dict[str, str]]:
    """Settings that name files with something else in them."""
    (folder / "text").write_text("secret text\n")
    (folder / "oct.json").write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}))
    (folder / "none.json").write_text('{"keys": []}')
    other = Authority(folder, "third").issue("third")
    return {
        "there is no such file": {"tls_cert": str(folder / "missing")},
        "no certificate": {"tls_cert": str(folder / "text")},
        "no key": {"tls_key": str(folder / "text")},
        "the key of another": {"tls_key": other.key},
        "no authority": {"tls_client_ca": pair.key},
        "no key set": {"jwks": str(folder / "text")},
        "a secret key": {"jwks": str(folder / "oct.json")},
        "no key in the set": {"jwks": str(folder / "none.json")},
    }


def test_files_that_hold_something_else_are_refused_by_name_and_without_their_contents(guarded, tmp_path):
    for changes in bad_files(tmp_path, guarded.pair).values():
        [path] = changes.values()
        with pytest.raises(SettingsError) as refused:
            start(guarded.settings(**changes))
        line = str(refused.value)
        assert line.startswith(f"{path}: ")
        assert "\n" not in line
        assert "secret text" not in line
        assert "PRIVATE" not in line


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"tls_key": None}, "tls_cert needs tls_key"),
        ({"tls_cert": None}, "tls_key needs tls_cert"),
        ({"tls_cert": None, "tls_key": None}, "jwks needs tls_cert and tls_key: a token never travels in plain"),
        ({"issuer": None}, "jwks needs issuer"),
        ({"audience": ""}, "jwks needs audience"),
        ({"jwks": None}, "issuer needs jwks"),
        ({"scope": "a b"}, "scope must be one name, not 'a b'"),
        ({"jwks": None, "issuer": None, "audience": None, "subjects": ("a",)}, "subjects needs jwks"),
        ({"subjects": ("a", "")}, "subject must be a name, or several with commas between"),
        ({"jwt_algorithms": ()}, "jwt_algorithms must name one at least"),
        ({"clock_skew_ms": 300_001}, "clock_skew_ms must be an integer from 0 to 300000, not 300001"),
    ],
)
def test_settings_that_would_leave_a_gap_are_refused(guarded, changes, line):
    with pytest.raises(SettingsError) as refused:
        guarded.settings(**changes)
    assert str(refused.value) == line


@pytest.mark.parametrize("algorithm", ["none", "HS256", "rs256", ""])
def test_an_algorithm_that_needs_no_private_key_is_never_allowed(guarded, algorithm):
    with pytest.raises(SettingsError, match=r"^jwt_algorithms must be of "):
        guarded.settings(jwt_algorithms=("RS256", algorithm))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_host_that_others_can_reach_needs_tls_or_to_be_told_so(guarded, host):
    with pytest.raises(SettingsError, match=f"^host {host} can be reached from other machines: "):
        ServerSettings("features", host=host)
    assert ServerSettings("features", host=host, allow_plain=True).host == host
    assert guarded.settings(host=host).host == host
