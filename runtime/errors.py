"""Errors whose message is one line for whoever gave the command."""

__all__ = ["CommandError", "SettingsError"]


class SettingsError(ValueError):
    """A setting is wrong: nothing starts. The message names the option and says what to do, in one line."""


class CommandError(RuntimeError):
    """A command cannot go on, through no fault of its settings. The message says why in one line."""
