"""A real schema registry for the tests, Apicurio's, with its store in memory; Maven brings it once into the cache."""

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from typing import Any

from dataflows import java_tools
from dataflows.kafka_broker.artifacts import broker_jars
from runtime.first_use import one_by_one

__all__ = ["Registry", "registry_folder", "running_registry"]

_POM = Path(__file__).with_name("registry-pom.xml")
_LISTENING = re.compile(r"Listening on: (http://\S+)")


def registry_folder() -> Path:
    """The folder of the registry's application.

    Raises:
        SettingsError: there is no Maven, or it could not bring it.
    """
    cache = broker_jars().parent
    folder = cache / f"schema-registry-{sha256(_POM.read_bytes()).hexdigest()[:12]}"
    with one_by_one(folder.with_suffix(".lock")):
        if not folder.is_dir():
            fetched = Path(mkdtemp(dir=cache))
            try:
                goal = ("dependency:unpack", f"-DoutputDirectory={fetched}")
                java_tools.run_maven("the schema registry of the tests", _POM, *goal)
                fetched.rename(folder)
            finally:
                shutil.rmtree(fetched, ignore_errors=True)
    return folder


class Registry:
    """A running registry.

    Attributes:
        url: for ``--schema-registry``.
    """

    def __init__(self, address: str) -> None:
        self.url = f"{address}/apis/ccompat/v7"

    def register(self, subject: str, kind: str, schema: str, *references: str) -> int:
        """Register a schema; the ids that it has there. What it refers to are subjects, named as it imports them."""
        named = [{"name": name, "subject": name, "version": 1} for name in references]
        body = json.dumps({"schemaType": kind, "schema": schema, "references": named}).encode()
        headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        request = urllib.request.Request(f"{self.url}/subjects/{subject}/versions", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            registered: dict[str, Any] = json.load(answer)
        return int(registered["id"])


@contextmanager
def running_registry(folder: Path) -> Iterator[Registry]:
    """A registry of its own for the time of the context."""
    [jar] = folder.glob("apicurio-registry-app-*-runner.jar")
    options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m")  # it lives for a minute
    command = [java_tools.java_command("a schema registry"), *options, "-jar", str(jar)]
    settings = {"QUARKUS_HTTP_PORT": "0", "QUARKUS_HTTP_HOST": "127.0.0.1"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **settings},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if found := _LISTENING.search(line):
                    Thread(target=process.stdout.read, daemon=True).start()  # or a full pipe would stop it
                    yield Registry(found[1])
                    return
            raise AssertionError(said)
        finally:
            process.kill()
