"""A bounded look at every decoder; ``python -m tests.fuzz`` looks for longer."""

import pytest

from tests.fuzz.decoders import DECODERS
from tests.fuzz.fuzzing import fuzzed

TRIALS = 300


@pytest.mark.parametrize("name", DECODERS)
def test_whatever_the_bytes_they_are_read_or_refused(name: str) -> None:
    found = fuzzed(name, DECODERS[name], TRIALS)
    assert found.crashes == []
    assert found.hangs == []
    assert found.refused > TRIALS // 10  # else the mutations are too tame


@pytest.mark.parametrize("name", DECODERS)
def test_what_the_others_are_made_of_is_read(name: str) -> None:
    decoder = DECODERS[name]
    read = 0
    for seed in decoder.seeds():
        try:
            decoder.decode(seed)
            read += 1
        except decoder.refusals:
            continue
    assert read
