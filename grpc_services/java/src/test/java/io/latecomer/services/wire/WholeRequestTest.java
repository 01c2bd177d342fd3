package io.latecomer.services.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

final class WholeRequestTest {
  private static byte[] members(int count) throws IOException {
    ByteArrayOutputStream member = new ByteArrayOutputStream();
    new GZIPOutputStream(member).close();
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (int i = 0; i < count; i++) {
      member.writeTo(all);
    }
    return all.toByteArray();
  }

  private static WholeRequest read(byte[] packed) throws IOException {
    return WholeRequest.of(new GZIPInputStream(new ByteArrayInputStream(packed)), 1 << 20);
  }

  @Test
  void aFewMembersAreRead() throws IOException {
    assertEquals(0, read(members(10)).available());
  }

  @Test
  void membersWithoutNumberAreRefusedAndOverflowNoStack() throws IOException {
    byte[] packed = members(200_000);
    RequestError error = assertThrows(RequestError.class, () -> read(packed));
    assertEquals("request: these bytes are not gzip", error.getMessage());
  }
}
