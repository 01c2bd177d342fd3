package io.latecomer.services.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.latecomer.services.Failure;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.server.Access;
import io.latecomer.services.server.LimitSettings;
import io.latecomer.services.server.ServerSettings;
import io.latecomer.services.server.Service;
import io.latecomer.services.server.ServiceServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One client over several servers, some of which go and come. */
@Timeout(60)
final class SeveralServersTest {
  private static final Duration DEADLINE = Duration.ofSeconds(20);
  private static final List<Window> WINDOW = List.of(Window.ofDemo());

  private final List<ServiceServer> features = new ArrayList<>();
  private final Channels channels = new Channels(ChannelSettings.PLAIN);
  private ServiceServer inference;

  private static ServiceServer start(Service service, int port) throws Exception {
    return ServiceServer.start(ServerSettings.of(service, "127.0.0.1", port));
  }

  @BeforeEach
  void start() throws Exception {
    for (int i = 0; i < 3; i++) {
      features.add(start(Service.FEATURES, 0));
    }
    inference = start(Service.INFERENCE, 0);
  }

  @AfterEach
  void stop() throws Exception {
    channels.close();
    for (ServiceServer server : features) {
      server.drain();
    }
    inference.drain();
  }

  private Addresses addresses() {
    return Addresses.parse(
        features.stream().map(ServiceServer::address).collect(Collectors.joining(",")));
  }

  private Peer peer(String name, Addresses addresses) {
    return new Peer(name, addresses, DEADLINE, channels);
  }

  private Peer predictor() {
    return peer("inference", Addresses.parse(inference.address()));
  }

  @ParameterizedTest
  @EnumSource(Asking.Rpc.class)
  void aRollingRestartCostsNoAnswer(Asking.Rpc rpc) throws Exception {
    AtomicBoolean enough = new AtomicBoolean();
    AtomicInteger answered = new AtomicInteger();
    CompletableFuture<Void> load =
        CompletableFuture.runAsync(
            () -> {
              try (Peer engineer = peer("features", addresses());
                  Peer predictor = predictor();
                  Asking asking = rpc.open(engineer, predictor, Sensors.DEMO)) {
                while (!enough.get()) {
                  asking.ask(WINDOW);
                  answered.incrementAndGet();
                }
              }
            });
    for (int i = 0; i < features.size(); i++) {
      int before = answered.get();
      while (!load.isDone() && answered.get() < before + 20) {
        Thread.onSpinWait();
      }
      int port = features.get(i).port();
      features.get(i).drain();
      features.set(i, start(Service.FEATURES, port));
    }
    enough.set(true);
    load.get();
    assertTrue(answered.get() >= 60);
  }

  @ParameterizedTest
  @EnumSource(Asking.Rpc.class)
  void aConnectionThatIsTooOldIsReplacedAndCostsNoAnswer(Asking.Rpc rpc) throws Exception {
    Duration second = Duration.ofSeconds(1);
    LimitSettings usual = LimitSettings.DEFAULT;
    LimitSettings limits =
        new LimitSettings(
            usual.maxMessageBytes(),
            usual.maxConcurrentCalls(),
            usual.messageTimeout(),
            Duration.ZERO,
            usual.grace(),
            second,
            second);
    ServiceServer server =
        ServiceServer.start(
            new ServerSettings(Service.FEATURES, "127.0.0.1", 0, limits, Access.LOCAL));
    features.add(server);
    try (Peer engineer = peer("features", Addresses.parse(server.address()));
        Peer predictor = predictor();
        Asking asking = rpc.open(engineer, predictor, Sensors.DEMO)) {
      long end = System.nanoTime() + Duration.ofSeconds(3).toNanos(); // beyond age and grace
      while (System.nanoTime() < end) {
        assertEquals(1, asking.ask(WINDOW).size());
      }
    }
  }

  @Test
  void aServerThatIsGoneAndANameThatIsNoneCostNoAnswer() throws Exception {
    features.get(1).drain();
    Addresses some = Addresses.parse(addresses() + ",no-such-host.invalid:1");
    try (Peer engineer = peer("features", some);
        Peer predictor = predictor();
        Asking asking = Asking.Rpc.unary.open(engineer, predictor, Sensors.DEMO)) {
      for (int i = 0; i < 20; i++) {
        assertEquals(1, asking.ask(WINDOW).size());
      }
    }
  }

  @Test
  void whenAllAreGoneTheFailureNamesThem() throws Exception {
    Addresses all = addresses();
    for (ServiceServer server : features) {
      server.drain();
    }
    try (Peer engineer = peer("features", all);
        Peer predictor = predictor()) {
      Failure error =
          assertThrows(
              Failure.class, () -> Asking.Rpc.batch.open(engineer, predictor, Sensors.DEMO));
      assertTrue(
          error.getMessage().startsWith("features service at " + all + ": UNAVAILABLE"),
          error.getMessage());
    }
  }
}
