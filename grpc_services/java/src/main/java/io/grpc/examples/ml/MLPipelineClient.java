package io.grpc.examples.ml;

import io.latecomer.services.Main;
import java.util.stream.Stream;

/** The original demo's name for the client: the command {@code ask}. */
public final class MLPipelineClient {
  private MLPipelineClient() {}

  public static void main(String[] args) {
    Main.main(Stream.concat(Stream.of("ask"), Stream.of(args)).toArray(String[]::new));
  }
}
