package io.latecomer.services.command;

import io.latecomer.services.server.LimitSettings;
import java.time.Duration;
import picocli.CommandLine.Option;

/** The options of a server that bound what it takes. */
final class LimitOptions {
  @Option(
      names = "--max-message-bytes",
      paramLabel = "N",
      description = "largest request (${DEFAULT-VALUE})")
  private int maxMessageBytes = LimitSettings.DEFAULT.maxMessageBytes();

  @Option(
      names = "--max-concurrent-calls",
      paramLabel = "N",
      description =
          "calls answered at a time, open streams included; more are UNAVAILABLE (${DEFAULT-VALUE})")
  private int maxConcurrentCalls = LimitSettings.DEFAULT.maxConcurrentCalls();

  @Option(
      names = "--message-timeout",
      paramLabel = "TIME",
      defaultValue = "10s",
      description =
          "longest wait for the first message of a call; a call that sends none in time is DEADLINE_EXCEEDED (${DEFAULT-VALUE})")
  private Duration messageTimeout;

  @Option(
      names = "--drain",
      paramLabel = "TIME",
      defaultValue = "0s",
      description = "told to stop, take calls for so long while NOT_SERVING (${DEFAULT-VALUE})")
  private Duration drain;

  @Option(
      names = "--grace",
      paramLabel = "TIME",
      defaultValue = "30s",
      description = "then let running calls finish for so long (${DEFAULT-VALUE})")
  private Duration grace;

  @Option(
      names = "--max-connection-age",
      paramLabel = "TIME",
      defaultValue = "5m",
      description =
          "then have a client connect anew, where it may find more servers, up to a tenth sooner or later (${DEFAULT-VALUE})")
  private Duration maxConnectionAge;

  @Option(
      names = "--max-connection-age-grace",
      paramLabel = "TIME",
      defaultValue = "30s",
      description = "and let its running calls finish for so long (${DEFAULT-VALUE})")
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
