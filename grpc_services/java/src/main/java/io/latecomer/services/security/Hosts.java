package io.latecomer.services.security;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;

/** Which hosts are this machine alone, where a channel needs no encryption. */
public final class Hosts {
  private Hosts() {}

  /** Whether every address of the host is a loopback one; false also if it has none. */
  public static boolean isLoopback(String host) {
    try {
      return Arrays.stream(InetAddress.getAllByName(host)).allMatch(InetAddress::isLoopbackAddress);
    } catch (UnknownHostException error) {
      return false;
    }
  }
}
