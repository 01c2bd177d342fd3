package io.latecomer.services.client;

import com.google.protobuf.ByteString;
import io.grpc.Status;
import io.latecomer.services.rules.Sensors;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.RowError;
import io.latecomer.v1.WindowBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Many windows in one request of columns. A row that the feature service refused is not asked about
 * again.
 */
final class BatchAsking implements Asking {
  private final Exchange<WindowBatch, FeatureBatch> engineer;
  private final Exchange<FeatureBatch, PredictionBatch> predictor;

  private final Sensors sensors;

  /** Where to ask about windows whose columns the server has no room for; null if it always has. */
  private final BatchAsking byCalls;

  /** Asks by calls, whose columns end with each of them. */
  BatchAsking(
      Sensors sensors,
      Exchange<WindowBatch, FeatureBatch> engineer,
      Exchange<FeatureBatch, PredictionBatch> predictor) {
    this(sensors, engineer, predictor, null);
  }

  /** Asks by streams, and by calls about what the server has no room for there. */
  BatchAsking(
      Sensors sensors,
      Exchange<WindowBatch, FeatureBatch> engineer,
      Exchange<FeatureBatch, PredictionBatch> predictor,
      BatchAsking byCalls) {
    this.sensors = sensors;
    this.engineer = engineer;
    this.predictor = predictor;
    this.byCalls = byCalls;
  }

  @Override
  public List<Answer> ask(List<Window> windows) {
    Answer[] answers = new Answer[windows.size()];
    FeatureBatch features = engineer.exchange(message(windows));
    engineer.peer().checkOnce(features.getNameList());
    if (byCalls != null) {
      askByCalls(answers, windows, features.getErrorList());
    }
    refuse(answers, null, windows, features.getErrorList(), engineer.peer());
    int[] kept = kept(answers);
    if (kept.length > 0) {
      FeatureBatch left = only(features, kept);
      PredictionBatch predictions = predictor.exchange(left);
      refuse(answers, kept, windows, predictions.getErrorList(), predictor.peer());
      for (int i = 0; i < kept.length; i++) {
        if (answers[kept[i]] == null) {
          answers[kept[i]] = answer(windows.get(kept[i]), left, predictions, i);
        }
      }
    }
    return Arrays.asList(answers);
  }

  private void askByCalls(Answer[] answers, List<Window> windows, List<RowError> errors) {
    int[] rows =
        errors.stream()
            .filter(error -> codeOf(error) == Status.Code.NOT_FOUND)
            .mapToInt(RowError::getRow)
            .toArray();
    if (rows.length > 0) {
      List<Answer> found = byCalls.ask(Arrays.stream(rows).mapToObj(windows::get).toList());
      for (int i = 0; i < rows.length; i++) {
        answers[rows[i]] = found.get(i);
      }
    }
  }

  private static void refuse(
      Answer[] answers, int[] kept, List<Window> windows, List<RowError> errors, Peer peer) {
    for (RowError error : errors) {
      int row = kept == null ? error.getRow() : kept[error.getRow()];
      if (answers[row] == null) {
        answers[row] =
            new Answer.Refused(
                windows.get(row).deviceId(), codeOf(error), peer.name(), error.getMessage());
      }
    }
  }

  /** A number that is no status of a failure is UNKNOWN. */
  private static Status.Code codeOf(RowError error) {
    Status.Code code = Status.fromCodeValue(error.getCode()).getCode();
    return code == Status.Code.OK ? Status.Code.UNKNOWN : code;
  }

  private static int[] kept(Answer[] answers) {
    int[] rows = new int[answers.length];
    int count = 0;
    for (int row = 0; row < answers.length; row++) {
      if (answers[row] == null) {
        rows[count++] = row;
      }
    }
    return Arrays.copyOf(rows, count);
  }

  private static FeatureBatch only(FeatureBatch features, int[] kept) {
    int width = features.getNameCount() * Float.BYTES;
    FeatureBatch.Builder left =
        FeatureBatch.newBuilder().setRows(kept.length).addAllName(features.getNameList());
    ByteString.Output values = ByteString.newOutput(kept.length * width);
    for (int row : kept) {
      byte[] bytes = features.getValues().substring(row * width, (row + 1) * width).toByteArray();
      values.write(bytes, 0, bytes.length);
    }
    return left.setValues(values.toByteString()).build();
  }

  private static Answer answer(
      Window window, FeatureBatch features, PredictionBatch predictions, int row) {
    ByteBuffer values = features.getValues().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    values.position(row * features.getNameCount() * Float.BYTES);
    Map<String, Float> byName = new LinkedHashMap<>();
    for (String name : features.getNameList()) {
      byName.put(name, values.getFloat());
    }
    Map<String, String> result = new HashMap<>();
    int keys = predictions.getKeyCount();
    for (int i = 0; i < keys; i++) {
      result.put(predictions.getKey(i), predictions.getValue(row * keys + i));
    }
    return new Answer.Predicted(window.deviceId(), byName, predictions.getModelId(), result);
  }

  /**
   * A column for each window, with room for its events only: it is defined, asked about, dropped.
   */
  private WindowBatch message(List<Window> windows) {
    int events = windows.stream().mapToInt(Window::size).sum();
    ByteBuffer numbers = column(windows.size() * Integer.BYTES);
    ByteBuffer rooms = column(windows.size() * Integer.BYTES);
    ByteBuffer counts = column(windows.size() * Integer.BYTES);
    ByteBuffer times = column(events * Long.BYTES);
    ByteBuffer readings = column(events * sensors.width() * Float.BYTES);
    WindowBatch.Builder batch = WindowBatch.newBuilder().addAllSensor(sensors.declared());
    for (int row = 0; row < windows.size(); row++) {
      Window window = windows.get(row);
      batch.addDeviceId(window.deviceId());
      numbers.putInt(row);
      rooms.putInt(Math.max(window.size(), 1));
      counts.putInt(window.size());
      for (int i = 0; i < window.size(); i++) {
        times.putLong(window.times()[i]);
        for (float[] sensor : window.sensors()) {
          readings.putFloat(sensor[i]);
        }
      }
    }
    ByteString all = ByteString.copyFrom(numbers.flip());
    ByteString ends = ByteString.copyFrom(counts.flip());
    return batch
        .setNumber(all)
        .setRoom(ByteString.copyFrom(rooms.flip()))
        .setAppendedNumber(all)
        .setAppendedCount(ends)
        .setTimes(ByteString.copyFrom(times.flip()))
        .setReadings(ByteString.copyFrom(readings.flip()))
        .setWindowNumber(all)
        .setStarts(ByteString.copyFrom(new byte[ends.size()]))
        .setEnds(ends)
        .setDroppedNumber(all)
        .build();
  }

  private static ByteBuffer column(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() {
    engineer.close();
    predictor.close();
    if (byCalls != null) {
      byCalls.close();
    }
  }
}
