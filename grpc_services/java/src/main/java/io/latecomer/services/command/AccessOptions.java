package io.latecomer.services.command;

import io.latecomer.services.SettingsError;
import io.latecomer.services.security.SettingFile;
import io.latecomer.services.server.Access;
import io.latecomer.services.server.Service;
import io.latecomer.services.server.TlsSettings;
import io.latecomer.services.server.TokenRules;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import picocli.CommandLine.Option;

/** The options of a server that say who may reach it. */
final class AccessOptions {
  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description =
          "Certificate of the server and those between it and its authority, PEM; turns "
              + "TLS on.")
  private Path cert;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description = "Private key of the certificate, PEM, not encrypted.")
  private Path key;

  @Option(
      names = "--tls-client-ca",
      paramLabel = "FILE",
      description =
          "Authorities of clients, PEM; each client then has to show a certificate of one "
              + "of them.")
  private Path clientCa;

  @Option(
      names = "--allow-plain",
      description = "Listen without TLS where other machines can connect.")
  private boolean allowPlain;

  @Option(
      names = "--jwks",
      paramLabel = "FILE",
      description =
          "Public keys of the issuer of tokens, a JSON Web Key Set (RFC 7517), read again "
              + "when it changes; each call then needs a token, health excepted. Needs TLS.")
  private Path jwks;

  @Option(
      names = "--issuer",
      paramLabel = "TEXT",
      description = "Required issuer (iss) of a token.")
  private String issuer;

  @Option(
      names = "--audience",
      paramLabel = "TEXT",
      description = "Audience (aud) that a token must be for.")
  private String audience;

  @Option(
      names = "--jwt-algorithms",
      paramLabel = "NAMES",
      split = ",",
      description = "Accepted JWS algorithms. [default: RS256,ES256]")
  private List<String> algorithms;

  @Option(
      names = "--clock-skew",
      paramLabel = "TIME",
      description =
          "Accepted difference between the issuer's clock and this machine's. [default: " + "30s]")
  private Duration clockSkew;

  @Option(
      names = "--scope",
      paramLabel = "NAME",
      description =
          "Scope that a token must hold. Default: latecomer.SERVICE, or none with " + "--subject.")
  private String scope;

  @Option(
      names = "--subject",
      paramLabel = "NAMES",
      split = ",",
      description =
          "Accepted subjects (sub) of tokens, for issuers without scopes, such as "
              + "Kubernetes service accounts. Default: any.")
  private List<String> subjects;

  Access access(Service service) {
    return new Access(tls(), tokens(service), allowPlain);
  }

  private TlsSettings tls() {
    if (cert == null && key == null && clientCa == null) {
      return null;
    }
    if (cert == null || key == null) {
      String given = cert != null ? "tls-cert" : key != null ? "tls-key" : "tls-client-ca";
      throw new SettingsError(given + " needs both --tls-cert and --tls-key");
    }
    return new TlsSettings(
        new SettingFile("tls-cert", cert), new SettingFile("tls-key", key), clientCaFile());
  }

  private SettingFile clientCaFile() {
    return clientCa == null ? null : new SettingFile("tls-client-ca", clientCa);
  }

  private TokenRules tokens(Service service) {
    if (jwks == null) {
      checkUnused("issuer", issuer);
      checkUnused("audience", audience);
      checkUnused("jwt-algorithms", algorithms);
      checkUnused("clock-skew", clockSkew);
      checkUnused("scope", scope);
      checkUnused("subject", subjects);
      return null;
    }
    return new TokenRules(
        new SettingFile("jwks", jwks),
        issuer,
        audience,
        algorithms == null ? TokenRules.DEFAULT_ALGORITHMS : algorithms,
        clockSkew == null ? TokenRules.DEFAULT_CLOCK_SKEW : clockSkew,
        scope == null && subjects == null ? "latecomer." + service : scope,
        subjects == null ? List.of() : subjects);
  }

  /** A rule that nothing applies must not look as if it held. */
  private static void checkUnused(String name, Object value) {
    if (value != null) {
      throw new SettingsError(name + " has no effect without --jwks");
    }
  }
}
