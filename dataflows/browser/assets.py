"""Documents for a browser: our style and scripts, and Vega, which draws the charts, all in one.

A document asks no network for anything, and its policy forbids it to: what it holds is all that it may use.
"""

import html
import importlib.util
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from runtime.errors import SettingsError

__all__ = ["asset", "check_installation", "document", "vega"]

_FOLDER: Final = Path(__file__).parent / "assets"


def check_installation(command: str) -> None:
    """Check that there is what draws the charts.

    Raises:
        SettingsError: the package is missing.
    """
    if importlib.util.find_spec("vl_convert") is None:
        raise SettingsError(f"`latecomer {command}` needs the package vl-convert-python: pip install 'latecomer[page]'")


def asset(name: str) -> str:
    """One of our own files: a style sheet or a script."""
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def vega() -> str:
    """A script that makes ``vegaEmbed`` known: Vega, Vega-Lite and vega-embed; some 0.9 MB, put together in 2 s."""
    import vl_convert  # an extra: see ``check_installation``

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def document(name: str, title: str, data: Any, *, asks_its_server: bool = False) -> str:
    """A document that shows data: by ``NAME.js``, in our style.

    Args:
        name: of the script.
        title: of the document.
        data: what the script finds as JSON.
        asks_its_server: the script may ask the server that it came from, and no other.
    """
    scripts = [_closed(script) for script in (vega(), asset("figures.js") + asset(f"{name}.js"))]
    allowed = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    asked = "'self'" if asks_its_server else "'none'"
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed} 'unsafe-eval'; img-src data:; "
        f"connect-src {asked}; form-action 'none'; base-uri 'none'"
    )
    inside = msgspec.json.encode(data).decode().replace("<", "\\u003c")  # a string of others could end the element
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{asset("style.css")}</style>
<main id="main"><noscript>This page draws charts and tables by scripts of its own: allow them.</noscript></main>
<script type="application/json" id="data">{inside}</script>
{"".join(f'<script type="module">{script}</script>' for script in scripts)}
</html>
"""


def _closed(script: str) -> str:
    """A script that does not end its element early: what would, it has in strings, where both forms mean the same."""
    return re.sub("</(?=script)", r"<\\/", script, flags=re.IGNORECASE).replace("<!--", "<\\!--")
