package io.latecomer.services.client;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.latecomer.services.command.Failure;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * One of the two services as the client sees it: a channel, and the words for what goes wrong on
 * it.
 */
public final class Peer implements AutoCloseable {
  /** As the servers' own default. */
  private static final int MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

  /** What netty puts before the text of the operating system. */
  private static final Pattern SYSTEM_CALL =
      Pattern.compile("\\w+\\(\\.\\.\\) failed with error\\(-\\d+\\): ");

  private final String name;
  private final String target;
  private final Duration deadline;
  private final ManagedChannel channel;

  /**
   * Opens a channel; it connects with the first call.
   *
   * @param name features or inference
   * @param target host and port
   * @param deadline of each call; on a stream, of each answer
   */
  public Peer(String name, String target, Duration deadline) {
    this.name = name;
    this.target = target;
    this.deadline = deadline;
    this.channel =
        Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            .build();
  }

  String name() {
    return name;
  }

  Duration deadline() {
    return deadline;
  }

  ManagedChannel channel() {
    return channel;
  }

  /** The one line for a service that does not answer. */
  Failure failure(Status status) {
    String text = status.getDescription() == null ? "" : ": " + status.getDescription();
    if (status.getCause() != null && status.getCause().getMessage() != null) {
      text += ": " + SYSTEM_CALL.matcher(status.getCause().getMessage()).replaceAll("");
    }
    return new Failure(name + " service at " + target + ": " + status.getCode() + text);
  }

  @Override
  public void close() {
    channel.shutdownNow();
    try {
      channel.awaitTermination(1, TimeUnit.SECONDS);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }
}
