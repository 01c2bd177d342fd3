package io.latecomer.services.client;

import io.latecomer.services.rules.NumberText;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpResponse.BodySubscribers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow.Subscription;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * An HTTP request whose whole answer has to be there in time, however it comes: name, connection,
 * headers and body together. Follows no redirect, which could take a secret elsewhere.
 */
final class BoundedHttp {
  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .followRedirects(HttpClient.Redirect.NEVER)
          .build();

  private final Duration within;
  private final int mostBytes;

  BoundedHttp(Duration within, int mostBytes) {
    this.within = within;
    this.mostBytes = mostBytes;
  }

  /**
   * The answer, of whatever status.
   *
   * @throws IOException if it is not there in time, is longer than it may be, or anything else that
   *     a connection may meet
   */
  HttpResponse<byte[]> answer(HttpRequest request) throws IOException {
    CompletableFuture<HttpResponse<byte[]>> answer =
        client.sendAsync(request, head -> new Bounded(mostBytes));
    try {
      return answer.get(within.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException error) {
      String seconds = NumberText.general(within.toMillis() / 1e3);
      throw new IOException("no whole answer within " + seconds + " s", error);
    } catch (ExecutionException error) {
      throw new IOException(reason(error), error);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", error);
    } finally {
      answer.cancel(true); // one that is still coming would hold its connection
    }
  }

  private static String reason(Throwable error) {
    Throwable cause = error;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
  }

  private static final class Bounded implements BodySubscriber<byte[]> {
    private final BodySubscriber<byte[]> bytes = BodySubscribers.ofByteArray();
    private final int most;
    private Subscription subscription;
    private long size;

    Bounded(int most) {
      this.most = most;
    }

    @Override
    public CompletionStage<byte[]> getBody() {
      return bytes.getBody();
    }

    @Override
    public void onSubscribe(Subscription given) {
      subscription = given;
      bytes.onSubscribe(given);
    }

    @Override
    public void onNext(List<ByteBuffer> parts) {
      size += parts.stream().mapToLong(ByteBuffer::remaining).sum();
      if (size <= most) {
        bytes.onNext(parts);
      } else {
        subscription.cancel();
        bytes.onError(new IOException("more than " + most + " bytes"));
      }
    }

    @Override
    public void onError(Throwable error) {
      bytes.onError(error);
    }

    @Override
    public void onComplete() {
      bytes.onComplete();
    }
  }
}
