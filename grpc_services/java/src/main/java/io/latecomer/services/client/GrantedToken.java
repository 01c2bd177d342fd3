package io.latecomer.services.client;

import com.nimbusds.oauth2.sdk.ClientCredentialsGrant;
import com.nimbusds.oauth2.sdk.ParseException;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.token.AccessToken;
import io.latecomer.services.SettingsError;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/**
 * Asks the token endpoint for a token, keeps it, and renews it before it expires, by the policy of
 * docs/tokens.md. Callers wait for one request together; while the old token is valid, an endpoint
 * that is away does no harm.
 */
final class GrantedToken implements TokenSettings.Source {
  /** Life of a token whose endpoint does not say how long it lives. */
  private static final Duration UNKNOWN_LIFE = Duration.ofSeconds(60);

  /** Between two attempts to renew a token that is still valid. */
  private static final Duration PAUSE = Duration.ofSeconds(2);

  /** To connect, and then to answer: below the default deadline of a call. */
  private static final int TIMEOUT_MS = 4_000;

  private final ClientCredentials settings;
  private final InstantSource clock;
  private Held held;

  private record Held(String token, Instant renewal, Instant end) {}

  GrantedToken(ClientCredentials settings, InstantSource clock) {
    this.settings = settings;
    this.clock = clock;
  }

  @Override
  public synchronized String token() throws IOException {
    Instant now = clock.instant();
    if (held == null || !now.isBefore(held.renewal)) {
      try {
        held = hold(ask(), now);
      } catch (IOException error) {
        if (held == null || !now.isBefore(held.end)) {
          throw error;
        }
        held = new Held(held.token, now.plus(PAUSE), held.end);
      }
    }
    return held.token;
  }

  private static Held hold(AccessToken token, Instant now) {
    Duration said = Duration.ofSeconds(token.getLifetime());
    Duration life = said.isZero() ? UNKNOWN_LIFE : said;
    // Renewed when three quarters of its life are over: the rest is for an endpoint that is away.
    return new Held(token.getValue(), now.plus(life.multipliedBy(3).dividedBy(4)), now.plus(life));
  }

  private AccessToken ask() throws IOException {
    try {
      HTTPRequest request = request();
      request.setConnectTimeout(TIMEOUT_MS);
      request.setReadTimeout(TIMEOUT_MS);
      request.setFollowRedirects(false); // the secret is for this address only
      HTTPResponse response = request.send();
      TokenResponse answer = TokenResponse.parse(response);
      if (!answer.indicatesSuccess()) {
        throw new IOException("the token endpoint refused: HTTP " + response.getStatusCode());
      }
      AccessToken token = answer.toSuccessResponse().getTokens().getBearerAccessToken();
      if (token == null || !TokenSettings.isToken(token.getValue())) {
        throw new IOException("the token endpoint gave no bearer token");
      }
      return token;
    } catch (ParseException error) {
      // Without the cause: it may quote the answer.
      throw new IOException("the token endpoint gave an answer that is none of OAuth 2.0");
    } catch (SettingsError error) {
      throw new IOException("no token: " + error.getMessage(), error);
    }
  }

  private HTTPRequest request() {
    ClientSecretBasic client =
        new ClientSecretBasic(new ClientID(settings.clientId()), new Secret(settings.readSecret()));
    Scope scope = Scope.parse(settings.scope());
    return new TokenRequest(settings.endpoint(), client, new ClientCredentialsGrant(), scope)
        .toHTTPRequest();
  }
}
