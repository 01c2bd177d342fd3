package io.latecomer.services.server;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.examples.ml.Feature;
import io.grpc.examples.ml.FeatureList;
import io.grpc.examples.ml.Prediction;
import io.grpc.examples.ml.RawEvent;
import io.grpc.examples.ml.RawEventList;
import io.latecomer.services.rules.ExactMean;
import io.latecomer.services.rules.LogisticRegression;
import io.latecomer.services.rules.NumberText;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.FeatureNames;
import io.latecomer.services.wire.RequestError;
import java.util.List;

/**
 * The answers to the original demo's two calls. An old client must go on to work: times, their
 * order and the device ids of single events are not looked at, as they never were.
 */
final class OriginalRules {
  private OriginalRules() {}

  /**
   * The mean of each sensor over one window, in the sensors' units.
   *
   * @throws RequestError if there is no event, or a reading is not finite
   * @throws StatusRuntimeException if these are not the sensors of this server
   */
  static FeatureList features(RawEventList window, Sensors sensors) {
    if (!sensors.areOfDemo()) {
      throw Status.FAILED_PRECONDITION
          .withDescription("this server is for the sensors " + sensors)
          .asRuntimeException();
    }
    if (window.getEventCount() == 0) {
      throw new RequestError("event: the window holds no event");
    }
    float[][] columns = columns(window.getEventList());
    FeatureList.Builder answer = FeatureList.newBuilder().setDeviceId(window.getDeviceId());
    for (int sensor = 0; sensor < columns.length; sensor++) {
      float mean = ExactMean.of(columns[sensor], 0, columns[sensor].length);
      if (Float.isNaN(mean)) {
        throw new RequestError(sensors.notFinite(sensor, firstNotFinite(columns[sensor])));
      }
      answer.addFeature(
          Feature.newBuilder().setName(sensors.features().get(sensor)).setValue(mean));
    }
    return answer.build();
  }

  private static int firstNotFinite(float[] readings) {
    int event = 0;
    while (Float.isFinite(readings[event])) {
      event++;
    }
    return event;
  }

  private static float[][] columns(List<RawEvent> events) {
    float[][] columns = new float[Sensors.DEMO.width()][events.size()];
    for (int i = 0; i < events.size(); i++) {
      RawEvent event = events.get(i);
      columns[0][i] = event.getSensor1();
      columns[1][i] = event.getSensor2();
      columns[2][i] = event.getSensor3();
      columns[3][i] = event.getSensor4();
    }
    return columns;
  }

  /**
   * The prediction for one device's features.
   *
   * @throws RequestError if a feature of the model is missing, repeated or not finite
   */
  static Prediction prediction(FeatureList request) {
    List<String> names = request.getFeatureList().stream().map(Feature::getName).toList();
    int[] positions =
        FeatureNames.positions(names, LogisticRegression.FEATURES); // first, as in a batch
    float[] features = new float[positions.length];
    for (int i = 0; i < features.length; i++) {
      features[i] = request.getFeature(positions[i]).getValue();
      if (!Float.isFinite(features[i])) {
        throw new RequestError("feature: " + LogisticRegression.FEATURES.get(i) + " is not finite");
      }
    }
    return Prediction.newBuilder()
        .setModelId(LogisticRegression.ID)
        .setDeviceId(request.getDeviceId())
        .putResult(
            LogisticRegression.RESULT, NumberText.general(LogisticRegression.probability(features)))
        .build();
  }
}
