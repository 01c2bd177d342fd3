package io.latecomer.services.client;

import com.google.gson.JsonParseException;
import io.latecomer.services.SettingsError;
import io.latecomer.services.security.StrictJson;
import java.io.IOException;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Gets tokens by the policy of docs/tokens.md, and a new one before the old one ends. While that is
 * under way, others use the old one; an endpoint that is away does no harm as long as it is valid.
 */
final class TokenEndpoint implements TokenSettings.Source {
  /** For the whole answer. */
  static final Duration ANSWER_WITHIN = Duration.ofSeconds(10);

  private static final int MOST_BYTES = 65_536;

  /** What a server looks at. */
  private static final int MOST_CHARACTERS = 8_192;

  /** How long a token is used whose endpoint does not say how long it lives. */
  private static final double LIFE_UNSAID_S = 60;

  /** A token whose issuer says more is renewed after this. */
  private static final double MAX_LIFE_S = 86_400;

  /** The part of its life after which a token is renewed: the rest is for an endpoint away. */
  private static final double RENEWED_AT = 0.75;

  /** Between two attempts to renew a token that is still valid. */
  private static final Duration PAUSE = Duration.ofSeconds(2);

  private final ClientCredentials settings;
  private final InstantSource clock;
  private final BoundedHttp http;
  private final ReentrantLock renewing = new ReentrantLock();
  private volatile Held held;

  private record Held(String token, Instant renewal, Instant end) {
    boolean isFresh(Instant now) {
      return now.isBefore(renewal);
    }

    boolean isValid(Instant now) {
      return now.isBefore(end);
    }
  }

  /** Nothing is asked yet; an answer has to be there whole within that time. */
  TokenEndpoint(ClientCredentials settings, InstantSource clock, Duration within) {
    this.settings = settings;
    this.clock = clock;
    this.http = new BoundedHttp(within, MOST_BYTES);
  }

  @Override
  public String token() throws IOException {
    Held now = held;
    Instant time = clock.instant();
    if (now != null && now.isFresh(time)) {
      return now.token;
    }
    if (now == null || !now.isValid(time)) {
      renewing.lock();
    } else if (!renewing.tryLock()) {
      return now.token;
    }
    try {
      return renewed(time);
    } finally {
      renewing.unlock();
    }
  }

  private String renewed(Instant time) throws IOException {
    Held old = held;
    if (old != null && old.isFresh(time)) { // another thread was faster
      return old.token;
    }
    try {
      held = granted(time);
    } catch (IOException error) {
      Instant failed = clock.instant();
      if (old == null || !old.isValid(failed)) {
        throw error;
      }
      held = new Held(old.token, failed.plus(PAUSE), old.end);
    }
    return held.token;
  }

  private Held granted(Instant asked) throws IOException {
    HttpResponse<byte[]> answer;
    try {
      answer = http.answer(request());
    } catch (SettingsError error) {
      throw new IOException(error.getMessage(), error);
    } catch (IOException error) {
      throw failure("does not answer: " + error.getMessage());
    }
    if (answer.statusCode() / 100 != 2) {
      throw failure("answered " + answer.statusCode());
    }
    // Without a cause: it may quote the answer.
    try {
      Map<String, Object> said = StrictJson.object(answer.body());
      if (!(said.get("access_token") instanceof String token)
          || !(said.get("token_type") instanceof String kind)) {
        throw failure("answered no token");
      }
      if (!kind.equalsIgnoreCase("bearer")
          || !TokenSettings.isToken(token)
          || token.length() > MOST_CHARACTERS) {
        throw failure("answered no bearer token");
      }
      double life = lifeSeconds(said.get("expires_in"));
      return new Held(token, after(asked, RENEWED_AT * life), after(asked, life));
    } catch (JsonParseException | ClassCastException | IllegalArgumentException error) {
      throw failure("answered no token");
    }
  }

  private static Instant after(Instant time, double seconds) {
    return time.plusMillis((long) (seconds * 1e3));
  }

  /** RFC 6749 has a number of seconds there; some issuers write it as a text. */
  private static double lifeSeconds(Object said) {
    if (said == null) {
      return LIFE_UNSAID_S;
    }
    boolean digits = said instanceof String text && text.matches("[0-9]+");
    double life = digits ? Double.parseDouble((String) said) : (Double) said;
    if (!(life > 0)) {
      throw new IllegalArgumentException("expires_in");
    }
    return Math.min(life, MAX_LIFE_S);
  }

  private IOException failure(String text) {
    return new IOException("the token endpoint " + settings.endpoint() + " " + text);
  }

  private HttpRequest request() {
    String form = "grant_type=client_credentials";
    if (settings.scope() != null) {
      form += "&scope=" + encoded(settings.scope());
    }
    // RFC 6749, section 2.3.1.
    String pair = encoded(settings.clientId()) + ":" + encoded(settings.readSecret());
    String basic = Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.US_ASCII));
    return HttpRequest.newBuilder(settings.endpoint())
        .header("Authorization", "Basic " + basic)
        .header("Accept", "application/json")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .POST(BodyPublishers.ofString(form))
        .build();
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }
}
