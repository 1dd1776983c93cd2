package millrace.bench.streams;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A part of somebody else's bytes. */
final class Slice {
  byte[] bytes;
  int start;
  int length;

  void set(byte[] bytes, int start, int length) {
    this.bytes = bytes;
    this.start = start;
    this.length = length;
  }

  byte[] copy() {
    return Arrays.copyOfRange(bytes, start, start + length);
  }

  boolean equalTo(Slice other) {
    return equalTo(other.bytes, other.start, other.length);
  }

  boolean equalTo(byte[] other) {
    return other != null && equalTo(other, 0, other.length);
  }

  private boolean equalTo(byte[] other, int from, int count) {
    return Arrays.equals(bytes, start, start + length, other, from, from + count);
  }

  /** 1 to 64 characters of A-Z a-z 0-9 _ . : - */
  boolean isId() {
    if (length < 1 || length > 64) {
      return false;
    }
    for (int i = start; i < start + length; i++) {
      byte b = bytes[i];
      boolean allowed = b >= 0 && ALLOWED[b];
      if (!allowed) {
        return false;
      }
    }
    return true;
  }

  private static final boolean[] ALLOWED = new boolean[128];

  static {
    for (char c : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-".toCharArray()) {
      ALLOWED[c] = true;
    }
  }

  @Override
  public String toString() {
    return new String(bytes, start, length, StandardCharsets.UTF_8);
  }
}
