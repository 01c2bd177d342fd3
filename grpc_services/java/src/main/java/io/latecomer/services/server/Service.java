package io.latecomer.services.server;

import io.grpc.BindableService;
import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.rules.Sensors;
import java.util.List;
import java.util.Locale;

/**
 * The two services, each a process of its own: which calls it answers, and on which port by
 * default.
 */
public enum Service {
  FEATURES(9001),
  INFERENCE(9011);

  private final int defaultPort;

  Service(int defaultPort) {
    this.defaultPort = defaultPort;
  }

  /** That of the original demo's Java server. */
  public int defaultPort() {
    return defaultPort;
  }

  /** The original call and the batch calls. */
  List<BindableService> parts(OpenStreams streams, Sensors sensors, ColumnMemory memory) {
    return switch (this) {
      case FEATURES ->
          List.of(
              new OriginalFeatureService(sensors),
              new BatchFeatureService(streams, new FeatureRules(sensors, memory)));
      case INFERENCE -> List.of(new OriginalInferenceService(), new BatchInferenceService(streams));
    };
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
