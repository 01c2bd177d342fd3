import gzip

import pytest

from dataflows.services.answer_bytes import ANSWER_BYTES_MAX, unpacked_answer
from dataflows.services.errors import WrongAnswerError
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import PredictionBatch


def test_a_compressed_answer_is_what_it_was_before():
    answer = PredictionBatch(rows=1, value=["0.5"]).SerializeToString()
    assert unpacked_answer(answer) == unpacked_answer(gzip.compress(answer)) == answer


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (gzip.compress(bytes(ANSWER_BYTES_MAX + 1)), "more than an answer may hold"),
        (b"\x22\0" * ((1 << 20) + 1), "more than an answer may hold"),
        (b"\x1f\x8bx", "3 bytes that are not gzip"),
    ],
    ids=["large", "many fields", "damaged"],
)
def test_an_answer_that_would_fill_memory_or_is_damaged_is_wrong(answer, what):
    with pytest.raises(WrongAnswerError, match=f"^{what}$"):
        unpacked_answer(answer)
