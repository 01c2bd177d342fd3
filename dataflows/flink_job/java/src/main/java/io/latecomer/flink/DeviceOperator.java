package io.latecomer.flink;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ScheduledFuture;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.state.AbstractKeyedStateBackend;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/**
 * The devices of one subtask: Flink's state and timers, around the Python stage that holds the
 * windows.
 *
 * <p>It sends batches of entries into Python ({@link Batch}), since a crossing costs more than an
 * event does there, and carries out the messages of each answer ({@link Answer}). A snapshot
 * crosses with the first entry of a device that Python does not hold, and never again while Python
 * holds it. {@code docs/flink-bridge.md} is the contract: which message may be sent when, and what
 * "held" means.
 */
public final class DeviceOperator extends AbstractStreamOperator<Row>
    implements OneInputStreamOperator<Row, Row>,
        Triggerable<String, VoidNamespace>,
        BoundedOneInput,
        Answer.Receiver {
  private static final long serialVersionUID = 1L;

  private static final OutputTag<Row> REJECTIONS = new OutputTag<>("rejections", type());

  static final ValueStateDescriptor<byte[]> STATE =
      new ValueStateDescriptor<>("window", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);

  /** When a timer fires with the first watermark. */
  private static final long AT_ONCE = 0;

  private final int maxEntries;
  private final long maxWaitMs;
  private final String export;
  private final PythonStage python;
  private final Batch batch = new Batch();
  private final Set<String> held = new HashSet<>();

  private ValueState<byte[]> snapshot;
  private InternalTimerService<VoidNamespace> timers;
  private ScheduledFuture<?> wait;
  private long clockMs;
  private boolean mayHaveCallsInFlight;
  private boolean mayBeUnsaved;
  private boolean isRestored;

  DeviceOperator(
      StreamOperatorParameters<Row> parameters,
      StreamOperatorFactory<byte[]> python,
      int maxEntries,
      long maxWaitMs,
      String export) {
    super(parameters);
    this.maxEntries = maxEntries;
    this.maxWaitMs = maxWaitMs;
    this.export = export;
    this.python = new PythonStage(python, parameters, answer -> Answer.read(answer, this));
  }

  /** What the job is keyed by: the device id. */
  public static KeySelector<Row, String> byDevice() {
    return RecordFrame::key;
  }

  /** The side output of rejections. */
  public static OutputTag<Row> rejections() {
    return REJECTIONS;
  }

  /** The type of the outputs: rows of key and value, both bytes. */
  public static TypeInformation<Row> type() {
    return Types.ROW(
        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    isRestored = context.isRestored();
    python.initializeState();
  }

  @Override
  public void open() throws Exception {
    super.open();
    snapshot = getRuntimeContext().getState(STATE);
    timers = getInternalTimerService("wake-ups", VoidNamespaceSerializer.INSTANCE, this);
    python.open();
    if (export != null && !isRestored) {
      ExportedDevices.read(Path.of(export), this::beginWith);
    }
  }

  /**
   * A device of an exported state, if it belongs to this subtask. It is called once for its timer.
   */
  private void beginWith(String device, byte[] state) throws IOException {
    AbstractKeyedStateBackend<?> backend = (AbstractKeyedStateBackend<?>) getKeyedStateBackend();
    int group = KeyGroupRangeAssignment.assignToKeyGroup(device, backend.getNumberOfKeyGroups());
    if (backend.getKeyGroupRange().contains(group)) {
      setCurrentKey(device);
      snapshot.update(state);
      timers.registerEventTimeTimer(VoidNamespace.INSTANCE, AT_ONCE);
    }
  }

  @Override
  public void processElement(StreamRecord<Row> element) throws Exception {
    Row row = element.getValue();
    add(Batch.RECORD, RecordFrame.key(row), RecordFrame.frame(row));
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    if (!batch.isEmpty()) {
      send(Batch.CONTINUE); // a device's first timer may be due at this very watermark
    }
    clockMs = mark.getTimestamp();
    super.processWatermark(mark);
  }

  /** A due tick or expiry: the device is told the watermark, in one batch with all that is due. */
  @Override
  public void onEventTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
    add(Batch.WAKE_UP, timer.getKey(), Batch.wakeUp(clockMs, timer.getKey()));
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
    python.endInput();
  }

  @Override
  public void finish() throws Exception {
    python.finish();
    super.finish();
  }

  @Override
  public void close() throws Exception {
    try {
      python.close();
    } finally {
      super.close();
    }
  }

  @Override
  public void prediction(byte[] key, byte[] value) {
    output.collect(new StreamRecord<>(Row.of(key, value)));
  }

  @Override
  public void rejection(byte[] key, byte[] value) {
    output.collect(REJECTIONS, new StreamRecord<>(Row.of(key, value)));
  }

  @Override
  public void hold(String device) {
    check(held.add(device), "hold", device);
  }

  @Override
  public void timer(String device, long wakeupMs) {
    check(held.contains(device), "timer", device);
    setCurrentKey(device);
    timers.registerEventTimeTimer(VoidNamespace.INSTANCE, wakeupMs);
  }

  @Override
  public void save(String device, byte[] state) throws IOException {
    check(held.contains(device), "save", device);
    setCurrentKey(device);
    snapshot.update(state);
  }

  @Override
  public void release(String device, byte[] state) throws IOException {
    check(held.remove(device), "release", device);
    setCurrentKey(device);
    snapshot.update(state);
  }

  @Override
  public void forget(String device) {
    check(held.remove(device), "forget", device);
    setCurrentKey(device);
    snapshot.clear();
  }

  private static void check(boolean isAllowed, String message, String device) {
    if (!isAllowed) {
      throw new IllegalStateException("out of turn from Python: " + message + " of " + device);
    }
  }

  private void add(byte kind, String device, byte[] payload) throws Exception {
    byte[] handed = held.contains(device) ? null : snapshot.value();
    batch.add(kind, payload, handed);
    if (handed != null) {
      held.add(device);
    }
    if (batch.entries() == maxEntries) {
      send(Batch.CONTINUE);
    } else {
      startWaiting();
    }
  }

  private void startWaiting() {
    if (wait == null) {
      long at = getProcessingTimeService().getCurrentProcessingTime() + maxWaitMs;
      wait = getProcessingTimeService().registerTimer(at, timestamp -> send(Batch.FLUSH));
    }
  }

  private void save() throws Exception {
    if (!batch.isEmpty() || mayHaveCallsInFlight || mayBeUnsaved) {
      send(Batch.SAVE);
    }
  }

  private void send(byte purpose) throws Exception {
    if (wait != null) {
      wait.cancel(false);
      wait = null;
    }
    mayHaveCallsInFlight = purpose == Batch.CONTINUE;
    mayBeUnsaved = purpose != Batch.SAVE;
    python.process(batch.taken(purpose));
    if (purpose == Batch.CONTINUE) {
      startWaiting(); // the answers of its calls come with the next batch
    }
  }
}
