"""Talks to a cluster through the user's own ``kubectl``, with the user's rights."""

import json
import shutil
import subprocess
from typing import Any, Final

from runtime.errors import CommandError, SettingsError

__all__ = ["DeployError", "Kubectl"]

_ANSWER_WITHIN_S: Final = 60
"""Above what a cluster that is there needs for anything but a deletion, which has a timeout of its own."""


class DeployError(CommandError):
    """The cluster could not do it. The message says in one line which part failed, and why."""


class Kubectl:
    """The cluster of one context, seen from one namespace."""

    def __init__(self, context: str | None = None, namespace: str | None = None) -> None:
        """Look for the program.

        Args:
            context: of the user's kubeconfig; ``None`` is the current one.
            namespace: where what has one is looked for; ``None`` is that of the context.
        Raises:
            SettingsError: there is no ``kubectl``.
        """
        program = shutil.which("kubectl")
        if program is None:
            raise SettingsError("kubectl is not on the PATH: install it, see https://kubernetes.io/docs/tasks/tools/")
        self._command = [program]
        if context is not None:
            self._command.append(f"--context={context}")
        if namespace is not None:
            self._command.append(f"--namespace={namespace}")

    def run(self, *arguments: str, given: str | None = None, within_s: float = _ANSWER_WITHIN_S) -> str:
        """What a command prints.

        Args:
            arguments: of ``kubectl``.
            given: its standard input.
            within_s: when to give up.
        Raises:
            DeployError: it failed; with the last line of what it said.
        """
        try:
            ended = subprocess.run(
                [*self._command, *arguments],
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                text=True,
                timeout=within_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeployError(f"kubectl {arguments[0]} did not finish within {within_s:.0f} s") from None
        if ended.returncode != 0:
            said = [line for line in ended.stderr.splitlines() if line.strip()] or ["it said nothing"]
            raise DeployError(f"kubectl {arguments[0]}: {said[-1].removeprefix('error: ')}")
        return ended.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        """What a command prints as JSON; nothing is an empty object."""
        printed = self.run(*arguments, "--output=json")
        found: dict[str, Any] = json.loads(printed) if printed.strip() else {}
        return found

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object, if it is there; none of a kind that the cluster does not have is."""
        try:
            return self.json("get", kind, name, "--ignore-not-found") or None
        except DeployError as error:
            if "the server doesn't have a resource type" in str(error):
                return None
            raise

    def labelled(self, kind: str, selector: str) -> list[dict[str, Any]]:
        """The objects that carry some labels."""
        found: list[dict[str, Any]] = self.json("get", kind, f"--selector={selector}")["items"]
        return found

    def apply(self, documents: list[dict[str, Any]], *options: str) -> list[str]:
        """Make the cluster hold these; what kubectl says about each."""
        whole = {"apiVersion": "v1", "kind": "List", "items": documents}
        return self.run("apply", "--filename=-", *options, given=json.dumps(whole)).splitlines()

    def check_reachable(self) -> None:
        """Ask the cluster whether it is there.

        Raises:
            SettingsError: there is no such context, or none at all.
            DeployError: it does not answer, or authentication failed.
        """
        try:
            self.run("get", "--raw=/version", "--request-timeout=10s")
        except DeployError as error:
            line = str(error).removeprefix("kubectl get: ")
            if "context" in line and "does not exist" in line:
                raise SettingsError(f"--context: {line}") from None
            raise DeployError(f"no cluster answers; see `kubectl config get-contexts`: {line}") from None
