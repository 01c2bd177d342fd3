"""A state of Bytewax as a portable file, and a state made from one: nothing is lost on the way, wherever it ends."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.bytewax_flow.saved import saved_by_bytewax
from dataflows.saved_state.imported import import_state
from dataflows.saved_state.portable_file import write_portable_file
from dataflows.services.client import Services
from dataflows.state_folder import identity_in
from tests.dataflows.bytewax_flow.states import StatefulRuns, refusing
from tests.dataflows.commands import sample_log
from tests.reference import Outputs, first_difference, reference
from window_core import SnapshotError, WindowSpec

NUMBERS = {"interval_ms": 3_600_000, "idle_after_ms": 1_200_000, "forget_after_ms": 2_400_000}
SPEC = WindowSpec(**NUMBERS)
CHUNK_BYTES = 10_000
"""Some 50 events, and an epoch."""


@cache
def log() -> bytes:
    """Of a fleet with every kind of event, in which half the devices are silent until they are forgotten."""
    fleet = sample_log(devices=8, hours=5, late=0.1, too_late=0.05, duplicates=0.05, wrong_clock=0.02)
    lines = fleet.splitlines(keepends=True)
    silent = range(len(lines) // 4, len(lines) * 3 // 4)
    return b"".join(line for number, line in enumerate(lines) if number not in silent or line[24:25] in b"0123")


@cache
def expected() -> Outputs:
    return reference(log(), SPEC)


@pytest.fixture(scope="module")
def services(features_address: str, inference_address: str) -> Services:
    return Services(features_address, inference_address)


def export(runs: StatefulRuns, file: Path) -> bytes:
    identity = identity_in(runs.state)
    assert identity is not None
    with saved_by_bytewax(runs.state, identity) as (origin, devices):
        write_portable_file(file, origin, devices)
    return file.read_bytes()


def killed_after(runs: StatefulRuns, epochs: int) -> None:
    """Run until so many more epochs have ended, and one more has written its outputs."""
    (runs.state / "part-0.sha256").unlink(missing_ok=True)  # what kills it is a change of the database
    frontier = f"new.worker_frontier > {runs.epochs() + 1 + epochs}"
    assert runs.dies("INSERT UPDATE ON fronts", frontier, chunk_bytes=CHUNK_BYTES, **NUMBERS)


def died(*_: object, **__: object) -> None:
    raise RuntimeError("killed here")


def make_its_own(runs: StatefulRuns) -> None:
    """Have a run make a database of what was imported, and die before it reads a record."""
    with (
        patch("dataflows.bytewax_flow.one_process.latecomer_flow", died),
        pytest.raises(RuntimeError, match="killed here"),
    ):
        runs.run(**NUMBERS)


@settings(max_examples=4)
@given(stops=st.lists(st.integers(1, 7), min_size=1, max_size=2))
def test_a_state_that_is_handed_over_anywhere_continues_its_outputs(services: Services, stops: list[int]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        runs = StatefulRuns(folder, services, log())
        runs.begin()
        for number, epochs in enumerate(stops):
            killed_after(runs, epochs)
            exported = export(runs, folder / f"{number}")
            shutil.rmtree(runs.state)
            import_state(folder / f"{number}", runs.state, "it")
            make_its_own(runs)
            is_the_same = export(runs, folder / f"again-{number}") == exported
            assert is_the_same
        runs.run(chunk_bytes=CHUNK_BYTES, **NUMBERS)
        assert first_difference(expected(), runs.outputs()) == ""


@pytest.fixture
def handed_over(tmp_path: Path, services: Services) -> StatefulRuns:
    """Runs with a state that was imported and not begun."""
    runs = StatefulRuns(tmp_path, services, log())
    runs.begin()
    killed_after(runs, 5)
    export(runs, tmp_path / "export")
    shutil.rmtree(runs.state)
    import_state(tmp_path / "export", runs.state, "it")
    return runs


@pytest.mark.parametrize(
    "where",
    [
        "dataflows.bytewax_flow.database.init_db_dir",  # no database
        "dataflows.bytewax_flow.recovery.seed_databases",  # an empty one
        "dataflows.bytewax_flow.saved.pickled_state",  # one in the midst of its only transaction
        "dataflows.state_folder.Path.replace",  # one that is whole, in a folder that no run has claimed
        "dataflows.bytewax_flow.recovery.Path.unlink",  # a state, and what it was made of
        "dataflows.bytewax_flow.one_process.latecomer_flow",  # a state
    ],
)
def test_a_run_that_dies_while_it_makes_an_imported_state_its_own_makes_it_again(
    handed_over: StatefulRuns, where: str
) -> None:
    with patch(where, died), pytest.raises(RuntimeError, match="killed here"):
        handed_over.run(**NUMBERS)
    handed_over.run(**NUMBERS)
    assert first_difference(expected(), handed_over.outputs()) == ""
    assert not (handed_over.state / "imported.state").exists()


def test_a_run_that_dies_in_its_first_epochs_loses_nothing_of_what_was_imported(handed_over: StatefulRuns) -> None:
    make_its_own(handed_over)
    for kind in ("snaps", "fronts"):
        with refusing(handed_over.state, f"INSERT UPDATE ON {kind}", "true"), pytest.raises(OSError, match="killed"):
            handed_over.run(chunk_bytes=CHUNK_BYTES, **NUMBERS)
    handed_over.run(**NUMBERS)
    assert first_difference(expected(), handed_over.outputs()) == ""


def test_a_damaged_import_is_one_error_and_makes_no_state(handed_over: StatefulRuns) -> None:
    imported = handed_over.state / "imported.state"
    data = bytearray(imported.read_bytes())
    data[len(data) // 2] ^= 1
    imported.write_bytes(data)
    before = sorted(path.name for path in handed_over.state.iterdir())
    outputs = handed_over.predictions.read_bytes()
    with pytest.raises(SnapshotError, match=r"imported\.state is damaged"):
        handed_over.run(**NUMBERS)
    assert sorted(path.name for path in handed_over.state.iterdir()) == before
    assert handed_over.predictions.read_bytes() == outputs


def test_a_file_that_was_changed_since_is_refused(handed_over: StatefulRuns) -> None:
    Path(handed_over.locations.input).write_bytes(log().replace(b"4", b"5"))
    with pytest.raises(SnapshotError, match=r"is not the file that .*imported\.state has read"):
        handed_over.run(**NUMBERS)
