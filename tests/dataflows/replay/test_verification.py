"""Outputs and what they should be may come in any order of the two; only what is on one side alone is kept."""

import json
from itertools import chain
from random import Random

from dataflows.replay.verification import FAULTS, Verification
from dataflows.replay.written_outputs import Output


def prediction(seq: int, value: int = 1, device: str = "a") -> Output:
    fields = {"evaluation_id": f"{device}/0/{seq}", "device_id": device, "position": f"0/{seq}", "as_of_ms": 10 * seq}
    return "predictions", json.dumps({**fields, "result": value}).encode()


def followed() -> Verification:
    return Verification(is_under_way=True, follows=True)


def counts(found: Verification) -> dict[str, int]:
    named = ("repeats", "pending", *FAULTS)
    return {name: getattr(found, name).count for name in named if getattr(found, name).count}


def test_whichever_side_comes_first_the_same_is_found():
    outputs = [prediction(seq, device=device) for seq in range(30) for device in "ab"]
    written = [*outputs[:9], prediction(4, 2), *outputs[11:30], outputs[31], outputs[30], outputs[34], outputs[32]]
    written += [*outputs[33:], prediction(99), prediction(20), prediction(20, 3)]
    expected = {"holes": 2, "differences": 2, "strangers": 1, "repeats": 2, "disorder": 1}
    for seed in range(30):
        random, found = Random(seed), followed()
        sides = [("see", one) for one in written], [("expect", one) for one in outputs]
        order = [0] * len(written) + [1] * len(outputs)
        random.shuffle(order)
        steps = [iter(side) for side in sides]
        for side in order:
            act, output = next(steps[side])
            found.see(*output) if act == "see" else found.expect(output)
        found.settle(10**6, 10**6)
        found.settle(10**6, 10**6)
        assert counts(found) == expected, seed


def test_what_is_on_both_sides_is_dropped_and_holes_are_those_of_now():
    found = followed()
    for seq in range(1_000):
        found.expect(prediction(seq))
    found.settle(due_ms=500)
    assert counts(found) == {"holes": 51, "pending": 949}
    for seq in range(1_000):
        found.see(*prediction(seq))
    found.settle(due_ms=10**6)
    assert counts(found) == {}
    assert not [*chain(found._missing, found._unexpected)]


def test_an_output_is_a_stranger_once_a_look_has_passed_and_shown_as_it_is():
    found = followed()
    found.see(*prediction(0))
    found.settle()
    assert counts(found) == {}
    found.settle()
    assert counts(found) == {"strangers": 1}
    assert found.strangers.first is not None
    assert found.strangers.first["is"] == prediction(0)[1].decode()
    found.expect(prediction(0))
    found.settle()
    assert counts(found) == {}


def test_a_repeat_is_known_after_its_like_was_met():
    found = followed()
    found.see(*prediction(0))
    found.expect(prediction(0))
    found.settle()
    found.see(*prediction(0))
    found.see(*prediction(0, 2))
    found.settle()
    found.settle()
    assert counts(found) == {"repeats": 1, "differences": 1}
