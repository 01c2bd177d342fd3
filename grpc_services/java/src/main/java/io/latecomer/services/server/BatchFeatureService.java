package io.latecomer.services.server;

import io.grpc.stub.StreamObserver;
import io.latecomer.v1.DescribeRequest;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceDescription;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.WindowBatch;

/**
 * Features of many windows, by call and by stream. Errors: a row's own, or INVALID_ARGUMENT, see
 * {@link FeatureRules}.
 */
final class BatchFeatureService extends FeatureServiceGrpc.FeatureServiceImplBase {
  private final OpenStreams streams;
  private final FeatureRules rules;

  BatchFeatureService(OpenStreams streams, FeatureRules rules) {
    this.streams = streams;
    this.rules = rules;
  }

  @Override
  public void describe(DescribeRequest request, StreamObserver<FeatureServiceDescription> answers) {
    Answers.one(request, answers, asked -> rules.description());
  }

  @Override
  public void engineerFeatures(WindowBatch request, StreamObserver<FeatureBatch> answers) {
    Answers.one(request, answers, rules::answer);
  }

  @Override
  public StreamObserver<WindowBatch> streamFeatures(StreamObserver<FeatureBatch> answers) {
    return Answers.oneForEach(streams, answers, rules.stream());
  }
}
