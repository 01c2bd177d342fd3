package io.latecomer.services.command;

import io.latecomer.services.server.LimitSettings;
import java.time.Duration;
import picocli.CommandLine.Option;

/** The options of a server that bound what it takes. */
final class LimitOptions {
  @Option(
      names = "--max-message-bytes",
      paramLabel = "N",
      description = "Largest request in bytes. [default: ${DEFAULT-VALUE}]")
  private int maxMessageBytes = LimitSettings.DEFAULT.maxMessageBytes();

  @Option(
      names = "--max-concurrent-calls",
      paramLabel = "N",
      description =
          "Calls and streams that are open at once, each from its first message on; one "
              + "above that is UNAVAILABLE. [default: ${DEFAULT-VALUE}]")
  private int maxConcurrentCalls = LimitSettings.DEFAULT.maxConcurrentCalls();

  @Option(
      names = "--message-timeout",
      paramLabel = "TIME",
      defaultValue = "10s",
      description =
          "Longest wait for the first message of a call; a call that sends none in time "
              + "is DEADLINE_EXCEEDED. [default: ${DEFAULT-VALUE}]")
  private Duration messageTimeout;

  @Option(
      names = "--drain",
      paramLabel = "TIME",
      defaultValue = "0s",
      description =
          "How long a server that is asked to stop still takes calls, so that load "
              + "balancers see NOT_SERVING and turn away. [default: ${DEFAULT-VALUE}]")
  private Duration drain;

  @Option(
      names = "--grace",
      paramLabel = "TIME",
      defaultValue = "30s",
      description =
          "How long running calls then have to finish before they are cancelled. "
              + "[default: ${DEFAULT-VALUE}]")
  private Duration grace;

  @Option(
      names = "--max-connection-age",
      paramLabel = "TIME",
      defaultValue = "5m",
      description =
          "Age, give or take a tenth, at which a connection takes no new calls, so that "
              + "its client looks for servers anew. [default: ${DEFAULT-VALUE}]")
  private Duration maxConnectionAge;

  @Option(
      names = "--max-connection-age-grace",
      paramLabel = "TIME",
      defaultValue = "30s",
      description =
          "How long the calls on such a connection have to finish. [default: "
              + "${DEFAULT-VALUE}]")
  private Duration maxConnectionAgeGrace;

  LimitSettings limits() {
    return new LimitSettings(
        maxMessageBytes,
        maxConcurrentCalls,
        messageTimeout,
        drain,
        grace,
        maxConnectionAge,
        maxConnectionAgeGrace);
  }
}
