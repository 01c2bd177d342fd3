import io.grpc.ManagedChannel;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectWriter;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;

/** Asks both services: a channel to each, open as long as the task runs. */
abstract class Asking<I> extends RichAsyncFunction<I, String> {
  private final String[] addresses;
  private transient List<ManagedChannel> channels;
  protected transient ObjectWriter json;

  Asking(Job job) {
    addresses = new String[] {job.features, job.inference};
  }

  /** Makes the stubs. */
  abstract void connect(ManagedChannel features, ManagedChannel inference);

  @Override
  public void open(OpenContext context) {
    channels = List.of(Job.channelTo(addresses[0]), Job.channelTo(addresses[1]));
    connect(channels.get(0), channels.get(1));
    json = JsonMapper.builder().build().writer();
  }

  @Override
  public void close() {
    channels.forEach(ManagedChannel::shutdownNow);
  }
}
