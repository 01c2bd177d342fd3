"""``latecomer page``: a run as it goes on, in a browser of this machine."""

import signal
from dataclasses import dataclass
from threading import Event
from typing import Any

import click

from dataflows.browser.assets import check_installation
from dataflows.settings import RunSettings, recorded, replay_options
from runtime.errors import SettingsError
from runtime.options import GroupedCommand
from runtime.settings import setting, taken
from runtime.terminal import Terminal, show

__all__ = ["page"]

_END_WITHIN_S = 1.0
"""It may be waiting for a broker; nothing is lost where it is left."""


@dataclass(frozen=True, slots=True)
class PageSettings:
    """The settings of ``latecomer page`` alone."""

    port: int = setting(8910, "Port of this machine that the page is on; 0 takes a free one.", kind="integer")

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65_536:
            raise SettingsError(f"--port must be a port, or 0 for a free one, not {self.port}")


@click.command(cls=GroupedCommand)
@replay_options("LATECOMER_PAGE_", PageSettings)
def page(**options: Any) -> None:
    """Show a run live in a browser: the fleet, a device's window now and at each evaluation, and rejections.

    Reads the outputs as they are written, and the log of a device when you look at it; both may be files or topics. The
    settings are those that the run left beside its predictions, unless options say otherwise. Only this machine can
    reach the page, and it changes nothing. Ctrl-C ends it.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    check_installation("page")
    messages = Terminal(stderr=True)
    own = taken(PageSettings, options)
    settings = RunSettings.of_replay(**recorded(options, messages.warn))
    # Loaded when they are needed: polars is behind them.
    from dataflows.browser.device_windows import DeviceWindows
    from dataflows.browser.live_fleet import LiveFleet
    from dataflows.browser.page import page_html
    from dataflows.browser.page_server import PageServer, followed
    from dataflows.replay.written_outputs import FollowedOutputs

    outputs, fleet, windows = (
        FollowedOutputs(settings, messages.tell),
        LiveFleet(),
        DeviceWindows(settings, messages.tell),
    )
    ended = Event()
    try:
        server = PageServer(own.port, page_html(settings.outputs.predictions), fleet, windows)
    except OSError as error:
        raise OSError(f"--port {own.port}: {error.strerror}") from None
    thread = followed(outputs, fleet, ended)
    show(f"page on {server.url} (Ctrl-C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        ended.set()
        server.server_close()
        thread.join(_END_WITHIN_S)
