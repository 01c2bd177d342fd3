package io.latecomer.services.client;

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

    /** Opens this way over two channels, which stay the caller's to close. */
    public Asking open(Peer features, Peer inference) {
      return switch (this) {
        case unary -> new UnaryAsking(features, inference);
        case batch ->
            new BatchAsking(BatchCalls.features(features), BatchCalls.predictions(inference));
        case stream ->
            new BatchAsking(StreamCalls.features(features), StreamCalls.predictions(inference));
      };
    }
  }
}
