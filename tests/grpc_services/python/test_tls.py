"""Certificates: who is shown which, who is believed, and files that hold something else."""

import json
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from runtime.errors import SettingsError
from runtime.tls import watched_tls_files
from tests.authority import DAY, Authority, Pair, replace
from tests.grpc_services.python.guarded import asked


def test_a_new_certificate_is_shown_to_new_connections_and_half_a_rotation_does_no_harm(guarded):
    token = [("authorization", f"Bearer {guarded.issuer.token()}")]
    other = Authority(guarded.authority.folder, "other")
    was = Path(guarded.pair.cert).read_bytes()
    replaced = other.issue("replaced")
    assert asked(guarded.channel, token) is None
    try:
        replace(guarded.pair.cert, Path(replaced.cert).read_bytes())  # its key is still the old one
        with guarded.new_channel() as channel:
            assert asked(channel, token) is None
        replace(guarded.pair.key, Path(replaced.key).read_bytes())
        with guarded.new_channel(other) as channel:
            assert asked(channel, token) is None
        with guarded.new_channel() as channel:
            assert asked(channel, token)[0] is grpc.StatusCode.UNAVAILABLE
        assert asked(guarded.channel, token) is None  # the connection that is open stays
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
        ServerSettings.of(
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


def test_once_the_clients_authorities_are_taken_out_of_their_file_nobody_new_is_let_in(guarded, tmp_path, caplog):
    clients = Authority(tmp_path, "clients")
    own = Path(clients.path).read_bytes()
    server = start(
        ServerSettings.of(
            "features", port=0, tls_cert=guarded.pair.cert, tls_key=guarded.pair.key, tls_client_ca=clients.path
        )
    )
    allowed = clients.issue("allowed")

    def answers():
        with guarded.new_channel(pair=allowed, port=server.port) as channel:
            return asked(channel)

    for emptied in (b"", b"# none of them may come any more\n"):
        assert answers() is None
        replace(clients.path, emptied)
        assert answers()[0] is grpc.StatusCode.UNAVAILABLE
        assert caplog.messages == [f"{clients.path}: holds no certificate: nobody new is let in"]
        caplog.clear()
        replace(clients.path, own)
    assert answers() is None
    replace(clients.path, own[:-100])  # caught in the midst of a rotation
    assert answers() is None
    server.stop(0.0)


def test_once_the_servers_authorities_are_taken_out_of_their_file_a_client_believes_no_server(guarded, tmp_path):
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(Path(guarded.authority.path).read_bytes())
    files = watched_tls_files(None, None, str(authorities))
    token = [("authorization", f"Bearer {guarded.issuer.token()}")]
    for emptied in (False, True):
        if emptied:
            replace(authorities, b"")
        credentials = grpc.ssl_channel_credentials(files.current().authorities)
        with grpc.secure_channel(f"127.0.0.1:{guarded.server.port}", credentials) as channel:
            assert (asked(channel, token) is None) is not emptied


def bad_files(folder: Path, pair: Pair) -> dict[str, dict[str, str]]:
    """Settings that name files with something else in them."""
    (folder / "text").write_text("secret text\n")
    (folder / "oct.json").write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}))
    (folder / "empty").write_bytes(b"")
    (folder / "none.json").write_text('{"keys": []}')
    other = Authority(folder, "third").issue("third")
    return {
        "there is no such file": {"tls_cert": str(folder / "missing")},
        "no certificate": {"tls_cert": str(folder / "text")},
        "no key": {"tls_key": str(folder / "text")},
        "the key of another": {"tls_key": other.key},
        "no authority": {"tls_client_ca": pair.key},
        "an empty file": {"tls_client_ca": str(folder / "empty")},
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
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 1024),
    ],
    ids=["Ed25519", "P-521", "RSA of 1,024 bits"],
)
def test_a_certificate_of_a_key_that_no_handshake_can_be_signed_by_is_refused_at_the_start(tmp_path, key):
    pair = Authority(tmp_path).issue("server", key=key)
    with pytest.raises(SettingsError) as refused:
        start(ServerSettings.of("features", port=0, tls_cert=pair.cert, tls_key=pair.key))
    assert str(refused.value) == (f"{pair.cert}: its key must be RSA of 2048 bits or more, or EC on P-256 or P-384")
