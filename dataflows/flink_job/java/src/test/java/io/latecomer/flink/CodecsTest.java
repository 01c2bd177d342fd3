package io.latecomer.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

final class CodecsTest {
  @Test
  void aCodecThatIsMissingIsSaidBeforeAnythingIsRead() {
    ClassLoader withoutAny = ClassLoader.getPlatformClassLoader();
    Exception error = assertThrows(IllegalStateException.class, () -> Codecs.check(withoutAny));
    assertEquals(
        "topics may be compressed, and the class com.github.luben.zstd.ZstdInputStreamNoFinalizer is"
            + " missing where Flink's Kafka connector is loaded from: have latecomer-flink-job.jar"
            + " and the connector stand in the same place",
        error.getMessage());
  }
}
