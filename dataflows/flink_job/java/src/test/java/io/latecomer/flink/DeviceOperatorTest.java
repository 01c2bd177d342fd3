package io.latecomer.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract of the border, on the JVM's side: docs/flink-bridge.md. */
final class DeviceOperatorTest {
  private static final long MAX_WAIT_MS = Subtask.MAX_WAIT_MS;

  private final List<Subtask> opened = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    for (Subtask subtask : opened) {
      subtask.harness().close();
    }
  }

  @Test
  void entriesWaitUntilTheirBatchIsFull() throws Exception {
    Subtask subtask = begun();
    subtask.record("a", 1);
    subtask.record("b", 2);
    assertEquals(List.of(), subtask.sent());
    subtask.record("a", 3);
    assertEquals(List.of("CONTINUE a@1, b@2, a@3"), subtask.sent());
  }

  @Test
  void aBatchThatDoesNotFillGoesAfterItsWaitAndLeavesNoCallInFlight() throws Exception {
    Subtask subtask = begun();
    subtask.record("a", 1);
    subtask.harness().setProcessingTime(MAX_WAIT_MS - 1);
    assertEquals(List.of(), subtask.sent());
    subtask.harness().setProcessingTime(MAX_WAIT_MS);
    assertEquals(List.of("FLUSH a@1"), subtask.sent());
    subtask.harness().setProcessingTime(10 * MAX_WAIT_MS);
    assertEquals(List.of(), subtask.sent());
  }

  @Test
  void theWaitBeginsWithTheFirstEntryOfABatch() throws Exception {
    Subtask subtask = begun();
    subtask.record("a", 1);
    subtask.harness().setProcessingTime(MAX_WAIT_MS - 1);
    subtask.record("b", 2);
    subtask.harness().setProcessingTime(MAX_WAIT_MS);
    assertEquals(List.of("FLUSH a@1, b@2"), subtask.sent());
  }

  @Test
  void callsThatAFullBatchLeavesInFlightAreFlushedAfterTheWait() throws Exception {
    Subtask subtask = begun();
    subtask.records("a", 1, 2, 3);
    subtask.sent();
    subtask.python().predicts("a", "late answer");
    subtask.harness().setProcessingTime(MAX_WAIT_MS);
    assertEquals(List.of("FLUSH"), subtask.sent());
    assertEquals(List.of("a=late answer"), subtask.predictions());
  }

  @Test
  void predictionsAndRejectionsGoTheirWays() throws Exception {
    Subtask subtask = begun();
    subtask.python().predicts("a", "p1").rejects("b", "r1").rejects(null, "r2").predicts("b", "p2");
    subtask.records("a", 1, 2, 3);
    assertEquals(List.of("a=p1", "b=p2"), subtask.predictions());
    assertEquals(List.of("b=r1", "null=r2"), subtask.rejections());
  }

  @Test
  void whatWaitsCrossesBeforeTheWatermarkThatMayWakeItUp() throws Exception {
    Subtask subtask = begun();
    subtask.record("a", 90);
    subtask.python().holds("a").sets("a", 100);
    subtask.harness().processWatermark(100);
    assertEquals(List.of("CONTINUE a@90"), subtask.sent());
    subtask.barrier(1);
    assertEquals(List.of("SAVE a!100"), subtask.sent());
  }

  @Test
  void timersWakeTheirDevicesAtTheWatermarkThatReachesThem() throws Exception {
    Subtask subtask = begun();
    subtask.python().holds("a").holds("b").sets("a", 100).sets("b", 105).sets("a", 111);
    subtask.records("a", 1, 2, 3);
    subtask.sent();
    subtask.harness().processWatermark(99);
    subtask.harness().processWatermark(110);
    subtask.barrier(1);
    assertEquals(List.of("SAVE a!110, b!110"), subtask.sent());
    subtask.harness().processWatermark(111);
    subtask.barrier(2);
    assertEquals(List.of("SAVE a!111"), subtask.sent());
  }

  @Test
  void aTimerThatIsSetInAnswerToAWakeUpFiresAtTheSameWatermarkIfItIsDue() throws Exception {
    Subtask subtask = begun();
    subtask.python().holds("a").holds("b").holds("c").sets("a", 10).sets("b", 11).sets("c", 12);
    subtask.records("a", 1, 2, 3);
    subtask.sent();
    subtask.python().sets("a", 20);
    subtask.harness().processWatermark(20);
    subtask.barrier(1);
    assertEquals(List.of("CONTINUE a!20, b!20, c!20", "SAVE a!20"), subtask.sent());
  }

  @Test
  void aBarrierAsksForEverySnapshotAndTheNextOneForNoneIfNothingCameBetween() throws Exception {
    Subtask subtask = begun();
    subtask.records("a", 1, 2, 3);
    subtask.sent();
    subtask.barrier(1);
    assertEquals(List.of("SAVE"), subtask.sent());
    subtask.barrier(2);
    assertEquals(List.of(), subtask.sent());
  }

  @Test
  void aFlushIsNoSave() throws Exception {
    Subtask subtask = begun();
    subtask.record("a", 1);
    subtask.harness().setProcessingTime(MAX_WAIT_MS);
    subtask.sent();
    subtask.barrier(1);
    assertEquals(List.of("SAVE"), subtask.sent());
  }

  @Test
  void theEndOfTheInputSavesAndThenEndsPython() throws Exception {
    Subtask subtask = begun();
    subtask.record("a", 1);
    subtask.python().predicts("a", "last");
    subtask.harness().endInput();
    assertEquals(List.of("SAVE a@1", "end"), subtask.sent());
    assertEquals(List.of("a=last"), subtask.predictions());
  }

  @Test
  void pythonIsClosedWithTheOperator() throws Exception {
    Subtask subtask = begun();
    subtask.harness().close();
    assertEquals(List.of("close"), subtask.sent());
  }

  @Test
  void aSnapshotIsHandedOverWithTheFirstEntryOfARestoredDeviceAndNoOther() throws Exception {
    Subtask subtask = restored(saved());
    subtask.record("a", 10);
    subtask.record("c", 11);
    subtask.record("a", 12);
    assertEquals(List.of("CONTINUE a@10 with state of a, c@11, a@12"), subtask.sent());
    subtask.records("a", 13, 14, 15);
    assertEquals(List.of("CONTINUE a@13, a@14, a@15"), subtask.sent());
  }

  @Test
  void aRestoredTimerWakesItsDeviceWithItsSnapshot() throws Exception {
    Subtask subtask = restored(saved());
    subtask.harness().processWatermark(100);
    subtask.barrier(2);
    assertEquals(List.of("SAVE a!100 with state of a"), subtask.sent());
  }

  @Test
  void aDeviceThatPythonBeganIsHeldFromThenOn() throws Exception {
    Subtask subtask = begun();
    subtask.python().holds("a");
    subtask.records("a", 1, 2, 3);
    subtask.python().saves("a", "state of a");
    subtask.barrier(1);
    subtask.sent();
    subtask.records("a", 4, 5, 6);
    assertEquals(List.of("CONTINUE a@4, a@5, a@6"), subtask.sent());
  }

  @Test
  void aReleasedDeviceGetsItsSnapshotBackWithItsNextEntry() throws Exception {
    Subtask subtask = begun();
    subtask.python().holds("a").releases("a", "first");
    subtask.records("a", 1, 2, 3);
    subtask.sent();
    subtask.python().releases("a", "second");
    subtask.records("a", 4, 5, 6);
    subtask.records("a", 7, 8, 9);
    assertEquals(
        List.of("CONTINUE a@4 with first, a@5, a@6", "CONTINUE a@7 with second, a@8, a@9"),
        subtask.sent());
  }

  @Test
  void nothingIsKeptOfAForgottenDevice() throws Exception {
    Subtask subtask = restored(saved());
    assertEquals(2, subtask.harness().numKeyedStateEntries());
    subtask.python().forgets("a");
    subtask.records("a", 1, 2, 3);
    assertEquals(1, subtask.harness().numKeyedStateEntries());
    subtask.sent();
    subtask.records("a", 4, 5, 6);
    assertEquals(List.of("CONTINUE a@4, a@5, a@6"), subtask.sent());
  }

  @Test
  void aStateIsSharedByMoreSubtasksWithoutALossAndWithoutARepetition() throws Exception {
    OperatorSubtaskState state = saved();
    List<String> sent = new ArrayList<>();
    for (int index = 0; index < 5; index++) {
      Subtask subtask = restored(state, 5, index);
      subtask.harness().processWatermark(200);
      subtask.barrier(2);
      for (String batch : subtask.sent()) {
        sent.addAll(List.of(batch.substring("SAVE ".length()).split(", ")));
      }
    }
    sent.sort(null);
    assertEquals(List.of("a!200 with state of a", "b!200 with state of b"), sent);
  }

  @Test
  void messagesOutOfTurnFailTheJob() throws Exception {
    assertOutOfTurn("timer of a", begun().python().sets("a", 5));
    assertOutOfTurn("save of a", begun().python().saves("a", "state"));
    assertOutOfTurn("release of a", begun().python().releases("a", "state"));
    assertOutOfTurn("forget of a", begun().python().forgets("a"));
    assertOutOfTurn("hold of a", begun().python().holds("a").holds("a"));
    assertOutOfTurn("timer of a", begun().python().holds("a").releases("a", "state").sets("a", 5));
    assertOutOfTurn("a message of kind 7", begun().python().answers(7, "a"));
  }

  /** The key of the second device is no ASCII: a key is text of one character a byte. */
  @Test
  void aJobBeginsWithTheDevicesOfAnExportedStateOnceAndNotWhereItIsRestored(@TempDir Path folder)
      throws Exception {
    Path export = folder.resolve("export");
    Files.write(export, exported("{}", Map.of("a", "state of a", "\u00e4", "state of \u00e4")));
    List<String> handed = new ArrayList<>();
    OperatorSubtaskState state = null;
    for (int index = 0; index < 3; index++) {
      Subtask subtask = Subtask.opened(null, 3, index, export.toString());
      opened.add(subtask);
      subtask.sent();
      subtask.harness().processWatermark(7);
      subtask.harness().setProcessingTime(MAX_WAIT_MS);
      handed.addAll(subtask.sent());
      state = subtask.harness().snapshot(1, 1);
    }
    assertEquals(
        List.of("FLUSH a!7 with state of a", "FLUSH \u00e4!7 with state of \u00e4"),
        handed.stream().sorted().toList());
    Subtask restored = Subtask.opened(state, 1, 0, export.toString());
    opened.add(restored);
    restored.sent();
    restored.harness().processWatermark(8);
    restored.harness().setProcessingTime(MAX_WAIT_MS);
    assertEquals(List.of(), restored.sent());
  }

  /** As {@code portable_file.py} writes it, without what only Python looks at. */
  private static byte[] exported(String origin, Map<String, String> devices) {
    ByteBuffer file = ByteBuffer.allocate(1_000).order(ByteOrder.LITTLE_ENDIAN);
    byte[] head = origin.getBytes(StandardCharsets.UTF_8);
    file.put(new byte[] {'L', 'C', 'S', 'T', 1, 0}).putInt(head.length).put(head);
    devices.forEach(
        (device, state) -> {
          byte[] key = device.getBytes(StandardCharsets.UTF_8);
          byte[] value = state.getBytes(StandardCharsets.UTF_8);
          file.putShort((short) key.length).put(key).putInt(value.length).put(value);
        });
    return Arrays.copyOf(file.putShort((short) 0).array(), file.position());
  }

  private void assertOutOfTurn(String message, FakePython python) throws Exception {
    Subtask subtask = opened.get(opened.size() - 1);
    assertEquals(subtask.python(), python);
    Exception error = assertThrows(Exception.class, () -> subtask.records("z", 1, 2, 3));
    assertTrue(error.getMessage().contains(message), error.getMessage());
  }

  /** The state of two devices: a, to be woken up at 100, and b, at 200. */
  private OperatorSubtaskState saved() throws Exception {
    Subtask subtask = begun();
    subtask.python().holds("a").holds("b").sets("a", 100).sets("b", 200);
    subtask.records("a", 1, 2, 3);
    subtask.python().saves("a", "state of a").saves("b", "state of b");
    subtask.barrier(1);
    return subtask.harness().snapshot(1, 1);
  }

  private Subtask begun() throws Exception {
    return restored(null);
  }

  private Subtask restored(OperatorSubtaskState state) throws Exception {
    return restored(state, 1, 0);
  }

  private Subtask restored(OperatorSubtaskState state, int parallelism, int index)
      throws Exception {
    Subtask subtask = Subtask.opened(state, parallelism, index);
    assertEquals(List.of("open"), subtask.sent());
    opened.add(subtask);
    return subtask;
  }
}
