"""What others wrote cannot steer a terminal, nor add a line to a log."""

import logging
import sys

import pytest

from runtime.printable import PrintableLines, printable

UNSEEN = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u2028\u2029\u200b\u202e\u2066\u2069\ufeff\ud800\U000e0041",
]


@pytest.mark.parametrize("character", UNSEEN, ids=ascii)
def test_what_is_no_mark_on_the_screen_is_escaped(character: str) -> None:
    shown = printable(f"a{character}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert shown.encode().decode("unicode_escape") == f"a{character}b"


@pytest.mark.parametrize("text", ["", "pump-7", "Pumpe Süd 7", "ポンプ", "насос", "⚙️ 7"])
def test_text_of_any_language_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_a_record_of_the_log_is_one_line_and_a_traceback_is_text() -> None:
    try:
        raise ValueError("bad\x1b[2J\ntoken accepted")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, "f", 1, "device %s", ("a\nb\x1b[0m",), sys.exc_info())
    first, *traceback = PrintableLines().format(record).split("\n")
    assert first == r"device a\u000ab\u001b[0m"
    assert traceback[0] == "Traceback (most recent call last):"
    assert all(line.isprintable() for line in traceback)
