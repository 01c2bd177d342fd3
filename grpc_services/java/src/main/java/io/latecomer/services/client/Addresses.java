package io.latecomer.services.client;

import io.latecomer.services.SettingsError;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where a service is: one or more of {@code host:port}, with commas between. */
public record Addresses(List<String> each) {
  private static final Pattern FORM =
      Pattern.compile("(\\[[0-9a-fA-F:.%]+]|[^\\s:/\\[\\],]+):(\\d{1,5})");

  private static final int MAX_PORT = 65_535;

  /**
   * Reads them as the command line writes them.
   *
   * @throws SettingsError if one is not host:port
   */
  public static Addresses parse(String text) {
    List<String> each = List.of(text.split(",", -1));
    for (String address : each) {
      Matcher parts = FORM.matcher(address);
      if (!parts.matches() || !isPort(Integer.parseInt(parts.group(2)))) {
        throw new SettingsError("'" + address + "' is not host:port");
      }
    }
    return new Addresses(each);
  }

  private static boolean isPort(int port) {
    return port > 0 && port <= MAX_PORT;
  }

  /** As gRPC takes it. */
  String target() {
    if (each.size() == 1) {
      return target("dns", each.get(0));
    }
    return target(SeveralAddresses.SCHEME, toString());
  }

  static String target(String scheme, String path) {
    try {
      return new URI(scheme, "", "/" + path, null).toString();
    } catch (URISyntaxException error) {
      throw new IllegalArgumentException(path, error);
    }
  }

  @Override
  public String toString() {
    return String.join(",", each);
  }
}
