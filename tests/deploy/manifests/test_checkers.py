"""What two checkers of the trade say: nothing, or what is listed here with its reason."""

import json
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.deploy.manifests.rendering import COMBINATIONS, rendered_combination

CHECKED = [("local",), ("production",), *COMBINATIONS[-3:]]
"""The overlays, and all components together, with the operator and without."""

ACCEPTED = {
    "CKV_K8S_8": ("Liveness", "task managers, heartbeats: Flink finds a worker that hangs, and both end when cut off"),
    "CKV_K8S_9": ("Readiness", "heartbeats: nobody calls it, and it ends when it cannot write"),
    "CKV_K8S_11": ("CPU limits", "with one a start takes minutes and calls stall; requests share a busy node as well"),
    "CKV_K8S_15": ("Pull Policy", "a release has a tag of its own; images that were loaded by hand must start, too"),
    "CKV_K8S_35": (
        "Secrets as files",
        "settings of the services: none is secret, and the job may write ConfigMaps",
    ),
    "CKV_K8S_38": ("Account Tokens", "the job: its leader and its latest checkpoint are kept in ConfigMaps"),
    "CKV_K8S_40": ("high UID", "the job: 9999 is who owns the files of Flink's volumes in Flink's public images"),
    "CKV_K8S_43": ("digest", "a digest belongs to the registry of whoever built the image; an overlay can pin it"),
}
"""Checks of checkov that fail: what they ask for, and why it is not so."""

ACCEPTED_IN_DOCKERFILES = {
    "DL3003": "one layer moves much about; a WORKDIR for each place would be a layer for each",
    "DL3008": "the release of Debian is fixed, its corrections are wanted; old versions vanish from the archive",
}
"""Rules of hadolint that are broken, with the reason."""


PLANTED = """
apiVersion: v1
kind: Pod
metadata: {name: planted}
spec: {containers: [{name: planted, image: "planted:1", securityContext: {privileged: true}}]}
"""


def test_checkov_finds_nothing_that_is_not_accepted(checkers: Path, tmp_path: Path) -> None:
    for number, combination in enumerate(CHECKED):
        (tmp_path / f"{number}.yaml").write_text(rendered_combination(combination).text)
    (tmp_path / "planted.yaml").write_text(PLANTED)
    command = [
        checkers / "checkov",
        "--framework=kubernetes",
        "--output=json",
        "--quiet",
        "--compact",
        "--skip-download",
    ]
    checked = subprocess.run(
        [*command, f"--directory={tmp_path}"], capture_output=True, text=True, check=False, timeout=240
    )
    results = json.loads(checked.stdout)
    failed = {
        (check["check_id"], check["check_name"], check["resource"]) for check in results["results"]["failed_checks"]
    }
    planted = {one for one in failed if one[2].endswith("planted")}
    assert "CKV_K8S_16" in {check for check, _, _ in planted}  # it looks at all, and at privileged containers
    assert {one for one in failed - planted if one[0] not in ACCEPTED} == set()
    assert {check for check, _, _ in failed - planted} == ACCEPTED.keys()  # none is accepted for nothing


def test_hadolint_finds_nothing_that_is_not_accepted(checkers: Path) -> None:
    dockerfiles = sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile"))
    assert dockerfiles
    checked = subprocess.run(
        [checkers / "hadolint", "--no-fail", "--format=json", *dockerfiles],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    broken = json.loads(checked.stdout)
    assert [one for one in broken if one["code"] not in ACCEPTED_IN_DOCKERFILES] == []
    assert {one["code"] for one in broken} == ACCEPTED_IN_DOCKERFILES.keys()
