package io.latecomer.services.server;

import java.time.Duration;

/**
 * What an operator can set about a server, checked at once, before anything starts. Defaults and
 * ranges are those of the Python servers, the ports apart.
 *
 * @param host name or address to listen on
 * @param port 0 takes a free one
 * @param maxMessageBytes largest request; a larger one is RESOURCE_EXHAUSTED
 * @param maxConcurrentCalls calls answered at a time, open streams included; one above that is
 *     UNAVAILABLE
 * @param drain how long a server that was told to stop still takes calls, so that balancers see it
 *     is NOT_SERVING
 * @param grace how long calls that run then have to finish before they are cut
 */
public record ServerSettings(
    Service service,
    String host,
    int port,
    int maxMessageBytes,
    int maxConcurrentCalls,
    Duration drain,
    Duration grace) {

  /** This machine only, because the channel is not encrypted. */
  public static final String DEFAULT_HOST = "127.0.0.1";

  /**
   * The largest window of the default rules, 100,000 events, as single events with the longest
   * device id: 289 bytes each.
   */
  public static final int DEFAULT_MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

  /** Eight pipelines with eight calls each. */
  public static final int DEFAULT_MAX_CONCURRENT_CALLS = 64;

  private static final int MAX_PORT = 65_535;
  private static final int MAX_CALLS = 10_000;
  private static final Duration MAX_WAIT = Duration.ofHours(1);

  /**
   * Checks every value.
   *
   * @throws SettingsError if a value is out of range
   */
  public ServerSettings {
    if (host.isBlank()
        || host.chars().anyMatch(c -> Character.isWhitespace(c) || "/[]".indexOf(c) >= 0)) {
      throw new SettingsError("host must be a name or an address, not '" + host + "'");
    }
    checkRange("port", port, 0, MAX_PORT);
    checkRange("max-message-bytes", maxMessageBytes, 1, Integer.MAX_VALUE);
    checkRange("max-concurrent-calls", maxConcurrentCalls, 1, MAX_CALLS);
    checkWait("drain", drain);
    checkWait("grace", grace);
  }

  /** The settings of a server that is given nothing but its address. */
  public static ServerSettings of(Service service, String host, int port) {
    return new ServerSettings(
        service,
        host,
        port,
        DEFAULT_MAX_MESSAGE_BYTES,
        DEFAULT_MAX_CONCURRENT_CALLS,
        Duration.ZERO,
        Duration.ofSeconds(30));
  }

  private static void checkRange(String name, int value, int lowest, int highest) {
    if (value < lowest || value > highest) {
      throw new SettingsError(
          name + " must be from " + lowest + " to " + highest + ", not " + value);
    }
  }

  private static void checkWait(String name, Duration value) {
    if (value.isNegative() || value.compareTo(MAX_WAIT) > 0) {
      throw new SettingsError(name + " must be from 0s to 1h");
    }
  }

  /** What it is told to listen on. */
  public String address() {
    return address(host, port);
  }

  /** An address as gRPC writes it: IPv6 in brackets. */
  static String address(String host, int port) {
    return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
  }
}
