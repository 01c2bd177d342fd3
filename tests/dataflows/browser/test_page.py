"""The live page as a server: it reads, for this machine alone; and as a browser shows it."""

import json
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser import Browser
from tests.dataflows.browser.test_fleet import rejection
from tests.dataflows.commands import latecomer_here, one_line, started

LAST_ROW = "return [...document.querySelectorAll('#answer td')].map((cell) => cell.textContent)"


@contextmanager
def page_of(folder: Path) -> Iterator[str]:
    """Where the page of a run is; it ends by Ctrl-C, at once and without a word."""
    options = ("--input", "events.jsonl", "--output", "out/predictions.jsonl", "--port", "0")
    with started("page", *options, cwd=folder) as process:
        assert process.stdout is not None
        said = process.stdout.readline().decode()
        assert said.startswith("page on http://localhost:"), said or process.stderr.read()
        yield said.split()[2]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a run, for this page alone."""
    return Path(shutil.copytree(folder.parent, tmp_path_factory.mktemp("page") / "run"))


@pytest.fixture(scope="module")
def page(run: Path) -> Iterator[str]:
    with page_of(run) as url:
        yield url


def answer(page: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", urlsplit(page).port or 0)
    connection.putrequest(method, path, skip_host=True)
    for name, value in ({"Host": f"localhost:{urlsplit(page).port}"} | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    found = connection.getresponse()
    body = found.read()
    connection.close()
    return found.status, {name.lower(): value for name, value in found.getheaders()}, body


def test_it_listens_on_one_address_of_this_machine_alone(page: str) -> None:
    port = urlsplit(page).port or 0
    with pytest.raises(OSError):  # noqa: PT011  # refused by Linux; macOS does not know that address at all
        socket.create_connection(("127.0.0.2", port), timeout=5).close()
    socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "10.0.0.1", "", "[::1]:1"]
)
def test_another_name_of_this_machine_is_refused(page: str, host: str) -> None:
    status, _, body = answer(page, "/fleet", Host=host)
    assert (status, b"device" in body) == (403, False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:9999", "127.0.0.1:80"])
def test_a_forwarded_port_of_this_machine_is_served(page: str, host: str) -> None:
    assert answer(page, "/fleet", Host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_it_answers_reads_alone(page: str, method: str) -> None:
    status, headers, body = answer(page, "/fleet", method)
    assert (status, headers["allow"], body) == (405, "GET, HEAD", b"")


@pytest.mark.parametrize("path", ["/", "/fleet"])
def test_no_other_origin_may_read_an_answer(page: str, path: str) -> None:
    status, headers, _ = answer(page, path, Origin="https://evil.example")
    assert status == 200
    assert not [name for name in headers if name.startswith("access-control")]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_a_head_has_the_headers_and_no_body(page: str) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(page).port or 0)) as connection:
        connection.sendall(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert body == b""
    assert f"Content-Length: {len(answer(page, '/')[2])}".encode() in head.split(b"\r\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/../../etc/passwd", 404),
        ("/nothing", 404),
        ("/evaluations", 400),
        ("/window?device=a", 400),
        ("/window?device=nobody&evaluation=nobody/0/0", 404),
        ("/explanation?evaluation=nobody/0/0", 503),
    ],
)
def test_what_is_not_there_is_said(page: str, path: str, status: int) -> None:
    assert answer(page, path)[0] == status


def test_a_log_that_is_gone_is_a_problem_that_is_told(page: str, run: Path) -> None:
    (run / "events.jsonl").rename(run / "elsewhere")
    status, _, body = answer(page, "/evaluations?" + urlencode({"device": "device-0003"}))
    (run / "elsewhere").rename(run / "events.jsonl")
    assert status == 503
    assert "does not exist" in json.loads(body)["problem"]


def shown(browser: Browser, evaluation: str) -> None:
    browser.until(f"return document.getElementById('window').dataset.evaluation === '{evaluation}'")


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (390, True)])
def test_a_window_is_looked_at_by_the_keyboard(browser: Browser, page: str, run: Path, width: int, dark: bool) -> None:
    lines = map(json.loads, (run / "out/predictions.jsonl").read_bytes().splitlines())
    predictions = [line for line in lines if line["device_id"] == "device-0004"]
    browser.open(page, width, dark=dark)
    browser.until("return document.querySelectorAll('#fleet tbody tr').length === 6")
    browser.driver.find_element("id", "filter").send_keys("0004")
    for _ in range(3):  # from the filter to the link; a table that scrolls may be between
        if browser.run("return document.activeElement.hash") == "#device-0004":
            break
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    shown(browser, predictions[-1]["evaluation_id"])
    slider = browser.driver.find_element("id", "slider")
    slider.send_keys(Keys.ARROW_LEFT)
    shown(browser, predictions[-2]["evaluation_id"])
    slider.send_keys(Keys.HOME)
    shown(browser, predictions[0]["evaluation_id"])
    values = browser.run(LAST_ROW)
    wanted = predictions[0]["features"] | {"logistic_regression_result": None}
    assert values[::2] == list(wanted)
    assert [float(value) for value in values[1:-1:2]] == list(predictions[0]["features"].values())
    assert values[-1] == predictions[0]["result"]["logistic_regression_result"]
    slider.send_keys(Keys.END)
    shown(browser, predictions[-1]["evaluation_id"])
    browser.driver.find_element("id", "explain").send_keys(Keys.ENTER)
    browser.until("return document.querySelectorAll('#explanation dt').length > 5")
    assert predictions[-1]["evaluation_id"] in browser.run(
        "return document.querySelector('#explanation dd').textContent"
    )
    points = [mark for mark in browser.marks("window-figure") if mark["kind"] == "point"]
    assert len(points) == len(browser.table("window-figure")) == predictions[-1]["events"]
    assert browser.said() == []
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_rejections_and_a_run_that_starts_anew_are_shown_as_they_come(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(folder.parent, tmp_path / "run"))
    with page_of(run) as page:
        browser.open(page)
        browser.until("return document.querySelectorAll('#rejections tbody tr').length > 1")
        new = rejection("<i>device</i>", 99, 1_587_920_555_000, "TOO_LATE", late_by_ms=61_000, event={"time": 1})
        with (run / "out/rejections.jsonl").open("ab") as file:
            file.write(new + b"\n")
        first = "document.querySelector('#rejections tbody tr')?.innerText"
        browser.until(f"return {first} === '<i>device</i>\\tTOO_LATE\\t0/99\\t2020-04-26 17:02:35\\tby 1m 1s'")
        (run / "out/rejections.jsonl").write_bytes(b"")
        (run / "out/predictions.jsonl").write_bytes(b"")
        browser.until("return document.querySelector('#rejections').innerText === 'None so far.'")
        assert browser.run("return document.querySelectorAll('#fleet tbody tr').length") == 0
        assert browser.said() == []
    browser.until("return document.getElementById('problem').textContent.includes('has ended')")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "65536"), "--port must be a port, or 0 for a free one, not 65536"),
        (("--output", "-", "--rejections", "r"), "--output must be a file or a topic: standard output cannot be read"),
        (("--input", "none.jsonl"), "--input none.jsonl does not exist"),
    ],
)
def test_a_wrong_argument_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    finished = latecomer_here("page", *arguments, cwd=tmp_path)
    assert finished.returncode == 2
    assert said in one_line(finished.stderr)


def test_a_port_that_is_taken_is_said(run: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = latecomer_here("page", "--output", "out/predictions.jsonl", "--port", port, cwd=run)
    assert (finished.returncode, one_line(finished.stderr)) == (1, f"latecomer: --port {port}: Address already in use")
