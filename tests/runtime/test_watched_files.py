"""Files that change, vanish and come back: what stays in use, for how long, and what is logged."""

import json
import logging
import os
from pathlib import Path

import pytest

from grpc_services.python.key_set import KEPT_S, KeySet
from runtime.errors import SettingsError
from runtime.watched_files import StaleFilesError, WatchedFiles
from tests.authority import replace
from tests.tokens import TokenMaker, base64url


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def number(contents: list[bytes]) -> int:
    try:
        return int(contents[0])
    except ValueError:
        raise SettingsError("the file: holds no number") from None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    replace(path, b"1")
    return path


def test_a_file_that_is_gone_is_one_line_however_often_it_is_used_and_one_when_it_is_back(path, caplog):
    caplog.set_level(logging.INFO)
    watched = WatchedFiles([str(path)], number)
    path.unlink()
    assert [watched.current() for _ in range(100)] == [1] * 100
    assert [record.message for record in caplog.records] == [
        f"{path}: No such file or directory; what was there before stays in use"
    ]
    replace(path, b"2")
    assert [watched.current() for _ in range(100)] == [2] * 100
    assert [record.message for record in caplog.records][1:] == [f"{path}: readable again"]


def test_a_file_that_comes_back_as_it_was_is_readable_again(path, tmp_path, caplog):
    watched = WatchedFiles([str(path)], number, kept_s=1.0, clock_s=(clock := Clock()))
    path.rename(tmp_path / "aside")
    assert watched.current() == 1
    (tmp_path / "aside").rename(path)
    assert watched.current() == 1
    clock.now_s = 100.0
    assert watched.current() == 1


def test_what_was_there_before_stays_in_use_for_so_long_and_no_longer(path, caplog):
    clock = Clock()
    watched = WatchedFiles([str(path)], number, kept_s=60.0, clock_s=clock)
    clock.now_s = 1_000.0
    replace(path, b"half")
    assert watched.current() == 1
    clock.now_s = 1_030.0
    path.unlink()  # another fault: the time goes on
    assert watched.current() == 1
    clock.now_s = 1_059.9
    assert watched.current() == 1
    clock.now_s = 1_060.0
    for _ in range(10):
        with pytest.raises(StaleFilesError):
            watched.current()
    replace(path, b"2")
    assert watched.current() == 2
    assert [record.message for record in caplog.records] == [
        "the file: holds no number; what was there before stays in use for 1 minutes",
        f"{path}: No such file or directory; what was there before stays in use for 1 minutes",
        f"{path}: No such file or directory; what was there before is not used any more",
        f"{path}: readable again",
    ]


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("made", [a_pipe, a_device])
def test_what_takes_the_place_of_a_file_and_is_none_keeps_nobody_waiting(path, caplog, made):
    watched = WatchedFiles([str(path)], number)
    path.unlink()
    made(path)
    assert [watched.current() for _ in range(10)] == [1] * 10
    assert [record.message for record in caplog.records] == [
        f"{path}: Not a regular file; what was there before stays in use"
    ]
    replace(path, b"2")
    assert watched.current() == 2


@pytest.fixture
def maker(tmp_path: Path) -> TokenMaker:
    return TokenMaker(tmp_path)


UNREADABLE = {
    "no bytes": lambda maker: b"",
    "half": lambda maker: b'{"keys": [',
    "a list": lambda maker: b"[]",
    "keys that are an object": lambda maker: b'{"keys": {"a": 1}}',
    "keys that are an empty object": lambda maker: b'{"keys": {}}',
    "keys that are an empty text": lambda maker: b'{"keys": ""}',
    "a key of 16,392 bits": lambda maker: json.dumps(
        {"keys": [maker.public("rsa", n=base64url(b"\xff" * 2_049))]}
    ).encode(),
    "a shared key": lambda maker: b'{"keys": [{"kty": "oct", "k": "AAAA"}]}',
    "a private key": lambda maker: json.dumps({"keys": [maker.public("rsa", d="AAAA")]}).encode(),
    "a damaged key": lambda maker: json.dumps({"keys": [maker.public("rsa", n="!")]}).encode(),
    "33 keys": lambda maker: json.dumps({"keys": [maker.public("rsa", kid=str(kid)) for kid in range(33)]}).encode(),
    "more than 1 MiB": lambda maker: b" " * (1 << 20) + json.dumps({"keys": [maker.public("rsa")]}).encode(),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_key_set_is_a_wrong_setting_at_the_start_and_keeps_the_last_keys_later(maker, kind):
    replace(maker.jwks, UNREADABLE[kind](maker))
    with pytest.raises(SettingsError, match=rf"^{maker.jwks}: .+"):
        KeySet(maker.jwks, ["RS256"])
    maker.publish(maker.public("rsa"))
    keys = KeySet(maker.jwks, ["RS256"], clock := Clock())
    replace(maker.jwks, UNREADABLE[kind](maker))
    assert [key.key_id for key in keys.current()] == ["rsa"]
    clock.now_s = KEPT_S
    assert keys.current() == []


def test_a_set_whose_last_key_is_taken_away_serves_nobody_at_once(maker, caplog):
    keys = KeySet(maker.jwks, ["ES256"])
    assert [key.key_id for key in keys.current()] == ["elliptic"]
    for left in ([], [maker.public("rsa")]):
        maker.publish(*left)
        assert [keys.current() for _ in range(10)] == [[]] * 10
        with pytest.raises(SettingsError, match=rf"^{maker.jwks}: holds no key for ES256$"):
            KeySet(maker.jwks, ["ES256"])
    maker.publish(maker.public("elliptic"))
    assert [key.key_id for key in keys.current()] == ["elliptic"]


@pytest.mark.parametrize("changes", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "RSA-OAEP"}, {"kty": "unknown"}])
def test_keys_for_something_else_are_ignored(maker, changes):
    maker.publish(maker.public("rsa", **changes), maker.public("twin"))
    assert [key.key_id for key in KeySet(maker.jwks, ["RS256"]).current()] == ["twin"]
