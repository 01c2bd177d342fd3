"""Changes bytes: flips, cuts, repeats, numbers at their limits, and parts of other bytes."""

from collections.abc import Sequence
from random import Random
from typing import Final

__all__ = ["mutated"]

_TOKENS: Final = (
    b"\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff" * 9 + b"\x01", b"\x80\x80\x80\x80\x08", b"\xed\xa0\x80",
    b"null", b"NaN", b"1e999", b"-9223372036854775809", b"1" * 400, b'"', b"\\ud800", b"[" * 300, b"{", b"\n", b",",
)  # fmt: skip
"""Numbers that overflow, lengths that lie, halves of characters, and what opens and never closes."""


def mutated(random: Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, changed in one to four places."""
    data = bytearray(random.choice(seeds))
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.choice((1, 1, 2, 4, 8, 30)))
        match random.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 1:
                data[at:end] = random.randbytes(end - at)
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end] * random.randint(1, 20)
            case 4:
                data[at:end] = random.choice(_TOKENS)
            case 5:
                other = random.choice(seeds)
                data[at:] = other[random.randint(0, len(other)) :]
            case _:
                del data[at:]
    return bytes(data)
