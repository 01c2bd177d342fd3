"""What a run needs and what the services say they have: one line before the first event."""

from collections.abc import Iterator

import pytest

from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import Services, check_services
from dataflows.services.descriptions import Described, misfit
from dataflows.services.errors import ServiceError
from dataflows.settings import RunSettings
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureServiceDescription, InferenceServiceDescription
from tests.dataflows.asking import Bench
from tests.dataflows.misbehaving import Status
from window_core import DEMO_SENSORS, Sensors

OTHERS = Sensors.of(("temperature", "door?"))
NAMES = [f"sensor_{number}/v1" for number in range(1, 5)]
FEATURES = FeatureServiceDescription(sensor=DEMO_SENSORS.declared, feature=NAMES, column_bytes=1)
MODEL = InferenceServiceDescription(model_id="m/v1", feature=NAMES[:2], result=["k"])


def test_services_that_have_what_is_needed_fit() -> None:
    assert misfit(Described(FEATURES, MODEL), DEMO_SENSORS) is None


def test_services_of_the_original_demo_fit_its_sensors_and_no_others() -> None:
    assert misfit(Described(None, None), DEMO_SENSORS) is None
    for said in (Described(None, MODEL), Described(FeatureServiceDescription(sensor=OTHERS.declared), None)):
        told = misfit(said, OTHERS)
        assert told is not None
        assert "knows only the methods of the original demo" in told
        assert "the sensors of this run are temperature, door?" in told


@pytest.mark.parametrize("there", [("temperature", "door"), ("door?", "temperature"), ("temperature",)])
def test_sensors_that_differ_are_told_with_those_of_both_sides(there: tuple[str, ...]) -> None:
    told = misfit(Described(FeatureServiceDescription(sensor=there), MODEL), OTHERS)
    assert told == (
        f"the feature service is for the sensors {', '.join(there)}; the sensors of this run are temperature, door?: "
        "see --sensors"
    )


def test_features_that_nobody_serves_are_told_with_those_that_there_are() -> None:
    model = InferenceServiceDescription(model_id="m/v1", feature=["sensor_1/v1", "sensor_1/v2", "other/v1"])
    told = misfit(Described(FEATURES, model), DEMO_SENSORS)
    assert told == (
        "the model m/v1 needs sensor_1/v2, other/v1, which the feature service has not: it has sensor_1/v1, "
        "sensor_2/v1, sensor_3/v1, sensor_4/v1"
    )
    many = InferenceServiceDescription(model_id="m/v1", feature=[f"f{number}/v1" for number in range(20)])
    told = misfit(Described(FeatureServiceDescription(sensor=DEMO_SENSORS.declared), many), DEMO_SENSORS)
    assert told is not None
    assert "f7/v1 and 12 more, which the feature service has not: it has none" in told


@pytest.fixture(scope="module")
def other_features() -> Iterator[str]:
    """The address of a feature service for other sensors."""
    server = start(ServerSettings.of("features", port=0, sensors=OTHERS.declared))
    yield server.address
    server.stop(0.0)


def test_a_run_asks_both_services(features_address: str, inference_address: str) -> None:
    check_services(Services(features_address, inference_address), RunSettings.of(), Metrics())


def test_a_run_with_other_sensors_than_its_services_ends_before_its_first_event(
    other_features: str, features_address: str, inference_address: str
) -> None:
    for features, sensors in ((other_features, DEMO_SENSORS), (features_address, OTHERS)):
        settings = RunSettings.of(sensors=sensors.declared, features=features, inference=inference_address)
        with pytest.raises(ServiceError, match=f"; the sensors of this run are {sensors.names[0]}"):
            check_services(Services(features, inference_address), settings, Metrics())


def test_a_model_whose_features_nobody_serves_ends_a_run_before_its_first_event(
    other_features: str, inference_address: str
) -> None:
    settings = RunSettings.of(sensors=OTHERS.declared, features=other_features, inference=inference_address)
    with pytest.raises(ServiceError, match=r"needs sensor_1/v1, .*: it has mean_temperature/v1, mean_door/v1$"):
        check_services(Services(other_features, inference_address), settings, Metrics())


@pytest.mark.parametrize("services", [("features",), ("inference",), ("features", "inference")])
def test_a_server_that_does_not_describe_itself_is_one_of_the_demo(bench: Bench, services: tuple[str, ...]) -> None:
    def unknown(name: str, request: object, number: int) -> Status | None:
        return Status.UNIMPLEMENTED if name == "Describe" else None

    bench.client(**dict.fromkeys(services, unknown)).check()


def test_a_service_that_is_away_for_a_while_is_asked_again_and_one_that_refuses_is_one_line(bench: Bench) -> None:
    bench.client(lambda name, request, number: Status.UNAVAILABLE if number < 2 else None).check()
    client = bench.client(lambda *_: Status.UNAVAILABLE, attempts=2)
    with pytest.raises(ServiceError, match=r"the features service at .* failed 2 attempts .*UNAVAILABLE: as told"):
        client.check()
    client = bench.client(inference=lambda *_: Status.INTERNAL)
    with pytest.raises(ServiceError, match=r"the inference service at .* does not describe itself: INTERNAL: as told"):
        client.check()
