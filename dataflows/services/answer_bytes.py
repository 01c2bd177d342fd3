"""Bounds the bytes of an answer before they become objects: a faulty service must not fill our memory."""

from typing import Final

from dataflows.services.errors import WrongAnswerError
from grpc_services.python.errors import RequestError, TooLargeError
from grpc_services.python.message_bytes import check_fields, unpacked

__all__ = ["ANSWER_BYTES_MAX", "unpacked_answer"]

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""The answer to thousands of windows is far smaller."""

_ANSWER_FIELDS_MAX: Final = 1 << 20
"""Each row has an id and a text for each key of its result: thousands of rows of hundreds of keys."""


def unpacked_answer(answer: bytes) -> bytes:
    """The message of an answer, decompressed if need be.

    Raises:
        WrongAnswerError: it would take more memory than an answer may, or is damaged.
    """
    try:
        message = unpacked(answer, ANSWER_BYTES_MAX)
        check_fields(message, _ANSWER_FIELDS_MAX)
    except TooLargeError:
        raise WrongAnswerError("more than an answer may hold") from None
    except RequestError:
        raise WrongAnswerError(f"{len(answer)} bytes that are not gzip") from None
    return message
