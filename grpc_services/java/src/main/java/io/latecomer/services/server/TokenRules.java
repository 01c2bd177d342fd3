package io.latecomer.services.server;

import io.latecomer.services.SettingsError;
import io.latecomer.services.security.SettingFile;
import java.time.Duration;
import java.util.List;

/**
 * Which tokens a server takes.
 *
 * @param jwks the public keys of the issuer, as a JSON Web Key Set
 * @param issuer what the claim {@code iss} must be
 * @param audience what the claim {@code aud} must be or have
 * @param algorithms names of signatures; those by a shared secret, and none, are never among them
 * @param clockSkew how far the issuer's clock may be from this machine's
 * @param scope what the claim {@code scope} must have; null: it is not looked at
 * @param subjects one of which the claim {@code sub} must be; none: it is not looked at
 */
public record TokenRules(
    SettingFile jwks,
    String issuer,
    String audience,
    List<String> algorithms,
    Duration clockSkew,
    String scope,
    List<String> subjects) {
  /** Every issuer has one of the two. */
  public static final List<String> DEFAULT_ALGORITHMS = List.of("RS256", "ES256");

  public static final Duration DEFAULT_CLOCK_SKEW = Duration.ofSeconds(30);

  private static final Duration MAX_SKEW = Duration.ofMinutes(5);

  /**
   * Checks every value.
   *
   * @throws SettingsError if a value cannot be worked with
   */
  public TokenRules {
    checkText("issuer", issuer);
    checkText("audience", audience);
    subjects = List.copyOf(subjects);
    if (subjects.stream().anyMatch(String::isBlank)) {
      throw new SettingsError("subject must be a name, or several with commas between");
    }
    if (scope != null || subjects.isEmpty()) {
      checkText("scope", scope);
    }
    if (scope != null && scope.indexOf(' ') >= 0) {
      throw new SettingsError("scope must be one name, not '" + scope + "'");
    }
    algorithms = List.copyOf(algorithms);
    if (algorithms.isEmpty() || !Signatures.NAMES.containsAll(algorithms)) {
      throw new SettingsError(
          "jwt-algorithms must be of "
              + String.join(",", Signatures.NAMES)
              + ", not "
              + algorithms);
    }
    if (clockSkew.compareTo(MAX_SKEW) > 0) {
      throw new SettingsError("clock-skew must be from 0s to 5m");
    }
  }

  private static void checkText(String name, String value) {
    if (value == null || value.isBlank()) {
      throw new SettingsError(name + " is needed where tokens are checked by --jwks");
    }
  }

  List<Signatures> signatures() {
    return algorithms.stream().map(Signatures::valueOf).toList();
  }
}
