package io.latecomer.services.security;

import io.latecomer.services.SettingsError;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Files that are read again when they change: certificates, keys, key sets, tokens.
 *
 * <p>What they hold is compared, not their times: a mounted secret changes by a link, a copy may
 * keep the old time. What cannot be used leaves the last good one in force, and is one line in the
 * log.
 */
public final class WatchedFiles implements AutoCloseable {
  /** A file of a few kilobytes costs some microseconds; whoever rotates waits longer than this. */
  private static final long PERIOD_MS = 1_000;

  private static final Logger logger = Logger.getLogger(WatchedFiles.class.getName());

  /** Takes what the files hold, in their order; throws SettingsError if that cannot be used. */
  public interface Reader {
    void take(List<byte[]> contents);

    /** Is told at each look at which the files cannot be used. */
    default void unusable() {}

    /** How long what was there before stays in use meanwhile, for the log. */
    default String kept() {
      return "";
    }
  }

  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(WatchedFiles::daemon);

  /**
   * Gives the reader what the files hold, now and after each change.
   *
   * @throws SettingsError if it cannot be used now
   */
  public void watch(List<SettingFile> files, Reader reader) {
    Watched watched = new Watched(files, reader);
    watched.load();
    var unused =
        timer.scheduleWithFixedDelay(watched::reload, PERIOD_MS, PERIOD_MS, TimeUnit.MILLISECONDS);
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "watched-files");
    thread.setDaemon(true);
    return thread;
  }

  /** Files that are taken together, as a certificate and its key. */
  private static final class Watched {
    private final List<SettingFile> files;
    private final Reader reader;

    /** What was last looked at, usable or not; empty after files that could not be read. */
    private List<byte[]> last = List.of();

    private String fault = "";

    Watched(List<SettingFile> files, Reader reader) {
      this.files = files;
      this.reader = reader;
    }

    /** Whether there was something new, and it can be used. */
    boolean load() {
      List<byte[]> now;
      try {
        now = files.stream().map(SettingFile::read).toList();
      } catch (SettingsError error) {
        last = List.of();
        throw error;
      }
      if (same(now, last)) {
        return false;
      }
      last = now;
      reader.take(now);
      return true;
    }

    void reload() {
      try {
        if (load() && !fault.isEmpty()) {
          logger.log(Level.WARNING, "{0}: can be used again", files.get(0).name());
          fault = "";
        }
      } catch (SettingsError error) {
        complain(error.getMessage());
      } catch (RuntimeException error) {
        // A schedule that throws is never run again. The text may quote the file: only the kind.
        complain(files.get(0).wrong("cannot be used: " + error.getClass()).getMessage());
      }
      if (!fault.isEmpty()) {
        reader.unusable();
      }
    }

    /** Once for each fault, however often it is looked at. */
    private void complain(String text) {
      if (!text.equals(fault)) {
        String kept = text + "; what was there before stays in use" + reader.kept();
        logger.log(Level.WARNING, "{0}", kept);
        fault = text;
      }
    }

    private static boolean same(List<byte[]> some, List<byte[]> others) {
      if (some.size() != others.size()) {
        return false;
      }
      for (int i = 0; i < some.size(); i++) {
        if (!Arrays.equals(some.get(i), others.get(i))) {
          return false;
        }
      }
      return true;
    }
  }
}
