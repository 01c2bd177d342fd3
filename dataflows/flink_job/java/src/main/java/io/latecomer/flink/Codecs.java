package io.latecomer.flink;

import java.util.List;

/**
 * What unpacks the batches of a topic. Kafka's client looks for it when it meets the first batch
 * that needs it, and its failure is then found a minute later, as the name of a class.
 */
final class Codecs {
  private static final List<String> CLASSES =
      List.of(
          "com.github.luben.zstd.ZstdInputStreamNoFinalizer",
          "net.jpountz.lz4.LZ4Factory",
          "org.xerial.snappy.SnappyInputStream");

  private Codecs() {}

  /** Fails if one is missing where Kafka's client would look for it. */
  static void check(ClassLoader loader) {
    for (String name : CLASSES) {
      try {
        Class.forName(name, false, loader);
      } catch (ClassNotFoundException error) {
        throw new IllegalStateException(
            "topics may be compressed, and the class "
                + name
                + " is missing where Flink's Kafka connector is loaded from: have"
                + " latecomer-flink-job.jar and the connector stand in the same place");
      }
    }
  }
}
