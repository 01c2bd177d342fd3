package io.latecomer.services.server;

import io.grpc.examples.ml.FeatureEngineeringServiceGrpc;
import io.grpc.examples.ml.FeatureList;
import io.grpc.examples.ml.RawEventList;
import io.grpc.stub.StreamObserver;

/**
 * The original demo's feature call: one window in, its features out. Errors: INVALID_ARGUMENT, see
 * {@link OriginalRules}.
 */
final class OriginalFeatureService
    extends FeatureEngineeringServiceGrpc.FeatureEngineeringServiceImplBase {
  @Override
  public void engineerFeatures(RawEventList request, StreamObserver<FeatureList> answers) {
    Answers.one(request, answers, OriginalRules::features);
  }
}
