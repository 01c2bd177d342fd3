package io.latecomer.services.client;

/** One request to one service for one answer, by whatever kind of call. */
interface Exchange<Q, R> extends AutoCloseable {
  Peer peer();

  /**
   * Sends the request and waits for its answer.
   *
   * @throws io.latecomer.services.Failure if the service does not answer
   */
  R exchange(Q request);

  @Override
  default void close() {}
}
