package millrace.bench.streams;

import java.util.Arrays;

/** Writes Avro's binary form into a buffer that is kept from message to message. */
final class AvroOut {
  private byte[] bytes = new byte[512];
  private int at;

  /** Begins a message in the registry's wire format. */
  AvroOut begin(int schemaId) {
    at = 0;
    room(AvroIn.HEADER);
    bytes[at++] = 0;
    bytes[at++] = (byte) (schemaId >>> 24);
    bytes[at++] = (byte) (schemaId >>> 16);
    bytes[at++] = (byte) (schemaId >>> 8);
    bytes[at++] = (byte) schemaId;
    return this;
  }

  AvroOut writeLong(long value) {
    room(10);
    long raw = (value << 1) ^ (value >> 63);
    while ((raw & ~0x7fL) != 0) {
      bytes[at++] = (byte) (raw | 0x80);
      raw >>>= 7;
    }
    bytes[at++] = (byte) raw;
    return this;
  }

  AvroOut writeBoolean(boolean value) {
    room(1);
    bytes[at++] = (byte) (value ? 1 : 0);
    return this;
  }

  AvroOut writeString(byte[] text) {
    writeLong(text.length);
    return raw(text, 0, text.length);
  }

  AvroOut writeString(Slice text) {
    writeLong(text.length);
    return raw(text.bytes, text.start, text.length);
  }

  /** One string made of two parts. */
  AvroOut writeString(byte[] first, Slice second) {
    writeLong(first.length + second.length);
    raw(first, 0, first.length);
    return raw(second.bytes, second.start, second.length);
  }

  /** Bytes that are in Avro's form already. */
  AvroOut raw(byte[] from, int start, int length) {
    room(length);
    System.arraycopy(from, start, bytes, at, length);
    at += length;
    return this;
  }

  /** The message. */
  byte[] end() {
    return Arrays.copyOf(bytes, at);
  }

  private void room(int more) {
    if (at + more > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, at + more));
    }
  }
}
