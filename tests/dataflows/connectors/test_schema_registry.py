"""A registry is asked until it answers; only its word that there is no schema is believed, and no secret is told."""

import pickle
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataflows.connectors.schema_registry import RegisteredSchema, RegistryError, SchemaRegistry
from runtime.errors import SettingsError
from tests.authority import Authority
from tests.dataflows.connectors.registry_server import RegistryServer, registry_server

NOTHING_SAID = pytest.fail


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with registry_server() as running:
        yield running


def client(server: RegistryServer, wait_ms: int = 20_000) -> SchemaRegistry:
    return SchemaRegistry(server.url, {}, wait_ms)


def test_a_schema_is_asked_for_by_its_id_with_all_that_it_refers_to(server: RegistryServer) -> None:
    server.add(7, "main", schemaType="PROTOBUF", references=[reference("b.proto"), reference("c/d.proto", "a b/c", 2)])
    server.answers["/subjects/b.proto/versions/1"] = (200, {"schema": "b", "references": [reference("a.proto")]})
    server.answers["/subjects/a.proto/versions/1"] = (200, {"schema": "a", "references": [reference("b.proto")]})
    server.answers["/subjects/a%20b%2Fc/versions/2"] = (200, {"schema": "c"})
    assert client(server).schema(7) == RegisteredSchema(
        "PROTOBUF", "main", (("a.proto", "a"), ("b.proto", "b"), ("c/d.proto", "c"))
    )
    server.add(8, "text")
    assert client(server).schema(8) == RegisteredSchema("AVRO", "text", ())


def reference(name: str, subject: str | None = None, version: int = 1) -> dict[str, Any]:
    return {"name": name, "subject": subject or name, "version": version}


def test_an_id_without_a_schema_is_known_to_have_none(server: RegistryServer) -> None:
    assert client(server).schema(9) is None
    server.add(7, "main", references=[reference("gone.proto")])
    assert client(server).schema(7) == RegisteredSchema("AVRO", "main", ())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, {"error_code": 50001}), "answered 500"),
        ((503, b""), "answered 503"),
        ((404, b"default backend - 404"), "answered 404"),
        ((404, {"error_code": 404}), "answered 404"),
        ((401, {"error_code": 40101}), "answered 401"),
        ((429, b""), "answered 429"),
        ((200, b"<html>"), "answered no JSON"),
        ((200, b"[" * 100_000), "answered no JSON"),
        ((200, {"schema": 5}), "answered no schema"),
        ((200, {"schema": "x", "references": [5]}), "answered no references"),
        ((302, b""), "answered 302"),
    ],
)
def test_any_other_answer_is_waited_for_and_then_ends_the_run(
    server: RegistryServer, answer: tuple[int, Any], says: str
) -> None:
    server.add(7, "text")
    server.next_answers = [answer]
    assert client(server).schema(7) == RegisteredSchema("AVRO", "text", ())
    assert len(server.asked) == 2
    server.next_answers = [answer]
    with pytest.raises(RegistryError) as away:
        client(server, wait_ms=0).schema(7)
    assert str(away.value) == f"the schema registry at {server.url} {says}; waited 0, see --wait-for-broker"


def test_a_registry_that_does_not_answer_is_waited_for() -> None:
    with registry_server() as gone:
        pass
    with pytest.raises(RegistryError, match=r"does not answer: .*Connection refused; waited 600ms"):
        client(gone, wait_ms=600).schema(7)


def test_what_is_wrong_at_the_start_is_one_line(server: RegistryServer) -> None:
    client(server).check(NOTHING_SAID)
    server.next_answers = [(401, b""), (404, b"")]
    with pytest.raises(
        SettingsError, match=r"^--schema-registry http://.*: authentication failed, see --registry-prop"
    ):
        client(server).check(NOTHING_SAID)
    with pytest.raises(SettingsError, match=r": there is no registry under this path; Apicurio's has /apis/ccompat/v7"):
        client(server).check(NOTHING_SAID)
    said: list[str] = []
    server.next_answers = [(503, b"")] * 3
    client(server).check(said.append)
    assert said == [f"waiting for the schema registry at {server.url}"]


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("basic.auth.user.info = me:a secret:word", "Basic bWU6YSBzZWNyZXQ6d29yZA=="),
        ("bearer.auth.token=abc", "Bearer abc"),
        ("# nothing", None),
    ],
)
def test_credentials_are_sent_and_never_told(
    server: RegistryServer, tmp_path: Path, line: str, sent: str | None
) -> None:
    file = tmp_path / "registry.properties"
    file.write_text(line)
    registry = SchemaRegistry.of(server.url + "/", str(file), 0)
    registry = pickle.loads(pickle.dumps(registry))
    assert registry.schema(7) is None
    assert server.asked == [("/schemas/ids/7", sent)]
    assert "word" not in repr(registry)
    if sent is not None:
        with pytest.raises(SettingsError, match=r"it must be https://\.\.\. where a password or a token is sent"):
            SchemaRegistry.of("http://registry.example:8081", str(file), 0)
    SchemaRegistry.of("https://registry.example:8081", str(file), 0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("url=http://secret", ", line 1: it is not basic.auth.user.info, bearer.auth.token, ssl.ca.location, "),
        ("secret", ", line 1: it must be written name=value"),
        ("ssl.ca.location=secret.pem", ": ssl.*: No such file or directory"),
    ],
)
def test_a_wrong_file_of_properties_is_one_line_without_its_values(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "registry.properties"
    file.write_text(line)
    with pytest.raises(SettingsError) as refused:
        SchemaRegistry.of("https://registry.example", str(file), 0)
    assert str(refused.value).startswith(f"--registry-properties {file}{says}")
    assert "secret" not in str(refused.value)


def test_a_registry_is_believed_by_its_authority_and_given_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    of_server, of_client = authority.issue("server"), authority.issue("client")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.path)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(*of_server)
    properties = {"ssl.ca.location": authority.path}
    presented = {"ssl.certificate.location": of_client.cert, "ssl.key.location": of_client.key}
    with registry_server(tls) as server:
        server.add(7, "text")
        assert SchemaRegistry(server.url, {**properties, **presented}, 0).schema(7) is not None
        for wrong in (properties, presented):
            with pytest.raises(RegistryError, match="does not answer"):
                SchemaRegistry(server.url, wrong, 0).schema(7)
