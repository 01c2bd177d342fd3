"""The settings of the pipeline, composed of groups; how a setting is declared stands in ``runtime.settings``."""

from dataflows.settings.calls import CallSettings, ChannelSettings
from dataflows.settings.log import KAFKA_SCHEME, BrokerSettings, EventFormat, LogSettings, check_sensors
from dataflows.settings.run import (
    AMEND_EVERY_MS,
    VARIABLE_PREFIX,
    OutputSettings,
    RunSettings,
    StateSettings,
    replay_options,
    run_options,
)
from dataflows.settings.run_record import RUN_PREDICTIONS, record_beside, recorded, settings_of_run, write_record
from dataflows.settings.window import WindowSettings

__all__ = [
    "AMEND_EVERY_MS",
    "KAFKA_SCHEME",
    "RUN_PREDICTIONS",
    "VARIABLE_PREFIX",
    "BrokerSettings",
    "CallSettings",
    "ChannelSettings",
    "EventFormat",
    "LogSettings",
    "OutputSettings",
    "RunSettings",
    "StateSettings",
    "WindowSettings",
    "check_sensors",
    "record_beside",
    "recorded",
    "replay_options",
    "run_options",
    "settings_of_run",
    "write_record",
]
