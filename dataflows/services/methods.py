"""A method of a service as a value: how a question becomes a request, and how an answer is read. No I/O.

Another way to ask, such as another inference protocol, is one more module that defines such values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from dataflows.services.answers import Refusal
from dataflows.services.chunks import Chunk, FeatureRows
from dataflows.services.errors import RefusedError, WrongAnswerError

__all__ = ["Decoded", "Method", "Part", "Question", "decoded", "divided"]

Question = TypeVar("Question", Chunk, FeatureRows)
Part = TypeVar("Part")
Decoded = TypeVar("Decoded", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Question, Part]):
    """A unary method of one of the two services.

    Attributes:
        path: its full name on the wire.
        request: the serialised request.
        read: the answer in parts, in the order of the rows of the question. It raises ``AskAgainError`` or
            ``WrongAnswerError`` if the answer is none.
        refused: the part of a question of one row that is refused.
        takes_many: whether a request may ask about several rows.
    """

    path: str
    request: Callable[[Question], bytes]
    read: Callable[[Question, bytes], list[Part]]
    refused: Callable[[Question, Refusal], Part]
    takes_many: bool = True


def divided(
    method: Method[Question, Part], question: Question, call: Callable[[Question], list[Part]]
) -> Iterator[Part]:
    """The parts of the answer to a question, in the order of its rows.

    The question is cut to what the method takes. If it is refused its halves are asked, down to the row that is refused
    alone.

    Args:
        method: the method that ``call`` uses.
        question: at least one row.
        call: makes one call.
    """
    if len(question) == 1 or method.takes_many:
        try:
            yield from call(question)
        except RefusedError as error:
            if len(question) == 1:
                yield method.refused(question, error.refusal)
                return
        else:
            return
    middle = len(question) // 2
    yield from divided(method, question.part(0, middle), call)
    yield from divided(method, question.part(middle, len(question)), call)


def decoded(answer: bytes, message_type: type[Decoded]) -> Decoded:
    """The message that an answer holds.

    Raises:
        WrongAnswerError: it holds none.
    """
    try:
        return message_type.FromString(answer)
    except DecodeError:
        raise WrongAnswerError(f"{len(answer)} bytes that are no {message_type.DESCRIPTOR.name}") from None
