package io.latecomer.flink;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * What Flink keeps of each device, its snapshot and its timers, in front of the Python stage that
 * knows the windows. A crossing into Python costs more than an event does there, so many go at
 * once.
 *
 * <p>A batch, big-endian: purpose (1 byte), number of this operator (8), then entries of kind (1),
 * size (4) and payload, each behind it size and bytes of the device's snapshot, or -1. A snapshot
 * goes with the first entry of a device only, Python keeps the window from there on, and what it
 * answers comes back by {@link PythonOutputs}: timers to set, windows that it lets go, and before a
 * checkpoint barrier and at the end of the input all that changed. {@code
 * dataflows/flink_job/frames.py} is the other half.
 */
public final class DeviceBatches extends AbstractStreamOperator<byte[]>
    implements OneInputStreamOperator<Row, byte[]>,
        Triggerable<String, VoidNamespace>,
        BoundedOneInput {
  private static final long serialVersionUID = 2L;

  private static final byte GO_ON = 0;
  private static final byte LEAVE_NOTHING = 1;
  private static final byte SAVE = 2;

  private static final byte RECORD = 0;
  private static final byte CLOCK = 1;

  private static final AtomicLong NUMBERS = new AtomicLong();
  private static final Map<Long, DeviceBatches> RUNNING = new ConcurrentHashMap<>();

  private final int maxEntries;
  private final long maxWaitMs;

  private transient long number;
  private transient ValueState<byte[]> snapshot;
  private transient InternalTimerService<VoidNamespace> timers;
  private transient Set<String> held; // by Python
  private transient ByteArrayOutputStream bytes;
  private transient DataOutputStream batch;
  private transient int entries;
  private transient long clockMs;
  private transient boolean mayBeUnderWay;
  private transient boolean mayBeUnsaved;
  private transient ScheduledFuture<?> wait;

  public DeviceBatches(int maxEntries, long maxWaitMs) {
    this.maxEntries = maxEntries;
    this.maxWaitMs = maxWaitMs;
  }

  /** What the job is keyed by: the device id. */
  public static KeySelector<Row, String> byDevice() {
    return RecordFrame::key;
  }

  /** The operator of this process with a number, for what comes back from Python. */
  static DeviceBatches running(long number) {
    DeviceBatches operator = RUNNING.get(number);
    if (operator == null) {
      throw new IllegalStateException(
          "the job's stages are not in one task: it needs Flink's operator chaining");
    }
    return operator;
  }

  @Override
  public void open() throws Exception {
    super.open();
    ValueStateDescriptor<byte[]> descriptor =
        new ValueStateDescriptor<>("window", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
    snapshot = getRuntimeContext().getState(descriptor);
    timers = getInternalTimerService("wake-ups", VoidNamespaceSerializer.INSTANCE, this);
    held = new HashSet<>();
    bytes = new ByteArrayOutputStream();
    batch = new DataOutputStream(bytes);
    number = NUMBERS.getAndIncrement();
    RUNNING.put(number, this);
  }

  @Override
  public void close() throws Exception {
    RUNNING.remove(number, this);
    super.close();
  }

  @Override
  public void processElement(StreamRecord<Row> element) throws Exception {
    add(RECORD, RecordFrame.key(element.getValue()), RecordFrame.frame(element.getValue()));
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    if (entries > 0) {
      send(GO_ON); // a device's first timer may be due at this very watermark
    }
    clockMs = mark.getTimestamp();
    super.processWatermark(mark);
  }

  /**
   * A device whose tick is due, or that is to be forgotten, is told how late it is: one call for
   * all that is due.
   */
  @Override
  public void onEventTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
    byte[] key = keyBytes(timer.getKey());
    add(
        CLOCK,
        timer.getKey(),
        ByteBuffer.allocate(8 + key.length).putLong(clockMs).put(key).array());
  }

  @Override
  public void onProcessingTime(InternalTimer<String, VoidNamespace> timer) {
    throw new IllegalStateException("no such timer is set");
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    save();
    super.prepareSnapshotPreBarrier(checkpointId);
  }

  @Override
  public void endInput() throws Exception {
    save();
  }

  /** Set the next timer of a device. */
  void arm(byte[] key, long wakeupMs) {
    setCurrentKey(keyText(key));
    timers.registerEventTimeTimer(VoidNamespace.INSTANCE, wakeupMs);
    held.add(keyText(key));
  }

  /** Keep the snapshot of a device; it need not stay in Python if it {@code isReleased}. */
  void store(byte[] key, byte[] value, boolean isReleased) throws IOException {
    setCurrentKey(keyText(key));
    snapshot.update(value);
    if (isReleased) {
      held.remove(keyText(key));
    }
  }

  /** Keep nothing of a device. */
  void forget(byte[] key) {
    setCurrentKey(keyText(key));
    snapshot.clear();
    held.remove(keyText(key));
  }

  private void add(byte kind, String key, byte[] payload) throws Exception {
    byte[] stored = held.contains(key) ? null : snapshot.value();
    batch.writeByte(kind);
    batch.writeInt(payload.length);
    batch.write(payload);
    batch.writeInt(stored == null ? -1 : stored.length);
    if (stored != null) {
      batch.write(stored);
      held.add(key);
    }
    entries++;
    if (entries == maxEntries) {
      send(GO_ON);
    } else {
      startWaiting();
    }
  }

  private void startWaiting() {
    if (wait == null) {
      long at = getProcessingTimeService().getCurrentProcessingTime() + maxWaitMs;
      wait = getProcessingTimeService().registerTimer(at, timestamp -> send(LEAVE_NOTHING));
    }
  }

  private void save() throws IOException {
    if (entries > 0 || mayBeUnderWay || mayBeUnsaved) {
      send(SAVE);
    }
  }

  private void send(byte purpose) throws IOException {
    if (wait != null) {
      wait.cancel(false);
      wait = null;
    }
    byte[] whole = new byte[9 + bytes.size()];
    ByteBuffer.wrap(whole).put(purpose).putLong(number).put(bytes.toByteArray());
    bytes.reset();
    entries = 0;
    mayBeUnderWay = purpose == GO_ON;
    mayBeUnsaved = purpose != SAVE;
    output.collect(new StreamRecord<>(whole));
    if (purpose == GO_ON) {
      startWaiting(); // its answers come with the next batch
    }
  }

  private static byte[] keyBytes(String key) {
    return key.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static String keyText(byte[] key) {
    return new String(key, StandardCharsets.ISO_8859_1);
  }
}
