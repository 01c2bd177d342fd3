"""With TLS, certificates on both sides and tokens: the job is let in, and whoever lacks one of the three is not.

All is asked from a pod of the job, which the network policies let through: what refuses is the service itself.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflows.deployment.kubectl import Kubectl
from dataflows.deployment.manifests import copied_to
from tests.authority import Authority
from tests.deploy.cluster.conftest import applied
from tests.deploy.cluster.pipeline import GIVE_UP_S, Pipeline, write_overlay

CA = ("--tls-ca", "/etc/latecomer/tls/ca.crt")
CERTIFICATE = ("--tls-cert", "/etc/latecomer/tls/tls.crt", "--tls-key", "/etc/latecomer/tls/tls.key")
TOKEN = ("--token-file", "/var/run/secrets/latecomer/token")
OTHERS = ("--token-file", "/tmp/others")

REFUSED = {
    "plain": ((), "UNAVAILABLE"),
    "no certificate": ((*CA, *TOKEN), "UNAVAILABLE"),
    "no token": ((*CA, *CERTIFICATE), "the token is missing or not valid"),
    "the token of another account": ((*CA, *CERTIFICATE, *OTHERS), "the token does not allow this"),
}
"""What is shown, and what is said of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Overlays ``python`` and ``java``: the local one with everything that secures."""
    kubernetes = tmp_path_factory.mktemp("secured") / "kubernetes"
    copied_to(kubernetes)
    for language in ("python", "java"):
        java = ["java-services"] if language == "java" else []
        write_overlay(kubernetes, language, "kafka", *java, "tls", "mutual-tls", "tokens", "without-operator")
    return kubernetes / "overlays"


@pytest.fixture(scope="module")
def secured(kubectl: Kubectl, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The pipeline with services in Python."""
    secrets = (*certificates(tmp_path_factory.mktemp("authority")), issuer(kubectl))
    with applied(folder / "python", *secrets) as pipeline:
        yield pipeline


def certificates(folder: Path) -> list[dict[str, object]]:
    authority = Authority(folder)
    secrets = []
    for name in ("features", "inference", "latecomer-job"):
        pair = authority.issue(name, hosts=(name,))
        files = {"tls.crt": pair.cert, "tls.key": pair.key, "ca.crt": authority.path}
        data = {key: Path(path).read_text() for key, path in files.items()}
        secrets.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-tls"}, "stringData": data})
    return secrets


def issuer(kubectl: Kubectl) -> dict[str, object]:
    """The cluster, as who signs the tokens of its service accounts."""
    name = json.loads(kubectl.run("get", "--raw=/.well-known/openid-configuration"))["issuer"]
    data = {"issuer": name, "jwks.json": kubectl.run("get", "--raw=/openid/v1/jwks")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "latecomer-token-issuer"}, "stringData": data}


def asked(pipeline: Pipeline, *options: str) -> tuple[str, str]:
    """What the command ``ask`` in the job manager's pod answers, and what it complains of."""
    pod = pipeline.pod("latecomer-job", component="jobmanager")
    command = ["python3", "-m", "dataflows.command_line", "ask", "features:10001", "inference:10011", *options]
    script = 'out=$("$@" 2>/tmp/err); echo "$out"; echo ---; cat /tmp/err'
    said = pipeline.kubectl.run("exec", pod, "--", "sh", "-c", script, "ask", *command, within_s=GIVE_UP_S)
    answer, _, error = said.partition("---\n")
    return answer.strip(), error


def check_access(pipeline: Pipeline) -> None:
    """Only who shows all three is let in."""
    others = pipeline.kubectl.run("create", "token", "latecomer-services", "--audience=latecomer")
    pod = pipeline.pod("latecomer-job", component="jobmanager")
    pipeline.kubectl.run("exec", "--stdin", pod, "--", "sh", "-c", "cat > /tmp/others", given=others)
    answer, error = asked(pipeline, *CA, *CERTIFICATE, *TOKEN, "--json")
    assert error == ""
    assert json.loads(answer)["result"]["logistic_regression_result"] == "0.515127767"
    for how, (options, says) in REFUSED.items():
        answer, error = asked(pipeline, *options)
        assert answer == "", how
        assert says in error, how


@pytest.mark.timeout(1_800)
def test_the_job_is_let_in_and_nobody_else(secured: Pipeline) -> None:
    secured.tool(*secured.fleet(), "--devices", "7")
    comparison = secured.compared()
    assert comparison["expected"] > 1_000
    assert comparison.is_equal, comparison
    check_access(secured)


@pytest.mark.timeout(1_800)
def test_java_services_take_the_place_of_those_in_python(secured: Pipeline, folder: Path) -> None:
    secured.deploy("upgrade", "--overlay", str(folder / "java"), "--timeout", "8m")
    check_access(secured)
    assert "running" in secured.deploy("status", "--overlay", str(folder / "java"))
