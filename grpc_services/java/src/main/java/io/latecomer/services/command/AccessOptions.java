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
      description = "certificate chain in PEM form, read again when it changes; turns TLS on")
  private Path cert;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description =
          "its private key: PEM, PKCS #8; RSA of 2048 bits or more, or EC on P-256 or P-384")
  private Path key;

  @Option(
      names = "--tls-client-ca",
      paramLabel = "FILE",
      description = "clients must show a certificate of this CA")
  private Path clientCa;

  @Option(
      names = "--allow-plain",
      description = "listen without TLS where other machines can reach it")
  private boolean allowPlain;

  @Option(
      names = "--jwks",
      paramLabel = "FILE",
      description =
          "calls must bring a token signed by a key of this set, read again when it changes")
  private Path jwks;

  @Option(names = "--issuer", paramLabel = "TEXT", description = "whose tokens these must be")
  private String issuer;

  @Option(names = "--audience", paramLabel = "TEXT", description = "for whom they must be")
  private String audience;

  @Option(
      names = "--jwt-algorithms",
      paramLabel = "NAMES",
      split = ",",
      description = "signatures that are taken (RS256,ES256)")
  private List<String> algorithms;

  @Option(
      names = "--clock-skew",
      paramLabel = "TIME",
      description = "how far the issuer's clock may be off (30s)")
  private Duration clockSkew;

  @Option(
      names = "--scope",
      paramLabel = "NAME",
      description =
          "what they must allow (latecomer.features, latecomer.inference; with --subject, nothing)")
  private String scope;

  @Option(
      names = "--subject",
      paramLabel = "NAMES",
      split = ",",
      description = "whose they must be, one of these (anybody's)")
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
