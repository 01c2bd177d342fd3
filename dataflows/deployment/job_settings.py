"""Checks the settings of a job before anything is applied: they are those of ``latecomer run``, as its environment."""

from functools import cache
from pathlib import PurePosixPath

import click

from dataflows.connectors.kafka.client import kafka_location
from dataflows.connectors.locations import is_kafka
from dataflows.settings import VARIABLE_PREFIX, RunSettings, run_options
from runtime.errors import SettingsError

__all__ = ["checked_settings", "variable_of"]


@cache
def _command() -> tuple[click.Command, dict[str, click.Option]]:
    """A command with the options of a run, and these by the variables that set them."""
    command = click.command("settings")(run_options(lambda: None))
    command.params = [option for option in command.params if option.expose_value]  # no --config: the job has no file
    options = {str(option.envvar): option for option in command.params if isinstance(option, click.Option)}
    for option in options.values():
        option.envvar = None  # what is set on this machine is not meant for the job
    return command, options


def variable_of(name: str) -> str:
    """The variable of a setting, however it is written.

    Raises:
        SettingsError: there is no such setting.

    >>> variable_of("batch-wait"), variable_of("--tick"), variable_of("LATECOMER_RUN_INPUT")
    ('LATECOMER_RUN_BATCH_WAIT', 'LATECOMER_RUN_TICK', 'LATECOMER_RUN_INPUT')
    """
    variable = VARIABLE_PREFIX + name.removeprefix(VARIABLE_PREFIX).removeprefix("--").replace("-", "_").upper()
    if variable not in _command()[1]:
        raise SettingsError(f"--set {name}: there is no such setting; `latecomer run --help` lists them")
    return variable


def checked_settings(variables: dict[str, str]) -> RunSettings:
    """The settings that the environment of the job gives.

    Raises:
        SettingsError: one is wrong, or makes no sense on a cluster; it names it.
    """
    command, options = _command()
    arguments = []
    for variable, value in variables.items():
        if not variable.startswith(VARIABLE_PREFIX):
            continue
        option = options.get(variable)
        if option is None:
            raise SettingsError(f"{variable} in the ConfigMap latecomer-settings is not a setting of `latecomer run`")
        arguments += _as_arguments(option, value)
    try:
        with command.make_context("latecomer deploy", arguments) as context:
            settings = RunSettings.of(**{**context.params, "engine": "flink"})
    except click.UsageError as error:
        raise SettingsError(error.format_message()) from None
    _check_for_a_cluster(settings)
    return settings


def _as_arguments(option: click.Option, value: str) -> list[str]:
    if not option.is_flag:
        return [f"{option.opts[0]}={value}"]
    try:
        return [option.opts[0]] if click.BOOL.convert(value, option, None) else []
    except click.UsageError as error:
        raise SettingsError(error.format_message()) from None


def _check_for_a_cluster(settings: RunSettings) -> None:
    """Refuse what a job on a cluster cannot do, and what it needs and a local run would choose itself."""
    for flag, place in (
        ("--input", settings.log.input),
        ("--output", settings.outputs.predictions),
        ("--rejections", settings.outputs.rejections),
    ):
        if place is None or not is_kafka(place):
            raise SettingsError(f"{flag} must be a topic on a cluster, kafka://HOST:PORT/TOPIC, not {place}")
        kafka_location(flag, place)
    for flag, address in (("--features", settings.calls.features), ("--inference", settings.calls.inference)):
        if address is None:
            raise SettingsError(f"{flag} must be given on a cluster: HOST:PORT of the service")
    for flag, file in (
        ("--proto", settings.log.proto),
        ("--schema", settings.log.schema),
        ("--registry-properties", settings.log.registry_properties),
    ):
        if file is not None and not PurePosixPath(file).is_absolute():
            raise SettingsError(
                f"{flag} {file}: a file of this machine is not in the job's pods; put it into the Secret "
                "latecomer-kafka of the component kafka-properties, and name it /etc/latecomer/kafka/NAME"
            )
    if settings.state.folder is not None:
        raise SettingsError(
            "--state is for runs on one machine: on a cluster, Flink's configuration says where checkpoints go"
        )
    if settings.amendments.amend is not None:
        raise SettingsError(
            "--amend is for runs on one machine: beside the job on a cluster, run `latecomer revise --follow`"
        )
    if settings.log.heartbeat_ms is not None:
        raise SettingsError("--heartbeat is not for the job on a cluster: add the component heartbeats")
