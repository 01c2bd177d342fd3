"""Errors that are the operator's to fix."""

__all__ = ["SettingsError"]


class SettingsError(ValueError):
    """A setting is wrong: nothing starts. The message names the option and says what to do, in one line."""
