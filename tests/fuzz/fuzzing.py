"""Mutates inputs for a decoder, keeps those with a new outcome as parents of further ones, and counts failures."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

from tests.fuzz.decoders import Decoder
from tests.fuzz.mutations import mutated

__all__ = ["CORPUS", "Found", "fuzzed", "keep", "kept"]

CORPUS: Final = Path(__file__).parent / "corpus"
"""A folder for each decoder: inputs that once were told from all before, and those that once did harm."""

_HANGS_AFTER_S: Final = 5
"""Of processor time. Far above any input: they are small."""

_PARENTS_MAX: Final = 400
_KEPT_MAX_BYTES: Final = 4_000


class _HangError(BaseException):
    """An input took too long."""


@dataclass
class Found:
    """What became of the inputs.

    Attributes:
        tried: how many.
        refused: how many of them were.
        crashes: inputs that raised what is no refusal, each with it.
        hangs: inputs that took too long.
        new: inputs that the decoder said something new of.
    """

    tried: int = 0
    refused: int = 0
    crashes: list[tuple[bytes, str]] = field(default_factory=list)
    hangs: list[bytes] = field(default_factory=list)
    new: list[bytes] = field(default_factory=list)


def fuzzed(name: str, decoder: Decoder, trials: int, seed: int = 0) -> Found:
    """Try the seeds, the corpus, and so many mutations of them."""
    random = Random(f"{name} {seed}")
    found, said = Found(), set[str]()
    parents = [*decoder.seeds(), *kept(name)]
    for data in parents:
        said.add(_outcome(decoder, data, found))
    for _ in range(trials):
        data = mutated(random, parents)
        outcome = _outcome(decoder, data, found)
        if outcome not in said:
            said.add(outcome)
            found.new.append(data)
            if len(parents) < _PARENTS_MAX:
                parents.append(data)
    return found


def _outcome(decoder: Decoder, data: bytes, found: Found) -> str:
    """How what a decoder says of an input begins, without numbers and paths."""
    found.tried += 1
    try:
        with _limited():
            decoder.decode(data)
    except decoder.refusals as refusal:
        found.refused += 1
        return re.sub(r"\S*/\S*|[^a-z ]", "", f"{refusal}")[:30]
    except _HangError:
        found.hangs.append(data)
    except BaseException as error:  # a panic of Rust is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        found.crashes.append((data, f"{type(error).__name__}: {error}"))
    return ""


@contextmanager
def _limited() -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, _HANGS_AFTER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise _HangError


def kept(name: str) -> list[bytes]:
    """The inputs of the corpus of a decoder."""
    return [path.read_bytes() for path in sorted((CORPUS / _folder(name)).glob("*"))]


def keep(name: str, data: bytes) -> None:
    """Add an input to the corpus of a decoder, unless it is large for a checkout."""
    if len(data) > _KEPT_MAX_BYTES:
        return
    folder = CORPUS / _folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / sha256(data).hexdigest()[:12]).write_bytes(data)


def _folder(name: str) -> str:
    return name.lower().replace(",", "").replace(" ", "-")
