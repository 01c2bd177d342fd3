package io.latecomer.services.server;

import com.google.protobuf.UnsafeByteOperations;
import io.grpc.Status;
import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.columns.Columns;
import io.latecomer.services.columns.HeldColumn;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.services.wire.WindowRequest;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceDescription;
import io.latecomer.v1.RowError;
import io.latecomer.v1.WindowBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The features of windows over columns: a row for each window asked about, in the same order; a row
 * can fail alone.
 */
final class FeatureRules {
  /**
   * Of all windows of a call, an event as often as it is in one: each is read. On a stream none is,
   * see {@link io.latecomer.services.columns.Columns}. The Python servers have the same.
   */
  private static final long MOST_EVENTS = 1 << 22;

  private final Sensors sensors;
  private final ColumnMemory memory;

  FeatureRules(Sensors sensors, ColumnMemory memory) {
    this.sensors = sensors;
    this.memory = memory;
  }

  FeatureServiceDescription description() {
    return FeatureServiceDescription.newBuilder()
        .addAllSensor(sensors.declared())
        .addAllFeature(sensors.features())
        .setColumnBytes(memory.mostBytesOfStream())
        .build();
  }

  /**
   * The answer to a request that stands for itself.
   *
   * @throws RequestError if it cannot be taken apart into rows
   */
  FeatureBatch answer(WindowBatch batch) {
    WindowRequest.checkSensors(batch, sensors);
    WindowRequest request = new WindowRequest(batch, sensors.width());
    try (Columns columns = Columns.ofCall(sensors, request)) {
      columns.change(request);
      HeldColumn[] asked = columns.columns(request.windows());
      checkEvents(request, asked);
      return answer(request, columns, asked);
    }
  }

  /** The rule of one stream more. */
  OfStream stream() {
    return new OfStream();
  }

  /** Answers one request after the other. Its columns stay until it is closed. */
  final class OfStream implements Answers.StreamRule<WindowBatch, FeatureBatch> {
    private final Columns columns = Columns.ofStream(sensors, memory);
    private boolean isFirst = true;

    @Override
    public FeatureBatch apply(WindowBatch batch) {
      if (isFirst) {
        WindowRequest.checkSensors(batch, sensors);
      } else {
        WindowRequest.checkNoSensors(batch);
      }
      isFirst = false;
      WindowRequest request = new WindowRequest(batch, sensors.width());
      columns.change(request);
      return answer(request, columns, columns.columns(request.windows()));
    }

    @Override
    public void close() {
      columns.close();
    }
  }

  private static void checkEvents(WindowRequest request, HeldColumn[] asked) {
    long events = 0;
    for (int row = 0; row < asked.length; row++) {
      long start = request.starts()[row];
      long end = request.ends()[row];
      events += asked[row].fault(start, end) == null ? end - start : 0;
    }
    if (events > MOST_EVENTS) {
      throw RequestError.of(
          "ends: the windows hold %d events in all, those of a request may hold %d",
          events, MOST_EVENTS);
    }
  }

  /** Rows x features, float32; a failed row holds zeros. */
  private FeatureBatch answer(WindowRequest request, Columns columns, HeldColumn[] asked) {
    int names = sensors.width();
    byte[] values = new byte[Math.multiplyExact(asked.length, names * Float.BYTES)];
    ByteBuffer buffer = ByteBuffer.wrap(values).order(ByteOrder.LITTLE_ENDIAN);
    FeatureBatch.Builder answer =
        FeatureBatch.newBuilder().setRows(asked.length).addAllName(sensors.features());
    float[] means = new float[names];
    for (int row = 0; row < asked.length; row++) {
      Answers.stopIfCancelled(row);
      RowError.Builder error = means(request, row, asked[row], means);
      if (error != null) {
        answer.addError(error.setRow(row));
        continue;
      }
      buffer.position(row * names * Float.BYTES);
      for (float mean : means) {
        buffer.putFloat(mean);
      }
    }
    columns.drop(request.dropped());
    return answer.setValues(UnsafeByteOperations.unsafeWrap(values)).build();
  }

  /** Null if the means are there. */
  private static RowError.Builder means(
      WindowRequest request, int row, HeldColumn column, float[] means) {
    if (column == null) {
      return error(Status.Code.NOT_FOUND, "column: " + request.windows()[row] + " is not held");
    }
    long start = request.starts()[row];
    long end = request.ends()[row];
    String fault = column.fault(start, end);
    fault = fault == null ? column.means((int) start, (int) end, means) : fault;
    return fault == null ? null : error(Status.Code.INVALID_ARGUMENT, fault);
  }

  private static RowError.Builder error(Status.Code code, String fault) {
    return RowError.newBuilder().setCode(code.value()).setMessage(fault);
  }
}
