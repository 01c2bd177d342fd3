"""Runs inside the job manager's pod, on the standard input of its Python: asks Flink's REST interface there.

The interface is open to the pods of the job and to nobody else, so that it is asked from where they are. Standard
library only, and no import of the project: the image may be another version's. Arguments: ``report``; ``stop``, which
stops the job with a savepoint; or ``dispose PATH``, which removes one. Prints one line of JSON.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

ADDRESS = "http://localhost:8081"
WITHIN_S = 600
"""How long a savepoint may take, as long as a checkpoint may."""


def asked(path: str, body: Any = None) -> Any:
    request = urllib.request.Request(ADDRESS + path, None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def current_job() -> dict[str, Any] | None:
    jobs = sorted(asked("/jobs/overview")["jobs"], key=lambda job: int(job["start-time"]))
    return jobs[-1] if jobs else None


def pending_records(job: str, vertices: list[dict[str, Any]]) -> float | None:
    """Records that the source has not read yet, over all subtasks; ``None`` until it knows."""
    total = None
    for vertex in vertices:
        path = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
        names = [metric["id"] for metric in asked(path) if metric["id"].endswith(".pendingRecords")]
        for metric in asked(f"{path}?agg=sum&get={','.join(names)}") if names else []:
            total = (total or 0) + metric["sum"]
    return total


def report() -> dict[str, Any]:
    job = current_job()
    if job is None:
        return {"job": None}
    path = f"/jobs/{job['jid']}"
    causes = asked(f"{path}/exceptions?maxExceptions=1")["exceptionHistory"]["entries"]
    metrics = {one["id"]: one["value"] for one in asked(f"{path}/metrics?get=numRestarts,fullRestarts,uptime")}
    vertices = asked(path)["vertices"]
    return {
        "job": job,
        "parallelism": max((vertex["parallelism"] for vertex in vertices), default=0),
        "checkpoints": asked(f"{path}/checkpoints"),
        "lag": pending_records(job["jid"], vertices) if job["state"] == "RUNNING" else None,
        "metrics": metrics,
        "failure": causes[0]["stacktrace"] if causes else None,
        "now": int(time.time() * 1000),
    }


def stop() -> dict[str, Any]:
    job = current_job()
    if job is None or job["state"] != "RUNNING":
        return {"state": job and job["state"]}
    path = f"/jobs/{job['jid']}"
    trigger = asked(f"{path}/stop", {"drain": False})["request-id"]
    return completed(f"{path}/savepoints/{trigger}") or {"failure": f"no savepoint within {WITHIN_S} s"}


def dispose(savepoint: str) -> dict[str, Any]:
    trigger = asked("/savepoint-disposal", {"savepoint-path": savepoint})["request-id"]
    return completed(f"/savepoint-disposal/{trigger}") or {"failure": f"not removed within {WITHIN_S} s"}


def completed(path: str) -> dict[str, Any] | None:
    """How an operation of Flink's ended; ``None``: it did not in time."""
    give_up_s = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up_s:
        answer = asked(path)
        if answer["status"]["id"] == "COMPLETED":
            operation = answer["operation"]
            cause = operation.get("failure-cause")
            return {"savepoint": operation.get("location"), "failure": cause and cause.get("stack-trace")}
        time.sleep(0.02)
    return None


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {"report": report, "stop": stop, "dispose": dispose}

if __name__ == "__main__":
    try:
        result = COMMANDS[sys.argv[1]](*sys.argv[2:])
    except (OSError, urllib.error.URLError) as error:
        result = {"away": str(error)}
    print(json.dumps(result))
