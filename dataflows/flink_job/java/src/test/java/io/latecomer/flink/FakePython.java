package io.latecomer.flink;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/** Stands where Python stands: notes in words what it is sent, and answers what it is told to. */
final class FakePython extends AbstractStreamOperator<byte[]>
    implements OneInputStreamOperator<byte[], byte[]>, BoundedOneInput {
  private static final long serialVersionUID = 1L;

  private static final List<String> PURPOSES = List.of("CONTINUE", "FLUSH", "SAVE");

  /**
   * A batch as {@code PURPOSE entry, entry}; an entry as {@code d1@1000} or, a wake-up, {@code
   * d1!1000}.
   */
  final List<String> sent = new ArrayList<>();

  private final ByteArrayOutputStream answer = new ByteArrayOutputStream();

  /** Add a message to the answer to the next batch. */
  FakePython answers(int kind, String key, byte... value) {
    DataOutputStream messages = new DataOutputStream(answer);
    try {
      messages.writeByte(kind);
      messages.writeInt(key == null ? -1 : key.length());
      messages.writeBytes(key == null ? "" : key);
      messages.writeInt(value.length);
      messages.write(value);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return this;
  }

  FakePython predicts(String key, String value) {
    return answers(0, key, value.getBytes(StandardCharsets.UTF_8));
  }

  FakePython rejects(String key, String value) {
    return answers(1, key, value.getBytes(StandardCharsets.UTF_8));
  }

  FakePython holds(String key) {
    return answers(2, key);
  }

  FakePython sets(String key, long timerMs) {
    return answers(3, key, ByteBuffer.allocate(Long.BYTES).putLong(timerMs).array());
  }

  FakePython saves(String key, String state) {
    return answers(4, key, state.getBytes(StandardCharsets.UTF_8));
  }

  FakePython releases(String key, String state) {
    return answers(5, key, state.getBytes(StandardCharsets.UTF_8));
  }

  FakePython forgets(String key) {
    return answers(6, key);
  }

  @Override
  public void open() throws Exception {
    super.open();
    sent.add("open");
  }

  @Override
  public void processElement(StreamRecord<byte[]> element) {
    sent.add(inWords(ByteBuffer.wrap(element.getValue())));
    if (answer.size() > 0) {
      byte[] whole = answer.toByteArray();
      answer.reset();
      output.collect(new StreamRecord<>(whole));
    }
  }

  @Override
  public void endInput() {
    sent.add("end");
  }

  @Override
  public void close() throws Exception {
    super.close();
    sent.add("close");
  }

  private static String inWords(ByteBuffer batch) {
    String purpose = PURPOSES.get(batch.get());
    StringJoiner entries = new StringJoiner(", ", purpose + " ", "").setEmptyValue(purpose);
    while (batch.hasRemaining()) {
      byte kind = batch.get();
      ByteBuffer payload = ByteBuffer.wrap(bytes(batch, batch.getInt()));
      String entry = kind == Batch.RECORD ? recordInWords(payload) : wakeUpInWords(payload);
      int size = batch.getInt();
      entries.add(size < 0 ? entry : entry + " with " + text(bytes(batch, size)));
    }
    return entries.toString();
  }

  private static String recordInWords(ByteBuffer frame) {
    long arrivalMs = frame.getLong(1);
    frame.position(1 + 8 + 4 + 8);
    return text(bytes(frame, Math.max(frame.getInt(), 0))) + "@" + arrivalMs;
  }

  private static String wakeUpInWords(ByteBuffer payload) {
    long nowMs = payload.getLong();
    return text(bytes(payload, payload.remaining())) + "!" + nowMs;
  }

  private static byte[] bytes(ByteBuffer from, int size) {
    byte[] bytes = new byte[size];
    from.get(bytes);
    return bytes;
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
