"""What the suite tells: what was compared on what, which rules occurred, and how long it took."""

import platform
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dataflows import __version__
from tests.parity.suite import Outcome

__all__ = ["Report", "versions"]


@dataclass
class Report:
    """The report of one run of the suite.

    Attributes:
        seed: of the generated logs; ``None`` where a recorded log was taken.
        outcome: what was found.
        minutes: how long it took.
        shown: the differences, in words.
    """

    seed: int | None
    outcome: Outcome
    minutes: float
    shown: list[str] = field(default_factory=list)

    @property
    def is_identical(self) -> bool:
        return not self.outcome.findings

    def as_json(self) -> dict[str, Any]:
        outcome = self.outcome
        return {
            "identical": self.is_identical,
            "versions": versions(),
            "seed": self.seed,
            "logs": outcome.logs,
            "records": outcome.records,
            "jobs": outcome.jobs,
            "compared": {
                name: {"runs": outcome.runs[name], "outputs": amount.outputs, "bytes": amount.size}
                for name, amount in sorted(outcome.amounts.items())
            },
            "occurred": {name: number for name, number in sorted(outcome.occurred.items()) if number},
            "minutes": round(self.minutes, 2),
            "differences": self.shown,
        }

    def as_text(self) -> str:
        content = self.as_json()
        lines = [
            ", ".join(f"{name} {number}" for name, number in content["versions"].items()),
            f"{content['logs']:,} logs of {content['records']:,} records in {content['jobs']:,} jobs"
            + ("" if self.seed is None else f", seed {self.seed}"),
        ]
        for name, amount in content["compared"].items():
            lines.append(f"  {name:<32} {amount['outputs']:>10,} outputs, {amount['bytes']:>13,} bytes: equal")
        lines.append("which rules occurred, and how often:")
        lines += [f"  {name:<32} {number:>10,}" for name, number in content["occurred"].items()]
        lines += self.shown
        verdict = "identical" if self.is_identical else f"DIFFERENT: {len(self.outcome.findings)} runs"
        lines.append(f"{verdict}, in {self.minutes:.1f} minutes")
        return "\n".join(lines)


def versions() -> dict[str, str]:
    """What was compared."""
    packages = {"bytewax": "bytewax", "flink": "apache-flink", "confluent-kafka": "confluent-kafka", "grpc": "grpcio"}
    found = {"latecomer": __version__, "python": platform.python_version()}
    for name, package in packages.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    java = shutil.which("java")
    if java is not None:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
        match = re.search(r'version "([^"]+)"', said)
        found["java"] = match[1] if match else "unknown"
    return found
