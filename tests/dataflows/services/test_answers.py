"""The words of a service are cut to what an output may hold, and never in the middle of a character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.services.answers import Refusal


@pytest.mark.parametrize("text", ["", "feature: a/v1 is missing", "x" * 1_024, "ü" * 512, "\x00\n"])
def test_up_to_1_kib_is_kept_whole(text: str) -> None:
    assert Refusal.of("INTERNAL", "features", text).message == text


@pytest.mark.parametrize(
    ("text", "kept"), [("x" * 1_025, "x" * 1_024), ("x" + "ü" * 600, "x" + "ü" * 511), ("😀" * 300, "😀" * 256)]
)
def test_more_is_cut_at_the_end_of_a_character(text: str, kept: str) -> None:
    assert Refusal.of("INTERNAL", "features", text).message == kept


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=200, max_size=2_000))
def test_what_is_kept_is_the_longest_beginning_that_fits(text: str) -> None:
    kept = Refusal.of("INTERNAL", "features", text).message
    assert text.startswith(kept)
    assert len(kept.encode()) <= 1_024
    assert kept == text or len(text[: len(kept) + 1].encode()) > 1_024
