package io.latecomer.services.wire;

import io.grpc.Codec;
import io.grpc.DecompressorRegistry;

/** Of messages, as the command line names it. */
public enum Compression {
  none,
  gzip;

  /**
   * What a side unpacks. gRPC bounds it by the size that a message may have; where it is not asked
   * for, the sender of a packed message is told UNIMPLEMENTED.
   */
  public DecompressorRegistry unpacked() {
    DecompressorRegistry plain =
        DecompressorRegistry.emptyInstance().with(Codec.Identity.NONE, false);
    return switch (this) {
      case none -> plain;
      case gzip -> plain.with(new Codec.Gzip(), true);
    };
  }
}
