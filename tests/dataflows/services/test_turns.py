"""Addresses take turns, and one that failed rests, by a clock that the test moves."""

from dataflows.services.turns import Turn, Turns


def taken(turns: Turns, now_s: float, calls: int) -> list[str]:
    return [turns.next(now_s).host_port for _ in range(calls)]


def test_addresses_take_turns() -> None:
    assert taken(Turns([Turn("a:1"), Turn("b:1"), Turn("c:1")]), 0.0, 7) == [
        "a:1",
        "b:1",
        "c:1",
        "a:1",
        "b:1",
        "c:1",
        "a:1",
    ]


def test_an_address_that_failed_rests_and_then_one_call_finds_out() -> None:
    turns = Turns([Turn("a:1"), Turn("b:1")])
    turns.note(turns.next(100.0), True, 100.0)
    assert taken(turns, 100.9, 3) == ["b:1"] * 3
    assert taken(turns, 101.0, 3) == ["a:1", "b:1", "b:1"]


def test_the_rest_doubles_with_each_failure_in_a_row_up_to_30_s() -> None:
    turns = Turns([Turn("a:1")])
    a = turns.next(0.0)
    rests = []
    for _ in range(8):
        turns.note(a, True, 50.0)
        rests.append(a.rests_until_s - 50.0)
    assert rests == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_an_answer_ends_the_rest() -> None:
    turns = Turns([Turn("a:1"), Turn("b:1")])
    a = turns.next(0.0)
    turns.note(a, True, 0.0)
    turns.note(a, False, 0.1)
    assert sorted(taken(turns, 0.1, 2)) == ["a:1", "b:1"]


def test_where_all_rest_the_one_that_is_well_first_is_taken() -> None:
    turns = Turns([Turn("a:1"), Turn("b:1")])
    a, b = turns.next(0.0), turns.next(0.0)
    for _ in range(3):
        turns.note(a, True, 0.0)
    turns.note(b, True, 0.0)
    assert turns.next(0.5).host_port == "b:1"


def test_an_address_is_well_until_its_last_call_failed() -> None:
    turns = Turns([Turn("a:1"), Turn("b:1")])
    a, b = turns.next(0.0), turns.next(0.0)
    turns.note(a, True, 0.0)
    assert turns.any_well()
    turns.note(b, True, 0.0)
    assert not turns.any_well()
