"""What a process counts and warns of reaches the process that tells it."""

import json

from prometheus_client import CollectorRegistry

from dataflows.pipeline.metrics import Metrics


def test_another_process_hears_of_warnings_and_counts() -> None:
    of_job, of_run = Metrics(), Metrics()
    of_job.warn("a kind", "look here")
    of_job.clamped.labels("2").inc(3)
    of_run.add(json.loads(json.dumps(of_job.report())))
    assert of_run.warnings == {"a kind": "look here"}
    assert of_run.value("latecomer_arrivals_clamped_total", partition="2") == 3


def test_the_commonest_cause_of_a_reason_has_its_number_and_the_first_example() -> None:
    of_job, of_run = Metrics(), Metrics()
    for cause, example in (("key", "0/1"), ("sensor in sensor2", "0/2"), ("key", "0/3")):
        of_job.caused("INVALID", cause, example)
    of_job.caused("REFUSED", "features, INTERNAL: no", "d/0/0")
    of_run.caused("INVALID", "sensor in sensor2", "1/1", 2)
    of_run.add(json.loads(json.dumps(of_job.report())))
    assert of_run.commonest_cause("INVALID") == ("INVALID", "sensor in sensor2", 3, "1/1")
    assert of_run.commonest_cause("REFUSED") == ("REFUSED", "features, INTERNAL: no", 1, "d/0/0")
    assert of_run.commonest_cause("TOO_LATE") is None


def test_of_two_causes_as_common_the_first_one_is_told() -> None:
    metrics = Metrics()
    for cause in ("b", "a", "a", "b"):
        metrics.caused("INVALID", cause, f"of {cause}")
    assert metrics.commonest_cause("INVALID") == ("INVALID", "b", 2, "of b")


def test_causes_that_are_never_the_same_take_no_more_than_their_room() -> None:
    metrics = Metrics()
    for number in range(1_000):
        metrics.caused("REFUSED", f"message {number}", str(number))
    metrics.caused("REFUSED", "message 7", "again")
    assert metrics.commonest_cause("REFUSED") == ("REFUSED", "message 7", 2, "7")
    assert len(metrics.report()["causes"]) == 100


def test_what_is_served_is_the_sum_over_all_processes() -> None:
    of_run, processes = Metrics(), [Metrics(), Metrics()]
    for number, metrics in enumerate(processes):
        metrics.records.inc(5)
        metrics.lateness.observe(20)
        metrics.calls.labels("features").observe(0.3)
        metrics.arrived(str(number), 7_000)
        metrics.retries.labels("features", "UNAVAILABLE").inc()
        for _ in range(2):  # the last samples count
            of_run.of_processes[number] = json.loads(json.dumps(metrics.samples()))
        of_run.add(metrics.report())
    served = CollectorRegistry()
    served.register(of_run)
    assert served.get_sample_value("latecomer_records_total") == 10
    assert served.get_sample_value("latecomer_lateness_seconds_bucket", {"le": "60.0"}) == 2
    assert served.get_sample_value("latecomer_lateness_seconds_bucket", {"le": "10.0"}) == 0
    assert served.get_sample_value("latecomer_call_seconds_sum", {"service": "features"}) == 0.6
    assert served.get_sample_value("latecomer_retries_total", {"service": "features", "status": "UNAVAILABLE"}) == 2
    assert [served.get_sample_value("latecomer_arrival_seconds", {"partition": part}) for part in "01"] == [7, 7]
