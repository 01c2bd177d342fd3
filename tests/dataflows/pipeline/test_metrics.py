"""What a process counts and warns of reaches the process that tells it."""

import json

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
