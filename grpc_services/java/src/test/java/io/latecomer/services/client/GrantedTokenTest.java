package io.latecomer.services.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.latecomer.services.security.SettingFile;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Time is what the test says. */
@Timeout(60)
final class GrantedTokenTest {
  @TempDir Path folder;

  private Instant now = Instant.EPOCH;
  private TokenEndpoint issuer;
  private Path secret;
  private GrantedToken token;

  @BeforeEach
  void start() throws IOException {
    AtomicInteger count = new AtomicInteger();
    issuer = new TokenEndpoint(() -> "t" + count.incrementAndGet());
    secret = Files.writeString(folder.resolve("secret"), TokenEndpoint.SECRET);
    ClientCredentials settings =
        new ClientCredentials(
            URI.create(issuer.url()),
            TokenEndpoint.CLIENT,
            new SettingFile("client-secret-file", secret),
            null);
    token = new GrantedToken(settings, () -> now);
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
    issuer.lifetime = 20;
    assertEquals("t1", tokenAt(0));
    assertEquals("t1", tokenAt(14));
    assertEquals("t2", tokenAt(15));
  }

  @Test
  void aTokenThatDoesNotSayHowLongItLivesIsTakenToLiveAMinute() throws Exception {
    issuer.lifetime = 0;
    assertEquals("t1", tokenAt(0));
    assertEquals("t1", tokenAt(44));
    assertEquals("t2", tokenAt(45));
  }

  @Test
  void theOldTokenServesToItsEndWhileTheIssuerIsAway() throws Exception {
    assertEquals("t1", tokenAt(0));
    issuer.away = true;
    assertEquals("t1", tokenAt(3550));
    assertEquals("t1", tokenAt(3599));
    IOException error = assertThrows(IOException.class, () -> tokenAt(3605));
    assertEquals("the token endpoint refused: HTTP 503", error.getMessage());
    issuer.away = false;
    assertEquals("t2", tokenAt(3606));
  }

  @Test
  void anEndpointThatIsAwayIsAskedAgainAfterTwoSeconds() throws Exception {
    assertEquals("t1", tokenAt(0));
    issuer.away = true;
    assertEquals("t1", tokenAt(2700));
    issuer.away = false;
    assertEquals("t1", tokenAt(2701));
    assertEquals("t2", tokenAt(2702));
  }

  @Test
  void aSecretThatWasChangedIsReadForTheNextToken() throws Exception {
    Files.writeString(secret, "old");
    IOException error = assertThrows(IOException.class, () -> tokenAt(0));
    assertFalse(error.getMessage().contains("old"));
    Files.writeString(secret, TokenEndpoint.SECRET);
    assertEquals("t1", tokenAt(1));
  }

  @Test
  void anAnswerThatIsNoTokenIsAFailureThatQuotesNothing() throws Exception {
    try (TokenEndpoint odd = new TokenEndpoint(() -> "two words")) {
      ClientCredentials settings =
          new ClientCredentials(
              URI.create(odd.url()),
              TokenEndpoint.CLIENT,
              new SettingFile("client-secret-file", secret),
              null);
      GrantedToken refused = new GrantedToken(settings, () -> now);
      IOException error = assertThrows(IOException.class, refused::token);
      assertFalse(error.getMessage().contains("two"), error.getMessage());
    }
  }
}
