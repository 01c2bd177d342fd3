"""What is held by somebody who is sent each row once: new columns are told by their origin, rows are added behind."""

from window_core import Columns, Evaluation

__all__ = ["Copies"]

Row = tuple[int, bytes]


class Copies:
    """The rows of all columns of one device, made of nothing but origins and single rows.

    The first columns are sent whole: those that a restored window came with may never have been in an evaluation.
    """

    def __init__(self) -> None:
        self.rows: dict[int, list[Row]] = {}

    def take(self, evaluation: Evaluation) -> None:
        """Be sent what is new in an evaluation; then its window has to be there."""
        columns = evaluation.columns
        if columns.number not in self.rows:
            self.rows[columns.number] = self._derived(columns)
        copied = self.rows[columns.number]
        assert len(self.rows) == 1 or columns.origin is None or evaluation.end - len(copied) <= 1
        copied += [_row(columns, row) for row in range(len(copied), evaluation.end)]
        times, rows = evaluation.window()
        assert [time_ms for time_ms, _ in copied[evaluation.start : evaluation.end]] == times.tolist()
        assert b"".join(row for _, row in copied[evaluation.start : evaluation.end]) == rows

    def _derived(self, columns: Columns) -> list[Row]:
        origin = columns.origin
        if origin is None or not self.rows:
            return []
        assert 0 <= origin.start < origin.end <= len(self.rows[origin.number])
        rows = self.rows[origin.number][origin.start : origin.end]
        if origin.row is not None:
            rows.insert(origin.row, _row(columns, origin.row))
        return rows


def _row(columns: Columns, row: int) -> Row:
    [time_ms], readings = columns.between(row, row + 1)
    return time_ms, bytes(readings)
