"""The outputs of two runs, side by side. Pairs are found by position, ticks by device and instant."""

from typing import Final, NamedTuple

import polars as pl

from dataflows.replay.moves import Moves
from runtime.errors import SettingsError

__all__ = ["RunComparison", "compared_runs"]

_OWN: Final = frozenset(
    ("evaluation_id", "device_id", "cause", "position", "event_time", "as_of", "newest", "oldest", "events", "model_id")
)


class RunComparison(NamedTuple):
    """How two runs differ.

    Attributes:
        only_first: predictions that the second does not have.
        only_second: predictions that the first does not have.
        moves: of those that both have.
        differing: pairs that are apart, the furthest first: ``device_id``, ``position``, ``as_of``, ``moved``, and each
            result of the first and, with ``_other`` behind its name, of the second.
    """

    only_first: int
    only_second: int
    moves: Moves
    differing: pl.DataFrame


def compared_runs(first: pl.DataFrame, second: pl.DataFrame) -> RunComparison:
    """Compare predictions, as ``tables.predictions_file`` gives them; repeats count once.

    Raises:
        SettingsError: the runs have no result in common.
    """
    ones, others = _results(first), _results(second)
    common = [name for name in ones if name in others]
    if len(first) and len(second) and not common:
        raise SettingsError(
            f"the runs have no result in common: the first has {', '.join(ones)}; the second has {', '.join(others)}"
        )
    sides = [_keyed(table, common) for table in (first, second)]
    pairs = sides[0].join(sides[1].select("key", *common), on="key", suffix="_other", maintain_order="left")
    differences = [
        (pl.col(name) - pl.col(f"{name}_other")).abs()
        if pairs[name].dtype.is_numeric() and pairs[f"{name}_other"].dtype.is_numeric()
        else pl.when(pl.col(name).cast(pl.String).eq_missing(pl.col(f"{name}_other").cast(pl.String))).then(0.0)
        for name in common
    ]
    is_known = pl.all_horizontal(one.is_not_null() for one in differences) if differences else pl.lit(value=True)
    furthest = pl.max_horizontal(differences) if differences else pl.lit(0.0)
    pairs = pairs.with_columns(pl.when(is_known).then(furthest).alias("moved"))
    moves = Moves()
    for moved in pairs["moved"]:
        moves.count(moved)
    differing = pairs.filter(pl.col("moved").is_null() | (pl.col("moved") > 0)).sort("moved", descending=True)
    columns = ["device_id", "position", "as_of", "moved", *(n for name in common for n in (name, f"{name}_other"))]
    return RunComparison(len(sides[0]) - len(pairs), len(sides[1]) - len(pairs), moves, differing.select(columns))


def _results(table: pl.DataFrame) -> list[str]:
    """The columns of results: features are float32."""
    return [name for name in table.columns if name not in _OWN and table[name].dtype != pl.Float32]


def _keyed(table: pl.DataFrame, results: list[str]) -> pl.DataFrame:
    tick = pl.concat_str(pl.col("device_id"), pl.col("as_of").dt.epoch("ms"), separator="/")
    key = pl.when(pl.col("position").is_null()).then(pl.lit("tick/") + tick).otherwise("position")
    return table.select(key.alias("key"), "device_id", "position", "as_of", *results).unique(
        "key", keep="first", maintain_order=True
    )
