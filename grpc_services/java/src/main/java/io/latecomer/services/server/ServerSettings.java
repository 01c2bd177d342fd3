package io.latecomer.services.server;

import io.latecomer.services.SettingsError;
import io.latecomer.services.security.Hosts;
import io.latecomer.services.wire.Compression;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What an operator can set about a server, checked at once, before anything starts.
 *
 * @param host name or address to listen on
 * @param port 0 takes a free one
 * @param compression {@code gzip}: requests may be packed, and answers are, to clients that take it
 * @param columns of a feature service
 * @param traces where traces are sent to; null: nothing is traced
 */
public record ServerSettings(
    Service service,
    String host,
    int port,
    LimitSettings limits,
    Access access,
    Compression compression,
    ColumnSettings columns,
    String traces) {

  /** This machine only, because the channel is not encrypted unless a certificate is given. */
  public static final String DEFAULT_HOST = "127.0.0.1";

  public static final int MAX_PORT = 65_535;

  private static final Pattern COLLECTOR =
      Pattern.compile("https?://([^\\s/@:?#]+|\\[[0-9A-Fa-f:.]+\\]):([0-9]{1,5})/?");

  /**
   * Checks every value.
   *
   * @throws SettingsError if a value is out of range or no such URL, or if others could reach a
   *     plain server
   */
  public ServerSettings {
    checkHost("host", host);
    checkRange("port", port, 0, MAX_PORT);
    if (access.tls() == null && !access.allowPlain() && !Hosts.isLoopback(host)) {
      throw new SettingsError(
          "host "
              + host
              + " needs --tls-cert and --tls-key, or --allow-plain: others can reach it");
    }
    if (service != Service.FEATURES) {
      columns.checkUnset();
    }
    if (traces != null) {
      checkCollector(traces);
    }
  }

  /** The settings of a server for the original demo's sensors that compresses nothing. */
  public ServerSettings(
      Service service, String host, int port, LimitSettings limits, Access access) {
    this(service, host, port, limits, access, Compression.none, ColumnSettings.DEFAULT, null);
  }

  /** The settings of a server that is given nothing but its address. */
  public static ServerSettings of(Service service, String host, int port) {
    return new ServerSettings(service, host, port, LimitSettings.DEFAULT, Access.LOCAL);
  }

  /**
   * Checks a name or an address to listen on.
   *
   * @throws SettingsError if it is neither
   */
  public static void checkHost(String name, String host) {
    if (host.isBlank()
        || host.chars().anyMatch(c -> Character.isWhitespace(c) || "/[]".indexOf(c) >= 0)) {
      throw new SettingsError(name + " must be a name or an address, not '" + host + "'");
    }
  }

  private static void checkCollector(String url) {
    Matcher found = COLLECTOR.matcher(url);
    int port = found.matches() ? Integer.parseInt(found.group(2)) : 0;
    if (port < 1 || port > MAX_PORT) {
      throw new SettingsError(
          "traces must be http://HOST:PORT or https://HOST:PORT, not '" + url + "'");
    }
  }

  /**
   * Checks a number.
   *
   * @throws SettingsError if it is out of range
   */
  public static void checkRange(String name, int value, int lowest, int highest) {
    if (value < lowest || value > highest) {
      throw new SettingsError(
          name + " must be from " + lowest + " to " + highest + ", not " + value);
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
