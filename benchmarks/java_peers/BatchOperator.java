import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Keeps the windows of its devices, and gives them on in batches: full ones, before a checkpoint,
 * and at the end.
 */
final class BatchOperator extends AbstractStreamOperator<Batch.Asked>
    implements OneInputStreamOperator<Event, Batch.Asked>, BoundedOneInput {
  private static final int WINDOWS = 1_024;

  private final long intervalMs;
  private final Map<String, Window> windows = new HashMap<>();
  private transient ListState<Tuple2<String, Window>> saved;
  private Batch batch;

  BatchOperator(long intervalMs) {
    this.intervalMs = intervalMs;
  }

  @Override
  public void processElement(StreamRecord<Event> element) {
    Event event = element.getValue();
    Window window = windows.computeIfAbsent(event.device_id, id -> new Window());
    window.add(event, intervalMs);
    if (batch == null) {
      batch = new Batch();
    }
    batch.add(event.device_id, window);
    if (batch.size() == WINDOWS) {
      flush();
    }
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) {
    flush();
  }

  @Override
  public void endInput() {
    flush();
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    saved =
        context
            .getOperatorStateStore()
            .getListState(
                new ListStateDescriptor<>(
                    "windows", Types.TUPLE(Types.STRING, Types.POJO(Window.class))));
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    saved.clear();
    for (Map.Entry<String, Window> entry : windows.entrySet()) {
      saved.add(Tuple2.of(entry.getKey(), entry.getValue()));
    }
  }

  private void flush() {
    if (batch != null) {
      output.collect(new StreamRecord<>(batch.asked()));
      batch = null;
    }
  }
}
