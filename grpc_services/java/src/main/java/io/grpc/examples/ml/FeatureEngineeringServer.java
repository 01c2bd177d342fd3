package io.grpc.examples.ml;

import io.latecomer.services.Main;
import java.util.stream.Stream;

/** The original demo's name for the feature server: the command {@code features}. */
public final class FeatureEngineeringServer {
  private FeatureEngineeringServer() {}

  public static void main(String[] args) {
    Main.main(Stream.concat(Stream.of("features"), Stream.of(args)).toArray(String[]::new));
  }
}
