package io.latecomer.services.server;

import io.grpc.stub.StreamObserver;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.WindowBatch;

/**
 * Features of many windows, by call and by stream. Errors: a row's own, or INVALID_ARGUMENT, see
 * {@link BatchRules}.
 */
final class BatchFeatureService extends FeatureServiceGrpc.FeatureServiceImplBase {
  private final OpenStreams streams;

  BatchFeatureService(OpenStreams streams) {
    this.streams = streams;
  }

  @Override
  public void engineerFeatures(WindowBatch request, StreamObserver<FeatureBatch> answers) {
    Answers.one(request, answers, BatchRules::features);
  }

  @Override
  public StreamObserver<WindowBatch> streamFeatures(StreamObserver<FeatureBatch> answers) {
    return Answers.oneForEach(streams, answers, BatchRules::features);
  }
}
