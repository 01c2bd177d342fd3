"""``latecomer state``: what a state holds, and its way from one engine to the other."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import click
import msgspec

from dataflows.saved_state.imported import import_state
from dataflows.saved_state.origin import Origin, SavedDevice
from dataflows.saved_state.overview import DeviceOverview, StateOverview, device_overview, state_overview
from dataflows.saved_state.portable_file import read_devices, read_origin, write_portable_file
from dataflows.state_folder import IMPORTED_FILE, identity_in, locked
from runtime.durations import duration_text
from runtime.errors import SettingsError
from runtime.terminal import say, show

__all__ = ["state"]

Saved = tuple[str | None, Origin, Iterator[SavedDevice]]

_IDS_SHOWN: Final = 10
_SHOWS_STATE: Final = "DIR|FILE|file:///..."


@click.group()
def state() -> None:
    """Look at the state of a run, or move it to another folder or to the other engine.

    The run has to be stopped: Ctrl-C, or a savepoint on a cluster. A state is named by its folder, as in run --state;
    or it is a checkpoint or savepoint of Flink's, or a file of latecomer state export.
    """


@state.command("show")
@click.option("--state", "place", required=True, metavar=_SHOWS_STATE, help="State to look at.")
@click.option("--device", metavar="ID", help="Show the window of one device.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with the ids of all devices; instants in ms.")
def show_(place: str, device: str | None, as_json: bool) -> None:
    """Show what a state holds: input, sensors, window, partitions, devices."""
    found: DeviceOverview | StateOverview
    with _opened(place) as (engine, origin, devices):
        if device is None:
            found = state_overview(engine, origin, devices)
        else:
            matching = [device_overview(saved) for saved in devices if saved.device_id == device]
            if not matching:
                raise SettingsError(f"--device {device}: --state {place} has no such device")
            [found] = matching
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        show(*(_device_lines(found) if isinstance(found, DeviceOverview) else _state_lines(found)))


@state.command("export")
@click.option("--state", "place", required=True, metavar=_SHOWS_STATE, help="State to export; it stays as it is.")
@click.argument("file", metavar="FILE")
def export(place: str, file: str) -> None:
    """Write a state to one file, which the same or the other engine can begin with.

    Equal states are equal files. The file holds positions, clocks and windows, and a checksum of it all.
    """
    if Path(file).exists():
        raise SettingsError(f"{file} exists already: name another file")
    with _opened(place) as (_, origin, devices):
        count = write_portable_file(Path(file), origin, devices)
    say(f"exported: {count:,} devices of the {origin.log}")


@state.command("import")
@click.argument("file", metavar="FILE")
@click.option("--state", "folder", required=True, metavar="DIR", help="Folder for the new state; it must be empty.")
@click.option(
    "--engine",
    type=click.Choice(["bytewax", "flink"]),
    default="bytewax",
    show_default=True,
    help="Engine of the run that begins with it.",
)
def import_(file: str, folder: str, engine: Literal["bytewax", "flink"]) -> None:
    """Put an exported state into a folder. The first run with that --state resumes where the state was exported.

    The run reads the same topic, or the same file, with the same --sensors. Where it writes is its own choice.
    """
    if not Path(file).is_file():
        raise SettingsError(f"{file} does not exist")
    if engine == "flink" and read_origin(Path(file), file).log.topic is None:
        raise SettingsError(
            f"{file} is of a file, and Flink keeps no state of one: start run with --from-export {file}"
        )
    origin, count = import_state(Path(file), Path(folder), file)
    say(f"imported: {count:,} devices of the {origin.log}")


@contextmanager
def _opened(place: str) -> Iterator[Saved]:
    """A state, wherever it is; a folder is locked for as long as it is read.

    Raises:
        SettingsError: there is no state, or a run uses it.
        SnapshotError: it is damaged.
    """
    uri = urlsplit(place)
    path = Path(unquote(uri.path)) if uri.scheme == "file" else Path(place)
    if path.is_file():
        name = f"--state {place}"
        yield None, read_origin(path, name), read_devices(path, name)
    elif (path / "_metadata").is_file():
        from dataflows.flink_job.saved import saved_by_flink

        with saved_by_flink(path) as (origin, devices):
            yield "flink", origin, devices
    elif path.is_dir() and (identity_in(path) is not None or (path / IMPORTED_FILE).is_file()):
        with locked(path), _of_folder(path) as saved:
            yield saved
    else:
        raise SettingsError(f"--state {place} holds no state of latecomer")


@contextmanager
def _of_folder(folder: Path) -> Iterator[Saved]:
    identity = identity_in(folder)
    if identity is None:
        file = folder / IMPORTED_FILE
        yield None, read_origin(file, str(file)), read_devices(file, str(file))
    elif identity["engine"] == "flink":
        from dataflows.flink_job.saved import saved_in_folder

        with saved_in_folder(folder, identity) as (origin, devices):
            yield "flink", origin, devices
    else:
        from dataflows.bytewax_flow.saved import saved_by_bytewax

        with saved_by_bytewax(folder, identity) as (origin, devices):
            yield "bytewax", origin, devices


def _state_lines(found: StateOverview) -> Iterator[str]:
    yield f"saved by      {found.engine or 'latecomer state export'}"
    yield f"input         {found.input}" + (f", id {found.topic_id}" if found.topic_id else "")
    yield f"sensors       {found.sensors}"
    yield f"window        {_window_text(found)}"
    for number, position in enumerate(found.partitions):
        yield f"partition {number:<3} next offset {position.next_offset:,}, clock {_instant(position.clock_ms)}"
    yield f"devices       {found.devices:,}, which hold {found.events:,} events, newest {_instant(found.newest_ms)}"
    more = ", …" if found.devices > _IDS_SHOWN else ""
    yield f"ids           {', '.join(found.device_ids[:_IDS_SHOWN])}{more}"


def _device_lines(found: DeviceOverview) -> Iterator[str]:
    yield f"device        {found.device_id}, in partition {found.partition}"
    yield f"events        {found.events:,}, from {_instant(found.oldest_ms)} to {_instant(found.newest_ms)}"
    yield f"accepted      {_instant(found.accepted_ms)}, the last arrival"
    yield f"ticked        {_instant(found.ticked_ms)}"
    yield f"next id       {found.next_evaluation_id}"


def _window_text(found: StateOverview) -> str:
    if found.window is None:
        return "not recorded"
    numbers = asdict(found.window)
    most = numbers.pop("max_events")
    named = (f"{name.removesuffix('_ms').replace('_', '-')} {duration_text(ms)}" for name, ms in numbers.items())
    return f"{', '.join(named)}, max-events {most}"


def _instant(time_ms: int | None) -> str:
    if time_ms is None:
        return "none"
    return f"{time_ms} ({datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(' ', 'milliseconds')})"
