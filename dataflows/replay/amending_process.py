"""The amendments of a live run, in a process beside it: the run does not wait for them, on either engine."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

from dataflows.connectors.kafka.log import opened_target
from dataflows.connectors.locations import is_kafka
from dataflows.replay.amending import check_followed
from dataflows.services.client import Services
from dataflows.services.embedded import embedded_process
from dataflows.settings import RunSettings
from dataflows.settings.run import OF_A_LIVE_RUN
from runtime.durations import duration_text
from runtime.errors import SettingsError
from runtime.settings import arguments_of, changed, values_of

__all__ = ["amended", "check_amended"]

_VARIABLES: Final = "LATECOMER_REVISE_"
"""Of a user's own ``latecomer revise``: they are not meant for this one."""


def check_amended(settings: RunSettings, say: Callable[[str], None]) -> None:
    """Check whether the predictions of a run can be amended.

    Raises:
        SettingsError: they cannot.
        BrokerError: the broker is away.
    """
    output = settings.amendments.amend
    assert output is not None
    check_followed(settings, output, settings.amendments.amend_every_ms)
    if settings.log.start == "latest":
        raise SettingsError("--amend cannot be used with --from latest: amendments need the log from its start")
    if settings.state.from_export is not None:
        raise SettingsError("--amend cannot be used with --from-export: amendments need the log from its start")
    if is_kafka(output):
        opened_target("--amend", output, settings, say)


@contextmanager
def amended(settings: RunSettings, services: Services, warn: Callable[[str], None]) -> Iterator[None]:
    """Amend the predictions of a run for the time of the context.

    Args:
        settings: of the run.
        services: those that it asks.
        warn: takes a line for the user, should amendments end before.
    """
    amendments, state = settings.amendments, settings.state.folder
    assert amendments.amend is not None
    defaults = values_of(RunSettings())
    live = {name: defaults[name] for name in (*OF_A_LIVE_RUN, "predictions", "rejections")}
    plugins = {"features": services.features, "inference": services.inference, "features_from": None, "model": None}
    replayed = changed(settings, **live, **plugins, quiet=True)
    own = ["--output", amendments.amend, "--every", duration_text(amendments.amend_every_ms)]
    if state is not None:
        own += ["--state", f"{Path(state)}.amendments"]
    kept = {name: "" for name in os.environ if name.startswith(_VARIABLES)}
    with embedded_process("revise", "--follow", *own, *arguments_of(replayed), **kept) as process:
        ended = Event()

        def watch() -> None:
            process.wait()
            if not ended.is_set():
                warn("predictions are no longer amended: start the run again, or latecomer revise --follow beside it")

        Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            ended.set()
