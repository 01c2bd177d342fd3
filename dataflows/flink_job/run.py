"""Runs the job on this machine, in a mini-cluster that ends with it."""

import os
import socket
import subprocess
import sys
import sysconfig
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import singledispatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from dataflows.connectors.file_log import FileLog, records_of
from dataflows.connectors.locations import STANDARD, Locations, is_kafka
from dataflows.connectors.log import Log
from dataflows.flink_job.causes import first_cause
from dataflows.flink_job.frames import FRAMES_SUFFIX, RecordFrame, encoded_record
from dataflows.flink_job.installation import check_installation
from dataflows.flink_job.report import REPORT_VARIABLE, JobReports, has_read_all, report_file
from dataflows.flink_job.stopping import SAVEPOINTS, newest_state, stop_with_savepoint
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import begins_without_event
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import OutputRecord
from dataflows.saved_state.imported import fitting_origin, imported_state
from dataflows.saved_state.portable_file import read_origin
from dataflows.services.client import Services, check_services
from dataflows.settings import RunSettings
from dataflows.state_folder import claim, held, identity_of, is_claimed, note_settings
from runtime.errors import CommandError, SettingsError
from runtime.python_process import python_environment
from runtime.settings import arguments_of, changed, options_of, values_of
from runtime.terminal import say
from runtime.written_files import naming, write_error

__all__ = ["JobError", "run_on_flink"]

_STOP_WITHIN_S: Final = 10

_LOOK_EVERY_S: Final = 0.1

_SAVE_ATTEMPTS: Final = 120
_SAVE_PAUSE_S: Final = 0.5

_COUNTED_BY_READING: Final = ("latecomer_arrivals_clamped_total", "latecomer_arrival_jumps_total")
"""What the job does not see of a file, which is given to it with its arrivals clamped."""


class JobError(CommandError):
    """The job failed; the message is the first cause that it gave."""


def run_on_flink(settings: RunSettings, locations: Locations, services: Services, metrics: Metrics, log: Log) -> None:
    """Run the job until its input ends; with an unbounded input, until a signal stops it.

    Raises:
        SettingsError: Java, the package or a jar is missing, or the state belongs to another run.
        ServiceError: a service cannot answer about these sensors.
        JobError: the job failed.
    """
    _check_places(settings, locations)
    check_installation()
    with ExitStack() as stack:
        from_export = settings.state.from_export
        if settings.state.folder is not None:
            state, identity = Path(settings.state.folder), identity_of("flink", locations, log)
            identity["state-backend"] = settings.state.state_backend
            stack.enter_context(held(state, identity))
            imported = imported_state(state, log, from_export)
            from_export = None if imported is None else str(imported)
            if not is_claimed(state, identity):
                claim(state, identity)
            note_settings(state, settings.window.spec, settings.outputs.delivery)
        elif from_export is not None:
            fitting_origin(Path(from_export), log, f"--from-export {from_export}")
        settings = changed(settings, from_export=from_export)
        resumes = from_export is not None or bool(settings.state.folder and newest_state(Path(settings.state.folder)))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="latecomer-", ignore_cleanup_errors=True)))
        job = changed(
            settings,
            **_absolute_files(settings),
            input=locations.input,
            predictions=locations.predictions,
            rejections=locations.rejections,
            features=services.features,
            inference=services.inference,
            features_from=None,
            model=None,
        )
        check_services(services, settings, metrics)
        job = _with_log(log, job, folder)
        job = changed(job, web_port=job.web_port or _free_port(), metrics_port=_chosen_port(job.metrics_port))
        if not job.quiet:
            say(f"Flink's web page: http://127.0.0.1:{job.web_port}")
            if job.metrics_port is not None:
                say(f"metrics: http://127.0.0.1:{job.metrics_port}/metrics")
        try:
            _run_job(job, folder, metrics, looks=not resumes)
        except JobError as error:  # Flink tells of a full disk in other words, or in none
            raise _write_error(locations, settings) or error from None
        if resumes:
            metrics.first_look = None


def _check_places(settings: RunSettings, locations: Locations) -> None:
    """Refuse what the job cannot do on one machine.

    Raises:
        SettingsError: an output is standard output, a state would not hold what a file holds, or there is none where
            transactions end with it.
    """
    outputs = {"--output": locations.predictions, "--rejections": locations.rejections}
    for flag, place in outputs.items():
        if place == STANDARD:
            raise SettingsError(f"{flag} -: --engine flink writes to files and topics, not to standard output")
        if settings.state.folder is not None and not is_kafka(place):
            raise SettingsError(
                f"{flag} {place}: --engine flink with --state needs a topic: a file would be overwritten on resuming"
            )
    if settings.state.folder is not None and not is_kafka(locations.input):
        raise SettingsError(
            "--state with --engine flink needs a topic as --input: a file is always read from its beginning"
        )
    if settings.state.folder is None and settings.outputs.delivery == "exactly-once":
        raise SettingsError("--delivery exactly-once needs --state: transactions are committed with its checkpoints")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _chosen_port(port: int | None) -> int | None:
    return _free_port() if port == 0 else port


def _write_error(locations: Locations, settings: RunSettings) -> OSError | None:
    files = (place for place in (locations.predictions, locations.rejections) if not is_kafka(place))
    folders = [
        *(Path(place).parent for place in files),
        *(Path(folder) for folder in [settings.state.folder] if folder),
    ]
    return next(filter(None, map(write_error, folders)), None)


@singledispatch
def _with_log(log: Log, job: RunSettings, folder: Path) -> RunSettings:
    """The settings of a job that reads a log: how far is found out here, once."""
    return log.with_end(job)


@_with_log.register
def _with_frames(log: FileLog, job: RunSettings, folder: Path) -> RunSettings:
    """Give each event of a file its position and arrival, and write it as the job reads it, in our own form."""
    seen = Metrics()  # the job counts the records, not this pass over the file
    reader = replace(log, metrics=seen).reader()
    if job.state.from_export is not None:
        [position] = read_origin(Path(job.state.from_export), job.state.from_export).partitions
        reader.resume(position.next_offset, position.clock_ms)
    frames = folder / f"log{FRAMES_SUFFIX}"
    encoded = EventCodec(EventLayout(log.layout.sensors)).encoded
    with (
        naming(frames),
        log.content() as source,
        frames.open("wb") as target,
    ):
        for number, line in enumerate(source):
            [record] = records_of([line.removesuffix(b"\n")], number)
            if number < reader.next_offset:  # read before the state was saved
                if number == 0:
                    reader.read_header(record.value or b"")
                continue
            found = reader.read(record)
            if reader.has_ended:
                break
            if isinstance(found, OutputRecord):
                rejected = RecordFrame(0, number, reader.clock_ms or 0, None, found.value, is_rejected=True)
                target.write(encoded_record(rejected))
            elif found is not None:
                key = found.event.device_id.encode()
                target.write(encoded_record(RecordFrame(0, number, found.arrival_ms, key, encoded(found.event))))
    reader.count()
    report = seen.report()
    found_here = [count for count in report["counts"] if count[0] in _COUNTED_BY_READING]
    log.metrics.add({**report, "counts": found_here})
    until_ms = reader.clock_ms if log.until_ms is None else log.until_ms
    own_form: dict[str, Any] = {
        "format": None, "fields": (), "time_unit": "ms", "time_zone": None, "lenient": False, "device_id": None,
    }  # fmt: skip
    return changed(job, input=str(frames), until_ms=until_ms, **own_form)


def _run_job(settings: RunSettings, folder: Path, metrics: Metrics, *, looks: bool) -> None:
    output = folder / "job.txt"
    with output.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "dataflows.flink_job.job", *arguments_of(settings)],
            stdin=subprocess.PIPE,  # it ends with us, also if we are killed
            stdout=written,
            stderr=subprocess.STDOUT,
            env=environment(folder),
            start_new_session=True,
        )
        try:
            status = _status_of(process, settings, folder, metrics, looks=looks)
        except BaseException:
            process.terminate()
            process.wait(_STOP_WITHIN_S)
            raise
    if status != 0:
        raise JobError(f"the job failed: {first_cause(output.read_text(errors='replace'))}")


def _status_of(
    process: "subprocess.Popen[bytes]", settings: RunSettings, folder: Path, metrics: Metrics, *, looks: bool
) -> int:
    """Wait for the end of the job: one that has read all of a bounded log and has a state is stopped with a savepoint.

    An interrupt stops one without an end in that way, a second one ends it at once.

    Args:
        process: the job's.
        settings: of the job.
        folder: where it reports.
        metrics: what its reports are counted in.
        looks: whether its first records have to hold an event.
    Raises:
        JobError: the state could not be saved.
        InputError: the first records hold no event.
    """
    address = f"http://127.0.0.1:{settings.web_port}"
    savepoints = (folder if settings.state.folder is None else Path(settings.state.folder)) / SAVEPOINTS
    reports = JobReports(metrics, folder)
    try:
        while (status := _status_within(_LOOK_EVERY_S, process)) is None and not has_read_all(folder):
            reports.take()
            looks = looks and begins_without_event(metrics, f"--input {settings.log.input}")
        if status is None:
            _save_and_stop(process, address, savepoints)
    except KeyboardInterrupt:
        if settings.log.has_end or not stop_with_savepoint(address, savepoints):
            raise
    status = process.wait()
    reports.take()
    return status


def _save_and_stop(process: "subprocess.Popen[bytes]", address: str, savepoints: Path) -> None:
    """Have a job that has read all save its state and end, if it does not end for another reason.

    Raises:
        JobError: it could not.
    """
    for _ in range(_SAVE_ATTEMPTS):  # Flink takes no savepoint while one of its tasks is still starting
        if stop_with_savepoint(address, savepoints) or _status_within(_SAVE_PAUSE_S, process) is not None:
            return
    raise JobError("the log was read to its end, but Flink could not save the state; start the run again")


def _status_within(seconds: float, process: "subprocess.Popen[bytes]") -> int | None:
    with suppress(subprocess.TimeoutExpired):
        return process.wait(seconds)
    return None


def environment(folder: Path) -> dict[str, str]:
    """The environment of the job's processes: the JVM takes its Python, and that its packages, from here."""
    return {
        **python_environment(*(sysconfig.get_path(name) for name in ("purelib", "platlib"))),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        REPORT_VARIABLE: str(report_file(folder)),
    }


def _absolute_files(settings: RunSettings) -> dict[str, str]:
    """The settings that name a file or a folder: the JVM has another current folder than we have."""
    values = values_of(settings)
    named = {option.name for option in options_of(RunSettings) if option.shows in ("FILE", "DIR")}
    return {name: str(Path(values[name]).absolute()) for name in named if values[name] is not None}
