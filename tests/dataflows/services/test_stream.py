"""One stream against a server that the test plays: answers in order, a deadline for each, and how it ends."""

from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from threading import Event as Flag
from typing import Any, cast

import grpc
import pytest

from dataflows.services.answers import Answer
from dataflows.services.channels import Hold
from dataflows.services.stream import Stream
from tests.dataflows.asking import SERVICE, Bench, told
from tests.dataflows.misbehaving import Status

BATCHES = {"features": "EngineerFeatures", "inference": "Predict"}


class EndedError(grpc.RpcError):
    def __init__(self, status: grpc.StatusCode) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status


class Peer:
    """The server's end of a stream, and the connection under it."""

    def __init__(self) -> None:
        self.answers: SimpleQueue[bytes | grpc.StatusCode | None] = SimpleQueue()
        self.requests: Iterator[bytes] = iter(())
        self.was_cancelled = False
        self.is_current_connection = True
        self.noted: list[bool] = []
        self.answered: list[tuple[int, float]] = []
        self.given_back = Flag()
        self.host_port = "peer:1"

    def stream(self, path: str) -> Any:
        def call(requests: Iterable[bytes], credentials: object) -> Any:
            self.requests = iter(requests)
            return self

        return call

    def __iter__(self) -> Iterator[bytes]:
        while (answer := self.answers.get()) is not None:
            if isinstance(answer, grpc.StatusCode):
                raise EndedError(answer)
            yield answer

    def cancel(self) -> None:
        self.was_cancelled = True
        self.answers.put(Status.CANCELLED)

    connection = property(lambda self: self)

    def is_current(self) -> bool:
        return self.is_current_connection

    def note(self, *, failed: bool) -> None:
        self.noted.append(failed)

    def note_answer(self, rows: int, seconds: float) -> None:
        self.answered.append((rows, seconds))

    def give_back(self) -> None:
        self.given_back.set()


def begun(peer: Peer, timeout_s: float = 60.0) -> Stream:
    return Stream(cast(Hold, peer), "/a/stream", None, timeout_s, peer.note_answer)


def test_answers_belong_to_the_requests_in_their_order() -> None:
    peer = Peer()
    stream = begun(peer)
    first, second = stream.ask(b"1", 7), stream.ask(b"2", 7)
    assert (next(peer.requests), next(peer.requests)) == (b"1", b"2")
    peer.answers.put(b"one")
    peer.answers.put(b"two")
    assert (second.awaited(), first.awaited()) == (b"two", b"one")
    assert (stream.is_open, stream.answers, True in peer.noted) == (True, 2, False)
    assert [rows for rows, seconds in peer.answered if 0 <= seconds < 60] == [7, 7]


@pytest.mark.parametrize("end", [None, Status.UNAVAILABLE, Status.INTERNAL])
def test_what_a_stream_that_ends_still_owes_never_comes(end: grpc.StatusCode | None) -> None:
    peer = Peer()
    stream = begun(peer)
    first, second = stream.ask(b"1", 7), stream.ask(b"2", 7)
    peer.answers.put(b"one")
    peer.answers.put(end)
    assert (first.awaited(), second.awaited()) == (b"one", None)
    assert peer.given_back.wait(60)
    assert not stream.is_open
    assert stream.ask(b"3", 7).awaited() is None
    assert list(peer.requests) == [b"1", b"2"]
    assert True not in peer.noted  # it had answered: what is wrong the calls find out


@pytest.mark.parametrize(("end", "noted"), [(Status.UNAVAILABLE, [True]), (Status.UNIMPLEMENTED, [])])
def test_a_server_that_is_away_before_the_first_answer_rests(end: grpc.StatusCode, noted: list[bool]) -> None:
    peer = Peer()
    owed = begun(peer).ask(b"1", 7)
    peer.answers.put(end)
    assert owed.awaited() is None
    assert peer.given_back.wait(60)
    assert peer.noted == noted


def test_an_answer_that_is_overdue_ends_the_stream_and_its_server_rests() -> None:
    peer = Peer()
    stream = begun(peer, 0.05)
    assert (stream.ask(b"1", 7).awaited(), peer.was_cancelled) == (None, True)
    assert peer.given_back.wait(60)
    assert peer.noted == [True]


def test_a_caller_that_is_slow_to_ask_or_to_read_makes_no_server_late() -> None:
    peer = Peer()
    stream = begun(peer, 0.2)
    first, second = stream.ask(b"1", 7), stream.ask(b"2", 7)
    assert not Flag().wait(0.3)
    peer.answers.put(b"one")
    peer.answers.put(b"two")
    assert (first.awaited(), second.awaited()) == (b"one", b"two")
    assert not Flag().wait(0.3)  # nothing is owed
    owed = stream.ask(b"3", 7)
    peer.answers.put(b"three")
    assert owed.awaited() == b"three"


def test_the_time_of_an_answer_counts_from_the_one_before_it() -> None:
    stream = begun(Peer(), 5.0)
    began_s = stream.began_s
    assert 4.0 < stream.seconds_left(began_s) <= 5.0
    stream._answered_s = began_s + 100.0
    assert 104.0 < stream.seconds_left(began_s) <= 105.0
    assert 194.0 < stream.seconds_left(began_s + 190.0) <= 195.0
    stream.end()


def test_an_answer_that_nobody_asked_for_ends_the_stream() -> None:
    peer = Peer()
    stream = begun(peer)
    peer.answers.put(b"one")
    assert peer.given_back.wait(60)
    assert (peer.was_cancelled, stream.is_open) == (True, False)


def test_a_stream_on_a_connection_that_was_replaced_takes_no_more_and_still_brings_what_it_owes() -> None:
    peer = Peer()
    stream = begun(peer)
    owed = stream.ask(b"1", 7)
    peer.is_current_connection = False
    assert not stream.is_open
    stream.finish()
    peer.answers.put(b"one")
    peer.answers.put(None)
    assert owed.awaited() == b"one"
    assert list(peer.requests) == [b"1"]


@SERVICE
def test_a_stream_that_hangs_between_two_answers_is_left_and_the_rest_is_asked_by_calls(
    bench: Bench, right: list[Answer], service: str
) -> None:
    def hangs_at_the_second(name: str, request: object, number: int) -> Status | None:
        return getattr(bench, service).never() if name.startswith("Stream") and number == 1 else None

    assert bench.asked(**told(service, hangs_at_the_second), rpc="stream", timeout_ms=500) == right
    assert len(getattr(bench, service).called(BATCHES[service])) == 2


@SERVICE
def test_a_stream_may_take_longer_than_the_deadline_of_an_answer(
    bench: Bench, right: list[Answer], service: str
) -> None:
    def takes_its_time(name: str, request: object, number: int) -> None:
        if name.startswith("Stream"):
            Flag().wait(0.8)

    assert bench.asked(**told(service, takes_its_time), rpc="stream", timeout_ms=2_000) == right
    assert not getattr(bench, service).called(BATCHES[service])  # all on the stream, in 2.4 s
