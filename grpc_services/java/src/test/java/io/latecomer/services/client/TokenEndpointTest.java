package io.latecomer.services.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.latecomer.services.security.SettingFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Time is what the test says. */
@Timeout(60)
final class TokenEndpointTest {
  @TempDir Path folder;

  private volatile Instant now = Instant.EPOCH;
  private IssuingServer issuer;
  private Path secret;
  private TokenEndpoint token;

  @BeforeEach
  void start() throws IOException {
    AtomicInteger count = new AtomicInteger();
    issuer = new IssuingServer(() -> "t" + count.incrementAndGet());
    secret = Files.writeString(folder.resolve("secret"), IssuingServer.SECRET);
    token = at(issuer.url(), TokenEndpoint.ANSWER_WITHIN);
  }

  private TokenEndpoint at(String url, Duration within) {
    ClientCredentials settings =
        new ClientCredentials(
            URI.create(url),
            IssuingServer.CLIENT,
            new SettingFile("client-secret-file", secret),
            null);
    return new TokenEndpoint(settings, () -> now, within);
  }

  @AfterEach
  void stop() {
    issuer.close();
  }

  private String tokenAt(int second) throws IOException {
    now = Instant.EPOCH.plusSeconds(second);
    return token.token();
  }

  @Test
  void aTokenIsRenewedAfterThreeQuartersOfItsLife() throws Exception {
    assertEquals("t1", tokenAt(0));
    assertEquals("t1", tokenAt(2699));
    assertEquals("t2", tokenAt(2700));
    assertEquals("t2", tokenAt(3600));
  }

  @Test
  void aShortTokenIsRenewedAfterThreeQuartersOfItsLifeToo() throws Exception {
    issuer.lifetime = "20";
    assertEquals("t1", tokenAt(0));
    assertEquals("t1", tokenAt(14));
    assertEquals("t2", tokenAt(15));
  }

  @Test
  void aTokenThatDoesNotSayHowLongItLivesIsTakenToLiveAMinute() throws Exception {
    issuer.lifetime = "";
    assertEquals("t1", tokenAt(0));
    assertEquals("t1", tokenAt(44));
    assertEquals("t2", tokenAt(45));
  }

  @Test
  void theOldTokenServesToItsEndWhileTheIssuerIsAway() throws Exception {
    assertEquals("t1", tokenAt(0));
    issuer.status = 503;
    assertEquals("t1", tokenAt(3550));
    assertEquals("t1", tokenAt(3599));
    IOException error = assertThrows(IOException.class, () -> tokenAt(3605));
    assertEquals("the token endpoint " + issuer.url() + " answered 503", error.getMessage());
    issuer.status = 200;
    assertEquals("t2", tokenAt(3606));
  }

  @Test
  void anEndpointThatIsAwayIsAskedAgainAfterTwoSeconds() throws Exception {
    assertEquals("t1", tokenAt(0));
    issuer.status = 503;
    assertEquals("t1", tokenAt(2700));
    issuer.status = 200;
    assertEquals("t1", tokenAt(2701));
    assertEquals("t2", tokenAt(2702));
  }

  @Test
  void aSecretThatWasChangedIsReadForTheNextToken() throws Exception {
    Files.writeString(secret, "old");
    IOException error = assertThrows(IOException.class, () -> tokenAt(0));
    assertFalse(error.getMessage().contains("old"));
    Files.writeString(secret, IssuingServer.SECRET);
    assertEquals("t1", tokenAt(1));
  }

  private String refusal() {
    String message = assertThrows(IOException.class, () -> tokenAt(0)).getMessage();
    String head = "the token endpoint " + issuer.url() + " ";
    assertTrue(message.startsWith(head), message);
    return message.substring(head.length());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "<html>",
        "[]",
        "{}",
        "{\"access_token\":\"x\"}",
        "{\"access_token\":1,\"token_type\":\"Bearer\"}",
        "{\"access_token\":\"x\",\"token_type\":null}"
      })
  void anAnswerWithoutATokenIsRefused(String answer) {
    issuer.instead = answer;
    assertEquals("answered no token", refusal());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"access_token\":\"two words\",\"token_type\":\"Bearer\"}",
        "{\"access_token\":\"x\\ny\",\"token_type\":\"Bearer\"}",
        "{\"access_token\":\"\",\"token_type\":\"Bearer\"}",
        "{\"access_token\":\"x\",\"token_type\":\"mac\"}"
      })
  void aTokenThatCannotBeSentIsRefusedAndNotQuoted(String answer) {
    issuer.instead = answer;
    assertEquals("answered no bearer token", refusal());
  }

  @Test
  void aTokenOfMoreThan8192CharactersIsRefused() {
    issuer.instead = "{\"access_token\":\"" + "x".repeat(8_193) + "\",\"token_type\":\"Bearer\"}";
    assertEquals("answered no bearer token", refusal());
  }

  @Test
  void anAnswerOfMoreThan65536BytesIsRefused() {
    issuer.instead = " ".repeat(65_536) + "{}";
    assertEquals("does not answer: more than 65536 bytes", refusal());
  }

  @Test
  void aRedirectIsNotFollowed() {
    issuer.status = 302;
    assertEquals("answered 302", refusal());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0",
        "-1",
        "null",
        "true",
        "NaN",
        "-Infinity",
        "[]",
        "\"-1\"",
        "\"1e3\"",
        "\"soon\"",
        "\"\""
      })
  void aLifeThatIsNoNumberOfSecondsIsRefused(String life) {
    issuer.lifetime = life;
    assertEquals("answered no token", refusal());
  }

  static Stream<String> dayOrMore() {
    String digits = "9".repeat(400);
    return Stream.of(digits, '"' + digits + '"', "1e400", "86400", "\"86400\"");
  }

  @ParameterizedTest
  @MethodSource("dayOrMore")
  void aLifeThatIsLongerThanADayCountsAsADay(String life) throws Exception {
    issuer.lifetime = life;
    assertEquals("t1", tokenAt(0));
    assertEquals("t1", tokenAt(64_799));
    assertEquals("t2", tokenAt(64_800));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "HTTP/1.1 200 OK\r\nA: ",
        "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n"
      })
  void anAnswerThatComesInDripsHasNoMoreTimeThanAnother(String begin) throws Exception {
    try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<Void> dripping = CompletableFuture.runAsync(() -> drip(listening, begin));
      String url = "http://127.0.0.1:" + listening.getLocalPort() + "/";
      TokenEndpoint slow = at(url, Duration.ofMillis(300));
      IOException error = assertThrows(IOException.class, slow::token);
      assertEquals(
          "the token endpoint " + url + " does not answer: no whole answer within 0.3 s",
          error.getMessage());
      dripping.get(30, TimeUnit.SECONDS); // its connection was closed
    }
  }

  private static void drip(ServerSocket listening, String begin) {
    try (Socket connection = listening.accept()) {
      connection.getOutputStream().write(begin.getBytes(StandardCharsets.US_ASCII));
      while (true) {
        connection.getOutputStream().write('x');
        TimeUnit.MILLISECONDS.sleep(10);
      }
    } catch (IOException | InterruptedException error) {
      return; // the client has gone
    }
  }

  @Test
  void othersGoOnWithTheOldTokenWhileOneRenewsIt() throws Exception {
    assertEquals("t1", tokenAt(0));
    now = Instant.EPOCH.plusSeconds(2_700);
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch released = new CountDownLatch(1);
    issuer.delayed(asked, released);
    CompletableFuture<String> renewing = CompletableFuture.supplyAsync(this::renewed);
    asked.await();
    assertEquals("t1", token.token());
    released.countDown();
    assertEquals("t2", renewing.get(30, TimeUnit.SECONDS));
  }

  private String renewed() {
    try {
      return token.token();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "  \n", "two words", "two\nlines", "s\u00fc\u00df"})
  void aFileThatHoldsNoSecretIsRefusedByName(String text) throws Exception {
    Files.writeString(secret, text);
    String message = assertThrows(IOException.class, () -> tokenAt(0)).getMessage();
    assertEquals(
        "client-secret-file: " + secret + " holds no secret: one line without spaces is needed",
        message);
  }
}
