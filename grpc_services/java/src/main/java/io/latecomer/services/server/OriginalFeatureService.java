package io.latecomer.services.server;

import io.grpc.examples.ml.FeatureEngineeringServiceGrpc;
import io.grpc.examples.ml.FeatureList;
import io.grpc.examples.ml.RawEventList;
import io.grpc.stub.StreamObserver;
import io.latecomer.services.rules.Sensors;

/**
 * The original demo's feature call: one window in, its features out. Errors: INVALID_ARGUMENT, or
 * FAILED_PRECONDITION on a server for other sensors, see {@link OriginalRules}.
 */
final class OriginalFeatureService
    extends FeatureEngineeringServiceGrpc.FeatureEngineeringServiceImplBase {
  private final Sensors sensors;

  OriginalFeatureService(Sensors sensors) {
    this.sensors = sensors;
  }

  @Override
  public void engineerFeatures(RawEventList request, StreamObserver<FeatureList> answers) {
    Answers.one(request, answers, window -> OriginalRules.features(window, sensors));
  }
}
