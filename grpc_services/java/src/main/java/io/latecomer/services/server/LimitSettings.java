package io.latecomer.services.server;

import io.latecomer.services.SettingsError;
import java.time.Duration;

/**
 * How much a server takes, and for how long. Defaults and ranges are those of the Python servers.
 *
 * @param maxMessageBytes largest request; a larger one is RESOURCE_EXHAUSTED
 * @param maxConcurrentCalls calls answered at a time, open streams included, each from its first
 *     message; one above that is UNAVAILABLE
 * @param messageTimeout how long a call may take to send its first message whole; later it is
 *     DEADLINE_EXCEEDED. The default is the largest request over 27 Mbit/s
 * @param drain how long a server that was told to stop still takes calls, so that balancers see it
 *     is NOT_SERVING
 * @param grace how long calls that run then have to finish before they are cut
 * @param maxConnectionAge after which a client is asked to connect anew, and finds servers that
 *     came since; gRPC moves it by up to a tenth, so that clients do not come all at once
 * @param maxConnectionAgeGrace how long calls that run then have, streams included
 */
public record LimitSettings(
    int maxMessageBytes,
    int maxConcurrentCalls,
    Duration messageTimeout,
    Duration drain,
    Duration grace,
    Duration maxConnectionAge,
    Duration maxConnectionAgeGrace) {
  private static final int MAX_CALLS = 10_000;
  private static final Duration MAX_WAIT = Duration.ofHours(1);
  private static final Duration MAX_AGE = Duration.ofHours(24);

  /**
   * 32 MiB hold the largest window of the default rules, 100,000 events, as single events with the
   * longest device id, 289 bytes each; 64 calls are eight pipelines with eight each.
   */
  public static final LimitSettings DEFAULT =
      new LimitSettings(
          32 * 1024 * 1024,
          64,
          Duration.ofSeconds(10),
          Duration.ZERO,
          Duration.ofSeconds(30),
          Duration.ofMinutes(5),
          Duration.ofSeconds(30));

  /**
   * Checks every value.
   *
   * @throws SettingsError if a value is out of range
   */
  public LimitSettings {
    ServerSettings.checkRange("max-message-bytes", maxMessageBytes, 1, Integer.MAX_VALUE);
    ServerSettings.checkRange("max-concurrent-calls", maxConcurrentCalls, 1, MAX_CALLS);
    if (messageTimeout.toMillis() < 100 || messageTimeout.compareTo(MAX_WAIT) > 0) {
      throw new SettingsError("message-timeout must be from 100ms to 1h");
    }
    checkWait("drain", drain);
    checkWait("grace", grace);
    if (maxConnectionAge.toSeconds() < 1 || maxConnectionAge.compareTo(MAX_AGE) > 0) {
      throw new SettingsError("max-connection-age must be from 1s to 24h");
    }
    checkWait("max-connection-age-grace", maxConnectionAgeGrace);
  }

  private static void checkWait(String name, Duration value) {
    if (value.isNegative() || value.compareTo(MAX_WAIT) > 0) {
      throw new SettingsError(name + " must be from 0s to 1h");
    }
  }
}
