import io.latecomer.services.Main;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Runs the Java client many times in one machine: a line is the files for its output and errors, and its arguments. */
public final class Asks {
  public static void main(String[] args) throws Exception {
    PrintStream console = System.out;
    PrintStream errors = System.err;
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String line;
    while ((line = lines.readLine()) != null) {
      String[] words = line.split("\t");
      int status;
      try (PrintStream out = new PrintStream(words[0], StandardCharsets.UTF_8);
          PrintStream err = new PrintStream(words[1], StandardCharsets.UTF_8)) {
        System.setOut(out);
        System.setErr(err);
        status = Main.run(Arrays.copyOfRange(words, 2, words.length));
      } finally {
        System.setOut(console);
        System.setErr(errors);
      }
      console.println(status);
    }
  }
}
