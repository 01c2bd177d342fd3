package io.latecomer.services.client;

import io.latecomer.services.security.SettingFile;
import io.latecomer.services.security.WatchedFiles;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/** A token in a file that somebody else keeps fresh, as Kubernetes does. */
public record TokenFile(SettingFile file) implements TokenSettings {
  @Override
  public String setting() {
    return file.setting();
  }

  @Override
  public Source open(WatchedFiles watch) {
    AtomicReference<String> last = new AtomicReference<>();
    watch.watch(
        List.of(file),
        contents -> {
          String text = new String(contents.get(0), StandardCharsets.UTF_8).strip();
          if (!TokenSettings.isToken(text)) {
            throw file.wrong("holds no token: one line without spaces is needed");
          }
          last.set(text);
        });
    return last::get;
  }
}
