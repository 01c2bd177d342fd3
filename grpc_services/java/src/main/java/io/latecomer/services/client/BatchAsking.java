package io.latecomer.services.client;

import com.google.protobuf.ByteString;
import io.grpc.Status;
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

  BatchAsking(
      Exchange<WindowBatch, FeatureBatch> engineer,
      Exchange<FeatureBatch, PredictionBatch> predictor) {
    this.engineer = engineer;
    this.predictor = predictor;
  }

  @Override
  public List<Answer> ask(List<Window> windows) {
    Answer[] answers = new Answer[windows.size()];
    FeatureBatch features = engineer.exchange(message(windows));
    engineer.peer().checkOnce(features.getNameList());
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

  private static void refuse(
      Answer[] answers, int[] kept, List<Window> windows, List<RowError> errors, Peer peer) {
    for (RowError error : errors) {
      int row = kept == null ? error.getRow() : kept[error.getRow()];
      answers[row] =
          new Answer.Refused(
              windows.get(row).deviceId(), codeOf(error), peer.name(), error.getMessage());
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
    FeatureBatch.Builder left = FeatureBatch.newBuilder().addAllName(features.getNameList());
    ByteString.Output values = ByteString.newOutput(kept.length * width);
    for (int row : kept) {
      left.addEvaluationId(features.getEvaluationId(row)).addDeviceId(features.getDeviceId(row));
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

  private static WindowBatch message(List<Window> windows) {
    int events = windows.stream().mapToInt(Window::size).sum();
    ByteBuffer starts = column(windows.size() * Integer.BYTES);
    ByteBuffer ends = column(windows.size() * Integer.BYTES);
    ByteBuffer times = column(events * Long.BYTES);
    ByteBuffer[] sensors = new ByteBuffer[4];
    Arrays.setAll(sensors, i -> column(events * Float.BYTES));
    WindowBatch.Builder batch = WindowBatch.newBuilder();
    for (int row = 0; row < windows.size(); row++) {
      Window window = windows.get(row);
      long first = window.size() == 0 ? 0 : window.times()[0];
      batch
          .addEvaluationId(window.deviceId() + "/" + first + "/" + row)
          .addDeviceId(window.deviceId());
      starts.putInt(times.position() / Long.BYTES);
      for (int i = 0; i < window.size(); i++) {
        times.putLong(window.times()[i]);
        for (int sensor = 0; sensor < sensors.length; sensor++) {
          sensors[sensor].putFloat(window.sensors()[sensor][i]);
        }
      }
      ends.putInt(times.position() / Long.BYTES);
    }
    return batch
        .setStarts(ByteString.copyFrom(starts.flip()))
        .setEnds(ByteString.copyFrom(ends.flip()))
        .setTimes(ByteString.copyFrom(times.flip()))
        .setSensor1(ByteString.copyFrom(sensors[0].flip()))
        .setSensor2(ByteString.copyFrom(sensors[1].flip()))
        .setSensor3(ByteString.copyFrom(sensors[2].flip()))
        .setSensor4(ByteString.copyFrom(sensors[3].flip()))
        .build();
  }

  private static ByteBuffer column(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() {
    engineer.close();
    predictor.close();
  }
}
