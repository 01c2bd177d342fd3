"""A Java server takes the options of a Python server, and says the same of them."""

from pathlib import Path

import click
import pytest

from dataflows.command_line.serve import serve
from dataflows.java_tools import java_command
from tests.interop.commands import said

OF_PYTHON = {"--language", "--config", "--features-from", "--model"}
"""What the command reads before it becomes a Java server, and plug-ins in Python."""

DIFFERENT = {"--port", "--max-concurrent-calls"}
"""Each language has ports of its own, and other threads."""

OPTIONS = [option for option in serve.params if isinstance(option, click.Option) and option.opts[0] not in OF_PYTHON]


@pytest.fixture(scope="module")
def java_help(jar: Path) -> str:
    status, out, err = said(java_command("this test"), "-jar", str(jar), "features", "--help")
    assert (status, err) == (0, "")
    return "".join(out.split())  # it breaks a line within a word, too


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.opts[0])
def test_a_java_server_explains_an_option_as_a_python_server_does(java_help: str, option: click.Option) -> None:
    assert option.opts[0] in java_help
    if option.opts[0] not in DIFFERENT:
        assert option.help is not None
        assert "".join(option.help.split()) in java_help
