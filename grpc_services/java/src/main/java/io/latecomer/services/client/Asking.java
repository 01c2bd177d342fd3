package io.latecomer.services.client;

import io.latecomer.services.rules.Sensors;
import java.util.List;

/** A way to ask the two services about windows: features first, then a prediction of them. */
public interface Asking extends AutoCloseable {
  /**
   * One answer for each window, in order.
   *
   * @throws io.latecomer.services.Failure if a service does not answer
   */
  List<Answer> ask(List<Window> windows);

  @Override
  default void close() {}

  /** The ways to ask, as the command line names them. */
  enum Rpc {
    unary,
    batch,
    stream;

    /**
     * Opens this way over two channels, which stay the caller's to close. Services that know only
     * the original demo's methods are asked by these.
     *
     * @throws io.latecomer.services.Failure if a service does not answer, or cannot be asked about
     *     these sensors
     */
    public Asking open(Peer features, Peer inference, Sensors sensors) {
      if (this == unary || !Described.takeBatches(features, inference, sensors)) {
        return new UnaryAsking(features, inference);
      }
      BatchAsking byCalls =
          new BatchAsking(
              sensors, BatchCalls.features(features), BatchCalls.predictions(inference));
      return this == batch
          ? byCalls
          : new BatchAsking(
              sensors, StreamCalls.features(features), StreamCalls.predictions(inference), byCalls);
    }
  }
}
