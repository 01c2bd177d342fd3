package io.latecomer.services.wire;

/** Of messages, as the command line names it. */
public enum Compression {
  none,
  gzip
}
