import json
import math
from collections.abc import Callable

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python.logistic_regression import DEFAULT_ARTIFACT
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from tests.grpc_services.python.messages import (
    NAMES,
    demo_window,
    error_texts,
    event_list,
    feature_batch,
    feature_list,
    matrix_of,
    on_stream,
    window_batch,
)

READING = st.floats(width=32, allow_nan=False, allow_infinity=False)
EVENT = st.tuples(st.integers(0, 2**40), READING, READING, READING, READING)
NAN = float("nan")


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value.code(), refused.value.details()


def features_of(channel: grpc.Channel, window) -> list[float]:
    answer = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(event_list(window))
    assert [feature.name for feature in answer.feature] == NAMES
    return [feature.value for feature in answer.feature]


def test_the_input_of_the_original_demo_gives_its_means_and_the_correct_score(features_channel, inference_channel):
    answer = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(features_channel).engineerFeatures(
        event_list(demo_window())
    )
    means = np.array([feature.value for feature in answer.feature], np.float32)
    assert means.tolist() == np.array([0.48174313, 0.50363654, 0.50414276, 0.49269974], np.float32).tolist()
    prediction = mlpipeline_pb2_grpc.PredictionServiceStub(inference_channel).predict(answer)
    assert prediction.modelId == "log_reg_model/v2"
    assert prediction.deviceId == "device_123"
    assert dict(prediction.result) == {"logistic_regression_result": "0.515127767"}


def test_the_same_input_in_a_batch_gives_the_same(features_channel, inference_channel):
    answer = batch_pb2_grpc.FeatureServiceStub(features_channel).EngineerFeatures(window_batch([demo_window()] * 2))
    assert not answer.error
    assert list(answer.name) == NAMES
    predictions = batch_pb2_grpc.InferenceServiceStub(inference_channel).Predict(answer)
    assert (answer.rows, predictions.rows) == (2, 2)
    assert (predictions.model_id, list(predictions.key)) == ("log_reg_model/v2", ["logistic_regression_result"])
    assert list(predictions.value) == ["0.515127767"] * 2


@given(windows=st.lists(st.lists(EVENT, min_size=1, max_size=8), max_size=5))
def test_a_batch_of_windows_answers_as_its_windows_do_alone(features_channel, windows):
    answer = batch_pb2_grpc.FeatureServiceStub(features_channel).EngineerFeatures(window_batch(windows))
    assert not answer.error
    assert matrix_of(answer) == [features_of(features_channel, window) for window in windows]


FEATURE = st.one_of(READING, st.floats(-100, 100, width=32))


@given(rows=st.lists(st.tuples(FEATURE, FEATURE, FEATURE, FEATURE), max_size=5))
def test_a_batch_of_features_answers_as_its_rows_do_alone_and_as_plain_python(inference_channel, rows):
    answer = batch_pb2_grpc.InferenceServiceStub(inference_channel).Predict(feature_batch(rows))
    stub = mlpipeline_pb2_grpc.PredictionServiceStub(inference_channel)
    alone = [stub.predict(feature_list(row)).result["logistic_regression_result"] for row in rows]
    assert list(answer.value) == alone == [plain_score(row) for row in rows]


def plain_score(row) -> str:
    artifact = json.loads(DEFAULT_ARTIFACT.read_text())
    score = artifact["intercept"]
    for name, value in zip(NAMES, row, strict=True):
        score += artifact["weights"][name] * value
    return "%.9g" % (1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score)))


def test_scores_at_the_ends_do_not_overflow(inference_channel):
    rows = [[3e38] * 4, [-3e38] * 4, [-1000.0, -1000.0, 0.0, 0.0]]
    answer = batch_pb2_grpc.InferenceServiceStub(inference_channel).Predict(feature_batch(rows))
    assert list(answer.value) == ["1", "0", plain_score(rows[2])]
    assert "e-35" in answer.value[2]


def test_an_old_client_may_mix_devices_and_times(features_channel):
    window = [(2, 1.0, 2.0, 3.0, 4.0), (1, 3.0, 2.0, 3.0, 4.0), (-5, 5.0, 2.0, 3.0, 4.0)]
    request = event_list(window)
    request.event[1].device_id = "another"
    answer = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(features_channel).engineerFeatures(request)
    assert [feature.value for feature in answer.feature] == [3.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ([], "event: the window holds no event"),
        ([(1, 0, 0, 0, 0), (2, 0, 0, NAN, 0)], "sensor3: not finite in event 1 of the window"),
        ([(1, 0, math.inf, 0, 0)], "sensor2: not finite in event 0 of the window"),
    ],
)
def test_a_window_that_cannot_be_answered_names_the_field(features_channel, window, message):
    stub = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(features_channel)
    assert refusal(lambda: stub.engineerFeatures(event_list(window))) == (grpc.StatusCode.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        (NAMES[:3], [0, 0, 0], "feature: sensor_4/v1 is missing"),
        ([*NAMES, NAMES[1]], [0, 0, 0, 0, 0], "feature: sensor_2/v1 is repeated"),
        (NAMES, [0, 0, NAN, 0], "feature: sensor_3/v1 is not finite"),
        ([], [], "feature: sensor_1/v1 is missing"),
    ],
)
def test_features_that_a_model_cannot_read_are_named(inference_channel, names, values, message):
    refused = (grpc.StatusCode.INVALID_ARGUMENT, message)
    stub = mlpipeline_pb2_grpc.PredictionServiceStub(inference_channel)
    assert refusal(lambda: stub.predict(feature_list(values, names))) == refused
    batches = batch_pb2_grpc.InferenceServiceStub(inference_channel)
    if any(map(math.isnan, values)):
        answer = batches.Predict(feature_batch([[0, 0, 0, 0], values], names))
        assert error_texts(answer) == {1: message}
        assert list(answer.value) == ["0.501499996", ""]
        assert answer.error[0].code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    else:
        assert refusal(lambda: batches.Predict(feature_batch([values], names))) == refused


def test_features_that_the_model_does_not_read_are_ignored(inference_channel):
    names = ["other/v1", *NAMES, "other/v1"]
    answer = mlpipeline_pb2_grpc.PredictionServiceStub(inference_channel).predict(
        feature_list([NAN, 0, 0, 0, 0, 1], names)
    )
    assert answer.result["logistic_regression_result"] == "0.501499996"
    answer = batch_pb2_grpc.InferenceServiceStub(inference_channel).Predict(
        feature_batch([[NAN, 0, 0, 0, 0, 1]], names)
    )
    assert list(answer.value) == ["0.501499996"]


def test_rows_that_failed_as_features_get_no_prediction(features_channel, inference_channel):
    windows = window_batch([[(1, 0, 0, 0, 0)], [(1, NAN, 0, 0, 0)], [(1, 0, 0, 0, 0)]])
    features = batch_pb2_grpc.FeatureServiceStub(features_channel).EngineerFeatures(windows)
    assert error_texts(features) == {1: "sensor1: not finite in event 0 of the window"}
    assert matrix_of(features)[1] == [0, 0, 0, 0]
    answer = batch_pb2_grpc.InferenceServiceStub(inference_channel).Predict(features)
    assert list(answer.value) == ["0.501499996", "", "0.501499996"]
    assert error_texts(answer) == {1: "error: this row failed before, it holds no features"}


def test_a_stream_answers_each_request_in_order(features_channel, inference_channel):
    windows = [window_batch([[(1, float(number), 0, 0, 0)]] * (number % 3 + 1)) for number in range(50)]
    answers = list(batch_pb2_grpc.FeatureServiceStub(features_channel).StreamFeatures(on_stream(windows)))
    assert [matrix_of(answer)[0][0] for answer in answers] == [float(number) for number in range(50)]
    assert [answer.rows for answer in answers] == [number % 3 + 1 for number in range(50)]
    predictions = list(batch_pb2_grpc.InferenceServiceStub(inference_channel).StreamPredictions(iter(answers)))
    assert [one.value[0] for one in predictions] == [plain_score([float(number), 0, 0, 0]) for number in range(50)]


def test_a_request_that_fails_whole_ends_its_stream_with_its_status(features_channel):
    requests = [window_batch([[(1, 0, 0, 0, 0)]]), batch_pb2.WindowBatch(number=bytes(4))]
    answers = batch_pb2_grpc.FeatureServiceStub(features_channel).StreamFeatures(on_stream(requests))
    assert not next(answers).error
    assert refusal(lambda: next(answers)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "number: 4 bytes are not 0 uint32, one for each device_id",
    )


@pytest.mark.parametrize(
    "method",
    ["/mlpipeline.FeatureEngineeringService/engineerFeatures", "/latecomer.v1.FeatureService/EngineerFeatures"],
)
def test_bytes_that_are_no_message_are_refused_without_a_trace_on_the_console(features_channel, method, capfd, caplog):
    for data in (b"\xff\xff\xff\xff", b"\x0a\x02\xff\xff", b"\x0a\x7f"):  # no field, no UTF-8, cut short
        code, message = refusal(lambda data=data: features_channel.unary_unary(method)(data))
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert message == "request: these bytes are not a message of this method"
    stream = features_channel.stream_stream("/latecomer.v1.FeatureService/StreamFeatures")
    assert refusal(lambda: next(stream(iter([b"\xff"]))))[0] == grpc.StatusCode.INVALID_ARGUMENT
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_an_unknown_method_is_unimplemented_so_that_a_client_can_fall_back(features_channel):
    call = features_channel.unary_unary("/latecomer.v1.FeatureService/Later")
    assert refusal(lambda: call(b""))[0] == grpc.StatusCode.UNIMPLEMENTED
