package io.latecomer.flink;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.types.Row;

/** A subtask of the operator in Flink's harness, with a fake Python inside it. */
record Subtask(
    KeyedOneInputStreamOperatorTestHarness<String, Row, Row> harness, FakePython python) {
  static final int MAX_ENTRIES = 3;
  static final long MAX_WAIT_MS = 20;
  private static final int MAX_PARALLELISM = 720;

  /** One of {@code parallelism} subtasks that share a state; null: there is none. */
  static Subtask opened(OperatorSubtaskState state, int parallelism, int index) throws Exception {
    return opened(state, parallelism, index, null);
  }

  /** One that begins with an exported state, if none is restored. */
  static Subtask opened(OperatorSubtaskState state, int parallelism, int index, String export)
      throws Exception {
    FakePython python = new FakePython();
    KeyedOneInputStreamOperatorTestHarness<String, Row, Row> harness =
        new KeyedOneInputStreamOperatorTestHarness<>(
            new DeviceOperatorFactory(python, MAX_ENTRIES, MAX_WAIT_MS, export),
            DeviceOperator.byDevice(),
            Types.STRING,
            MAX_PARALLELISM,
            parallelism,
            index);
    harness.setup();
    if (state != null) {
      harness.initializeState(
          AbstractStreamOperatorTestHarness.repartitionOperatorState(
              state, MAX_PARALLELISM, 1, parallelism, index));
    }
    harness.open();
    return new Subtask(harness, python);
  }

  void record(String key, long arrivalMs) throws Exception {
    byte[] value = {'{', '}'};
    Row row = RecordFrame.row(arrivalMs, 0, arrivalMs, key.getBytes(StandardCharsets.UTF_8), value);
    harness.processElement(row, arrivalMs);
  }

  void records(String key, long... arrivalsMs) throws Exception {
    for (long arrivalMs : arrivalsMs) {
      record(key, arrivalMs);
    }
  }

  void barrier(long checkpoint) throws Exception {
    harness.prepareSnapshotPreBarrier(checkpoint);
  }

  /** What Python was sent since this was last asked. */
  List<String> sent() {
    List<String> sent = List.copyOf(python.sent);
    python.sent.clear();
    return sent;
  }

  List<String> predictions() {
    return harness.extractOutputValues().stream().map(Subtask::inWords).toList();
  }

  List<String> rejections() {
    return harness.getSideOutput(DeviceOperator.rejections()).stream()
        .map(record -> inWords(record.getValue()))
        .toList();
  }

  private static String inWords(Row row) {
    byte[] key = (byte[]) row.getField(0);
    byte[] value = (byte[]) row.getField(1);
    return (key == null ? null : new String(key, StandardCharsets.UTF_8))
        + "="
        + new String(value, StandardCharsets.UTF_8);
  }
}
