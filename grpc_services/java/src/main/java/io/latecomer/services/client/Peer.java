package io.latecomer.services.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.latecomer.services.Failure;
import io.latecomer.services.Printable;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * One of the two services as the client sees it: a channel, and the words for what goes wrong on
 * it.
 */
public final class Peer implements AutoCloseable {
  private final String name;
  private final Addresses addresses;
  private final Duration deadline;
  private final ManagedChannel channel;
  private final Channel calls;

  /**
   * Opens a channel; it connects with the first call.
   *
   * @param name features or inference
   * @param deadline of each call; on a stream, of each answer
   */
  public Peer(String name, Addresses addresses, Duration deadline, Channels channels) {
    this.name = name;
    this.addresses = addresses;
    this.deadline = deadline;
    this.channel = channels.open(addresses);
    this.calls = ClientInterceptors.intercept(channel, new Options(channels));
  }

  private record Options(Channels channels) implements ClientInterceptor {
    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(
        MethodDescriptor<Q, R> method, CallOptions given, Channel next) {
      return next.newCall(method, channels.options(given));
    }
  }

  String name() {
    return name;
  }

  Duration deadline() {
    return deadline;
  }

  Channel channel() {
    return calls;
  }

  /**
   * Checks that no feature is named twice, or one of them would be lost.
   *
   * @throws Failure if one is
   */
  void checkOnce(List<String> features) {
    Set<String> seen = new HashSet<>();
    for (String feature : features) {
      if (!seen.add(feature)) {
        throw failure(Status.INTERNAL.withDescription("feature: " + feature + " is repeated"));
      }
    }
  }

  /** The one line for a service that does not answer. */
  Failure failure(Status status) {
    String text = status.getDescription() == null ? "" : ": " + status.getDescription();
    if (status.getCause() != null && status.getCause().getMessage() != null) {
      text += ": " + status.getCause().getMessage();
    }
    return failure(status.getCode() + text);
  }

  /** The one line for a service that cannot be asked. */
  Failure failure(String text) {
    return new Failure(name + " service at " + addresses + ": " + Printable.of(text));
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
