package millrace.bench.streams;

/** Reads Avro's binary form in place: nothing is copied, and one object serves for all messages. */
final class AvroIn {
  /** Magic byte and schema id of the registry's wire format. */
  static final int HEADER = 5;

  byte[] bytes;
  int at;

  /** Begins with a message in the wire format, behind its header. */
  void open(byte[] message) {
    if (message == null || message.length < HEADER || message[0] != 0) {
      throw new IllegalArgumentException("not Avro in the registry's wire format");
    }
    bytes = message;
    at = HEADER;
  }

  /** An int or a long: zigzag, seven bits a byte. */
  long readLong() {
    byte b = bytes[at++];
    long raw = b & 0x7f;
    for (int shift = 7; b < 0; shift += 7) {
      b = bytes[at++];
      raw |= (long) (b & 0x7f) << shift;
    }
    return (raw >>> 1) ^ -(raw & 1);
  }

  boolean readBoolean() {
    return bytes[at++] != 0;
  }

  /** Where a string lies; this goes on behind it. */
  void readString(Slice slice) {
    int length = (int) readLong();
    slice.set(bytes, at, length);
    at += length;
  }

  void skipString() {
    int length = (int) readLong();
    at += length;
  }

  /** A nullable string: whether it is there, and where. */
  boolean readNullableString(Slice slice) {
    if (readLong() == 0) {
      return false;
    }
    readString(slice);
    return true;
  }
}
