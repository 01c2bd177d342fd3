"""Who is let in by a server that asks for tokens, and what the others are told."""

import base64
import hashlib
import hmac
import json
import logging
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from grpc_services.python.server import start
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from tests.authority import Issuer, replace
from tests.grpc_services.python.guarded import ONE_EVENT, asked
from tests.grpc_services.python.messages import window_batch

NOT_VALID = (grpc.StatusCode.UNAUTHENTICATED, "the token is missing or not valid")
NOT_ALLOWED = (grpc.StatusCode.PERMISSION_DENIED, "the token does not allow this")


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
