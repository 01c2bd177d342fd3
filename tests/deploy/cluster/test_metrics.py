"""What the page about metrics names is served in the cluster, on the ports that the manifests name."""

import re

from tests.conftest import ROOT
from tests.deploy.cluster.pipeline import Pipeline

PAGE = (ROOT / "docs" / "metrics.md").read_text()
FLINKS = set(re.findall(r"^\| `(flink_\w+)` \|", PAGE, re.MULTILINE))
OURS = set(re.findall(r"^\| `(latecomer_\w+)` \| \w+ \|[^|]*\|[^|]*\| [^|]*Flink", PAGE, re.MULTILINE))
SERVICES = set(re.findall(r"^\| `(latecomer_service_\w+)` \|", PAGE, re.MULTILINE))

SCRAPE = "import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"


def scraped(pipeline: Pipeline, pod: str, port: int) -> set[str]:
    """The names of what a pod serves, without what histograms add to theirs."""
    text = pipeline.kubectl.run("exec", pod, "--", "python3", "-c", SCRAPE, f"http://localhost:{port}/metrics")
    return {re.sub(r"_bucket$", "", name) for name in re.findall(r"^(\w+)[{ ]", text, re.MULTILINE)}


def test_what_the_page_names_is_served_in_the_cluster(pipeline: Pipeline) -> None:
    produce = (*pipeline.fleet(), "--devices", "5")
    pipeline.tool(*produce, "--duration", "2h", "--seed", "11")
    assert pipeline.compared().is_equal
    job_manager = pipeline.pod("latecomer-job", component="jobmanager")
    task_manager = pipeline.pod("latecomer-job", component="taskmanager")
    assert FLINKS
    assert scraped(pipeline, job_manager, 9249) | scraped(pipeline, task_manager, 9249) >= FLINKS
    rare = {"latecomer_retries_total", "latecomer_lateness_seconds"}  # they have a sample once there is a reason
    assert scraped(pipeline, task_manager, 9250) >= OURS - rare
    assert len(SERVICES) == 4
    for service in ("features", "inference"):
        assert scraped(pipeline, pipeline.pod(service), 9250) >= {"latecomer_service_calls_running"}
