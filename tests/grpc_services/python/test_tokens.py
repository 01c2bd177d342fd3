"""Who is let in by a server that asks for tokens, and what the others are told."""

import logging
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from grpc_services.python.errors import ForbiddenError, UnauthenticatedError, status_of
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from grpc_services.python.tokens import TokenCheck
from tests.authority import Issuer, replace
from tests.grpc_services.python.guarded import ONE_EVENT, asked
from tests.grpc_services.python.messages import window_batch
from tests.token_rules import ALGORITHMS, HEADERS, OK, TEXTS, TOKENS
from tests.tokens import TokenMaker

NOT_VALID = (grpc.StatusCode.UNAUTHENTICATED, "the token is missing or not valid")
NOT_ALLOWED = (grpc.StatusCode.PERMISSION_DENIED, "the token does not allow this")


def in_minutes(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    return TokenMaker(tmp_path_factory.mktemp("rules"))


def judged(maker, *values):
    """What the check says of a call with these values of ``authorization``."""
    settings = ServerSettings.of(
        "features",
        tls_cert="not read",
        tls_key="not read",
        jwks=maker.jwks,
        issuer=Issuer.NAME,
        audience=Issuer.AUDIENCE,
        jwt_algorithms=ALGORITHMS,
    )
    try:
        TokenCheck(settings).admit([("authorization", value) for value in values])
    except (UnauthenticatedError, ForbiddenError) as error:
        return status_of(error)
    return OK, None


@pytest.mark.parametrize("row", TOKENS)
def test_a_token_is_judged_as_the_table_says_and_never_logged(maker, row, caplog):
    caplog.set_level(logging.DEBUG)
    made, expected = TOKENS[row]
    token = made(maker)
    assert judged(maker, f"Bearer {token}") == (expected, TEXTS[expected])
    assert token not in caplog.text


@pytest.mark.parametrize("row", HEADERS)
def test_the_metadata_are_judged_as_the_table_says(maker, row):
    made, expected = HEADERS[row]
    assert judged(maker, *made(maker.token())) == (expected, TEXTS[expected])


def test_a_token_may_have_8192_characters(maker):
    usual = len(maker.token(claims={"more": ""}))
    longest = maker.token(claims={"more": "x" * ((8_192 - usual) // 4 * 3)})
    assert 8_188 <= len(longest) <= 8_192
    assert judged(maker, f"Bearer {longest}") == (OK, None)
    assert judged(maker, f"Bearer {maker.token(claims={'more': 'x' * 6_200})}")[0] is NOT_VALID[0]


def test_a_bad_token_is_unauthenticated_and_nothing_more_is_told(guarded):
    assert guarded.answer(guarded.issuer.token(exp=in_minutes(-1))) == NOT_VALID
    assert guarded.answer() == NOT_VALID


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
