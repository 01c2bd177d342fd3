package io.latecomer.flink;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/**
 * Takes apart what the Python stage gives for a batch, big-endian: the number of its {@link
 * DeviceBatches} (8 bytes), then items of kind (1), size of the key or -1 (4), key, size of the
 * value (4), value. Predictions and rejections go on as rows of key and value, rejections as a side
 * output; the rest is about state and timers, and goes back.
 */
public final class PythonOutputs extends AbstractStreamOperator<Row>
    implements OneInputStreamOperator<byte[], Row> {
  private static final long serialVersionUID = 1L;

  private static final byte PREDICTION = 0;
  private static final byte REJECTION = 1;
  private static final byte ARM = 2;
  private static final byte SAVE = 3;
  private static final byte RELEASE = 4;
  private static final byte FORGET = 5;

  private static final OutputTag<Row> REJECTIONS = new OutputTag<>("rejections", type());

  /** The side output of rejections. */
  public static OutputTag<Row> rejections() {
    return REJECTIONS;
  }

  /** The type of the rows: key and value, both bytes. */
  public static TypeInformation<Row> type() {
    return Types.ROW(
        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
  }

  @Override
  public void processElement(StreamRecord<byte[]> element) throws IOException {
    ByteBuffer items = ByteBuffer.wrap(element.getValue());
    DeviceBatches devices = DeviceBatches.running(items.getLong());
    while (items.hasRemaining()) {
      byte kind = items.get();
      byte[] key = bytes(items);
      byte[] value = bytes(items);
      switch (kind) {
        case PREDICTION -> output.collect(new StreamRecord<>(Row.of(key, value)));
        case REJECTION -> output.collect(REJECTIONS, new StreamRecord<>(Row.of(key, value)));
        case ARM -> devices.arm(key, ByteBuffer.wrap(value).getLong());
        case SAVE, RELEASE -> devices.store(key, value, kind == RELEASE);
        case FORGET -> devices.forget(key);
        default -> throw new IllegalStateException("an item of kind " + kind);
      }
    }
  }

  private static byte[] bytes(ByteBuffer items) {
    int size = items.getInt();
    if (size < 0) {
      return null;
    }
    byte[] bytes = new byte[size];
    items.get(bytes);
    return bytes;
  }
}
