package io.latecomer.services.client;

import io.latecomer.services.security.WatchedFiles;
import java.io.IOException;

/** Where the tokens of the client come from. */
public sealed interface TokenSettings permits TokenFile, ClientCredentials {
  /** The option that says so. */
  String setting();

  /**
   * Gets ready to give tokens.
   *
   * @throws io.latecomer.services.SettingsError if a file cannot be used now
   */
  Source open(WatchedFiles watch);

  /** Gives the token of the moment. */
  interface Source {
    /**
     * A token that is in force.
     *
     * @throws IOException if there is none; the message has no secret
     */
    String token() throws IOException;
  }

  /** Whether this can stand in a header: printable, with no space. */
  static boolean isToken(String text) {
    return !text.isEmpty() && text.chars().allMatch(c -> c > ' ' && c < 0x7f);
  }
}
