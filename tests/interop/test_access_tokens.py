"""Tokens from an endpoint: renewed in time, kept when it is away, and no secret in what is said about it."""

import base64
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dataflows.services.access_tokens import TokenEndpoint, TokenError, watched_secret
from dataflows.settings import RunSettings
from runtime.bounded_http import BoundedHttp, TooLateError
from runtime.errors import SettingsError
from tests.authority import replace
from tests.interop.token_endpoint import Asked, Reply, token_endpoint

SECRET = "very+secret/text"


class Endpoint:
    """An endpoint and a client of it whose clock stands still until it is moved."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[Asked] = []
        self.reply: Reply | None = None
        self.now_s = 1_000.0
        self.secret_file = folder / "secret"
        replace(self.secret_file, SECRET.encode() + b"\n")

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        number = len(self.asked)
        return self.reply or Reply({"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": 100})

    def client(self, url: str, scope: str | None = None) -> TokenEndpoint:
        secret = watched_secret(str(self.secret_file), "secret")
        return TokenEndpoint(url, "the client", secret, scope, lambda: self.now_s)


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    one = Endpoint(tmp_path)
    with token_endpoint(one.answer) as url:
        one.url = url
        yield one


def test_a_token_is_asked_for_by_client_credentials_and_used_until_three_quarters_of_its_life(endpoint):
    client = endpoint.client(endpoint.url, "a b")
    assert [client.token(), client.token()] == ["token-1"] * 2
    [asked] = endpoint.asked
    assert asked.form == {"grant_type": ["client_credentials"], "scope": ["a b"]}
    assert base64.b64decode(asked.authorization.removeprefix("Basic ")) == b"the+client:very%2Bsecret%2Ftext"
    endpoint.now_s += 74.9
    assert client.token() == "token-1"
    endpoint.now_s += 0.2
    assert client.token() == "token-2"


def test_a_token_that_is_still_valid_is_used_while_the_endpoint_is_away(endpoint):
    client = endpoint.client(endpoint.url)
    assert client.token() == "token-1"
    endpoint.reply = Reply(b"no", 503)
    endpoint.now_s += 80
    assert [client.token(), client.token()] == ["token-1"] * 2
    assert len(endpoint.asked) == 2  # not at each call
    endpoint.now_s += 21
    with pytest.raises(TokenError, match=f"^the token endpoint {endpoint.url} answered 503$"):
        client.token()
    endpoint.reply = None
    assert client.token() == "token-4"


def test_a_new_secret_counts_from_the_next_renewal(endpoint):
    client = endpoint.client(endpoint.url)
    client.token()
    replace(endpoint.secret_file, b"another")
    endpoint.now_s += 80
    client.token()
    assert base64.b64decode(endpoint.asked[-1].authorization.removeprefix("Basic ")) == b"the+client:another"


def test_only_one_of_many_threads_renews_and_the_others_go_on_with_the_old_token(endpoint):
    client = endpoint.client(endpoint.url)
    client.token()
    endpoint.now_s += 80
    asked, released = threading.Event(), threading.Event()
    answer = endpoint.answer

    def slow(one: Asked) -> Reply:
        asked.set()
        assert released.wait(60)
        return answer(one)

    with token_endpoint(slow) as url:
        client._url = url
        renewing = threading.Thread(target=client.token)
        renewing.start()
        assert asked.wait(60)
        assert client.token() == "token-1"
        released.set()
        renewing.join()
    assert client.token() == "token-2"


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"error": "invalid_client"}, 401),
        Reply(b"", 302, "http://127.0.0.1:9/elsewhere"),
        Reply(b"<html>"),
        Reply([]),
        Reply({"access_token": "x"}),
        Reply({"access_token": 1, "token_type": "Bearer"}),
        Reply({"access_token": "x\ny", "token_type": "Bearer"}),
        Reply({"access_token": "x", "token_type": "mac"}),
        Reply({"access_token": "x", "token_type": "Bearer", "expires_in": "soon"}),
        Reply({"access_token": "x y", "token_type": "Bearer"}),
        Reply({"access_token": "", "token_type": "Bearer"}),
        Reply({"access_token": "x" * 8_193, "token_type": "Bearer"}),
        *(
            Reply(b'{"access_token": "x", "token_type": "Bearer", "expires_in": ' + life + b"}")
            for life in (b"0", b"-1", b"null", b"true", b"NaN", b"-Infinity", b"[]", b'"-1"', b'"1e3"', b"9" * 5_000)
        ),
        Reply(b"[" * 60_000),
        Reply(b" " * 65_535 + b"{}"),
    ],
)
def test_an_answer_without_a_token_is_an_error_that_tells_no_secret(endpoint, reply):
    endpoint.reply = reply
    with pytest.raises(TokenError, match=r"^the token endpoint ") as refused:
        endpoint.client(endpoint.url).token()
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("life", [b"9" * 400, b'"' + b"9" * 400 + b'"', b"1e400", b"86400", b'"86400"'])
def test_a_life_that_is_longer_than_a_day_counts_as_a_day(endpoint, life):
    client = endpoint.client(endpoint.url)
    endpoint.reply = Reply(b'{"access_token": "x", "token_type": "Bearer", "expires_in": ' + life + b"}")
    assert client.token() == "x"
    endpoint.now_s += 0.75 * 86_400 - 1
    assert client.token() == "x"
    assert len(endpoint.asked) == 1
    endpoint.now_s += 2
    client.token()
    assert len(endpoint.asked) == 2


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"


@pytest.mark.parametrize(
    "begin",
    [b"", b"HTTP/1.1 200 OK\r\nA: ", HEAD, HEAD.replace(b"Content-Length: 60000\r\n", b"")],
    ids=["status line", "headers", "body", "body to the end of the connection"],
)
def test_an_answer_that_comes_in_drips_has_no_more_time_than_another(begin):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(begin)
                while not ended.wait(0.01):
                    connection.sendall(b"x")

        ended = threading.Event()
        dripping = threading.Thread(target=drip)
        dripping.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with pytest.raises(TooLateError, match=r"^no whole answer within 0.3 s$"):
            BoundedHttp(0.3, 65_536, through_proxies=False).body(urllib.request.Request(url, b""))
        ended.set()
        dripping.join()


def test_an_endpoint_that_is_away_is_an_error(endpoint):
    with token_endpoint(endpoint.answer) as url:
        pass
    with pytest.raises(TokenError, match=f"^the token endpoint {url} does not answer: "):
        endpoint.client(url).token()


@pytest.mark.parametrize(
    "url", ["http://example.org/token", "https://user:secret@example.org/", "ftp://localhost/", "token", "https://"]
)
def test_a_secret_goes_over_https_or_stays_on_this_machine(endpoint, url):
    with pytest.raises(SettingsError, match=r"^--token-endpoint must be https://") as refused:
        endpoint.client(url)
    assert "secret@" not in str(refused.value)


@pytest.mark.parametrize("held", [b"", b"\n", b"two words", b"two\nlines", "ü".encode()])
def test_a_file_without_a_secret_is_refused_by_name(tmp_path, held):
    path = tmp_path / "secret"
    path.write_bytes(held)
    with pytest.raises(ValueError, match=f"^{path}: holds no secret: "):
        watched_secret(str(path), "secret")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"token_file": "t"}, "--token-file needs --tls-ca"),
        ({"tls_ca": "c", "features": None}, "--tls-ca needs --features"),
        ({"tls_ca": "c", "tls_cert": "x"}, "--tls-cert needs --tls-key"),
        ({"tls_cert": "x", "tls_key": "y"}, "--tls-cert needs --tls-ca"),
        ({"tls_ca": "c", "token_endpoint": "https://a/"}, "--token-endpoint needs --client-id"),
        ({"tls_ca": "c", "client_id": "a"}, "--client-id needs --token-endpoint"),
        (
            {"tls_ca": "c", "token_file": "t", "token_endpoint": "u", "client_id": "i", "client_secret_file": "s"},
            "--token-file and --token-endpoint cannot be used together",
        ),
    ],
)
def test_settings_that_would_send_a_token_in_plain_or_lack_something_are_refused(given, line):
    with pytest.raises(SettingsError) as refused:
        RunSettings.of(**{"features": "a:1", "inference": "b:1"} | given)
    assert str(refused.value) == line
