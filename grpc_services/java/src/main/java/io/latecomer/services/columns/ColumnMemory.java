package io.latecomer.services.columns;

import io.latecomer.services.rules.Sensors;
import java.util.concurrent.atomic.AtomicLong;

/** What the columns of all streams of a server may hold, and how much they do. */
public final class ColumnMemory {
  private static final int TIME_BYTES = Long.BYTES;

  /** A reading, and a running sum of readings. */
  private static final long READING_BYTES = Float.BYTES + Long.BYTES;

  /** A column with hardly any room costs so much all the same. The Python servers have the same. */
  private static final int LEAST_BYTES = 256;

  private final long rowBytes;
  private final boolean[] optional;
  private final long mostBytes;
  private final long mostBytesOfStream;
  private final AtomicLong bytes = new AtomicLong();
  private final AtomicLong refused = new AtomicLong();

  public ColumnMemory(Sensors sensors, long mostBytes, long mostBytesOfStream) {
    this.optional = sensors.optional();
    this.rowBytes = TIME_BYTES + READING_BYTES * optional.length;
    this.mostBytes = mostBytes;
    this.mostBytesOfStream = mostBytesOfStream;
  }

  /** What all columns hold now. */
  public long bytes() {
    return bytes.get();
  }

  /** How many columns there was no room for, from the beginning on. */
  public long refused() {
    return refused.get();
  }

  public long mostBytesOfStream() {
    return mostBytesOfStream;
  }

  /** Of one stream more, whose columns get memory for all their room at once. */
  Holding ofStream() {
    return new OfStream();
  }

  private long bytesOf(int room) {
    return Math.max(rowBytes * room, LEAST_BYTES);
  }

  private boolean isTaken(long size) {
    if (bytes.addAndGet(size) <= mostBytes) {
      return true;
    }
    bytes.addAndGet(-size);
    return false;
  }

  private final class OfStream implements Holding {
    private long own;

    @Override
    public Readings take(int number, int begins, int room) {
      long size = bytesOf(room);
      if (own + size > mostBytesOfStream || !isTaken(size)) {
        refused.incrementAndGet();
        return null;
      }
      own += size;
      return new RunningSums(optional, room);
    }

    @Override
    public void free(int room) {
      own -= bytesOf(room);
      bytes.addAndGet(-bytesOf(room));
    }

    @Override
    public void close() {
      bytes.addAndGet(-own);
      own = 0;
    }
  }
}
