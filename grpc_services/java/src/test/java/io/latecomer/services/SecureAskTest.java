package io.latecomer.services;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.latecomer.services.client.IssuingServer;
import io.latecomer.services.security.Authority;
import io.latecomer.services.security.Issuer;
import io.latecomer.services.server.LogLines;
import io.latecomer.services.server.SecuredServer;
import io.latecomer.services.server.Service;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** The client's command against servers with mutual TLS and tokens. */
@Timeout(60)
final class SecureAskTest {
  private static final Issuer ISSUER = new Issuer("first");

  @TempDir static Path folder;

  private static SecuredServer features;
  private static SecuredServer inference;
  private static Path cert;
  private static Path key;
  private static Path token;
  private static Path secret;

  /** What a run of the command line leaves; the log is part of what others may read. */
  private record Run(int status, String out, String err, String log) {
    void assertHasNot(String text) {
      assertFalse((out + err + log).contains(text), "a secret was shown");
    }
  }

  private static Run run(List<String> args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    try (LogLines log = new LogLines()) {
      CommandLine command =
          Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
      int status = command.execute(args.toArray(String[]::new));
      command.getOut().flush();
      return new Run(status, out.toString(), err.toString(), log.text());
    }
  }

  /** Asks both servers, with the right CA and certificate. */
  private static Run ask(String... more) {
    List<String> args = new ArrayList<>(List.of("ask", at(features), at(inference), "--json"));
    args.addAll(List.of("--tls-ca", features.clientCa.toString()));
    args.addAll(List.of("--tls-cert", cert.toString(), "--tls-key", key.toString()));
    args.addAll(List.of(more));
    return run(args);
  }

  private static String at(SecuredServer secured) {
    return secured.server.address();
  }

  @BeforeAll
  static void start() throws Exception {
    features = new SecuredServer(Files.createDirectory(folder.resolve("features")));
    inference = new SecuredServer(Files.createDirectory(folder.resolve("inference")));
    cert = folder.resolve("client.pem");
    key = folder.resolve("client.key");
    SecuredServer.AUTHORITY.issue("client.test").writeTo(cert, key);
    token = Files.writeString(folder.resolve("token"), ISSUER.token() + "\n");
    secret = Files.writeString(folder.resolve("secret"), IssuingServer.SECRET + "\n");
    Authority.replace(features.jwks, Issuer.jwks(ISSUER));
    Authority.replace(inference.jwks, Issuer.jwks(ISSUER));
    features.start(Service.FEATURES, true, true);
    inference.start(Service.INFERENCE, true, true);
  }

  @AfterAll
  static void stop() throws Exception {
    features.close();
    inference.close();
  }

  private static void assertAnswered(Run run) {
    assertEquals("", run.err);
    assertTrue(run.out.contains("\"logistic_regression_result\":\"0.515127767\""), run.out);
    assertEquals(0, run.status);
    assertEquals("", run.log);
  }

  @ParameterizedTest
  @CsvSource({"unary, none", "unary, gzip", "batch, gzip", "stream, none", "stream, gzip"})
  void aClientThatIsLetInIsAnswered(String rpc, String compression) {
    assertAnswered(
        ask("--token-file", token.toString(), "--rpc", rpc, "--compression", compression));
  }

  @Test
  void aClientWithoutATokenIsTurnedAway() {
    Run run = ask();
    assertEquals(1, run.status);
    assertEquals(
        "features service at "
            + at(features)
            + ": UNAUTHENTICATED: the token is missing or not valid\n",
        run.err);
  }

  @Test
  void aTokenFromAnIssuerIsAskedForAndShownToNobodyElse() throws Exception {
    try (IssuingServer issuer = new IssuingServer(ISSUER::token)) {
      Run run =
          ask(
              "--token-endpoint",
              issuer.url(),
              "--client-id",
              IssuingServer.CLIENT,
              "--client-secret-file",
              secret.toString(),
              "--token-scope",
              "latecomer.features latecomer.inference");
      assertAnswered(run);
      assertEquals(1, issuer.granted());
      assertEquals("latecomer.features latecomer.inference", issuer.scope());
      run.assertHasNot(IssuingServer.SECRET);
    }
  }

  @Test
  void anIssuerThatRefusesIsOneLineWithoutTheSecret() throws Exception {
    Path wrong = Files.writeString(folder.resolve("wrong"), "not-the-s3cret");
    try (IssuingServer issuer = new IssuingServer(ISSUER::token)) {
      Run run =
          ask(
              "--token-endpoint",
              issuer.url(),
              "--client-id",
              IssuingServer.CLIENT,
              "--client-secret-file",
              wrong.toString());
      assertEquals(1, run.status);
      assertEquals(
          "features service at "
              + at(features)
              + ": UNAUTHENTICATED: the token endpoint "
              + issuer.url()
              + " answered 401\n",
          run.err);
      run.assertHasNot("not-the-s3cret");
    }
  }

  @Test
  void aServerOfAnotherCaIsNotTrustedAndSeesNoToken() throws Exception {
    Path ca = folder.resolve("another-ca.pem");
    Authority.replace(ca, new Authority("another CA").certificate());
    Run run =
        run(
            List.of(
                "ask",
                at(features),
                at(inference),
                "--tls-ca",
                ca.toString(),
                "--token-file",
                token.toString()));
    assertEquals(1, run.status);
    assertTrue(run.err.contains("UNAVAILABLE"), run.err);
    assertEquals(1, run.err.lines().count());
    run.assertHasNot(Files.readString(token).strip());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--token-file",
        "--token-endpoint http://127.0.0.1:1/t --client-id c --client-secret-file",
      })
  void aTokenIsNeverSentOverAPlainChannel(String option) {
    List<String> args = new ArrayList<>(List.of("ask", at(features), at(inference)));
    args.addAll(List.of(option.split(" ")));
    args.add(token.toString());
    Run run = run(args);
    assertEquals(2, run.status);
    assertTrue(run.err.contains("needs --tls-ca: a token is never sent"), run.err);
    assertEquals(1, run.err.lines().count());
    run.assertHasNot(ISSUER.token());
  }

  @ParameterizedTest
  @CsvSource({
    "features --host 0.0.0.0 --port 0, --host 0.0.0.0 needs --tls-cert and --tls-key",
    "features --tls-cert x, --tls-cert needs both",
    "features --tls-client-ca x, --tls-client-ca needs both",
    "features --tls-cert nothing --tls-key nothing, --tls-cert: nothing cannot be read",
    "features --jwks x --issuer i --audience a, --jwks needs --tls-cert",
    "features --issuer i, --issuer has no effect without --jwks",
    "features --tls-cert x --tls-key x --jwks x --audience a, --issuer is needed",
    "features --tls-cert x --tls-key x --jwks x --issuer i, --audience is needed",
    "features --tls-cert x --tls-key x --jwks x --issuer i --audience a --jwt-algorithms none, none",
    "features --tls-cert x --tls-key x --jwks x --issuer i --audience a --jwt-algorithms HS256, HS256",
    "features --max-connection-age 0s, --max-connection-age must be",
    "ask --tls-ca nothing, --tls-ca: nothing cannot be read",
    "ask --tls-cert x, --tls-cert and --tls-key need each other",
    "ask --tls-cert x --tls-key x, --tls-cert needs --tls-ca",
    "ask --token-endpoint https://a.test/t, --token-endpoint needs --client-id",
    "ask --client-id c, --client-id has no effect",
    "ask --token-endpoint http://192.0.2.1/t --client-id c --client-secret-file x, must be an https",
    "ask --compression zip, --compression",
  })
  void aWrongArgumentIsOneLineAndStatusTwo(String args, String text) {
    Run run = run(List.of(args.split(" ")));
    assertEquals(2, run.status);
    assertTrue(run.err.contains(text), run.err);
    assertEquals(1, run.err.lines().count());
    assertEquals("", run.out);
  }
}
