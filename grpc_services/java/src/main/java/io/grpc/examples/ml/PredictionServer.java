package io.grpc.examples.ml;

import io.latecomer.services.Main;
import java.util.stream.Stream;

/** The original demo's name for the inference server: the command {@code inference}. */
public final class PredictionServer {
  private PredictionServer() {}

  public static void main(String[] args) {
    Main.main(Stream.concat(Stream.of("inference"), Stream.of(args)).toArray(String[]::new));
  }
}
