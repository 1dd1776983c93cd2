package millrace.bench.streams;

import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Ids of events: UUIDv5 of (command id, index), as Millrace derives them. */
final class EventIds {
  private static final byte[] NAMESPACE = "millrace-events1".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] FIRST = "/event/0".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

  private final MessageDigest sha1;
  private final byte[] hash = new byte[20];
  private final byte[] text = new byte[36];

  EventIds() {
    try {
      sha1 = MessageDigest.getInstance("SHA-1");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-1", e);
    }
  }

  /** The id of a command's first and only event, good until the next one is asked for. */
  byte[] first(Slice commandId) {
    sha1.update(NAMESPACE);
    sha1.update(commandId.bytes, commandId.start, commandId.length);
    sha1.update(FIRST);
    try {
      sha1.digest(hash, 0, hash.length);
    } catch (DigestException e) {
      throw new IllegalStateException("twenty bytes hold a SHA-1", e);
    }
    hash[6] = (byte) (hash[6] & 0x0f | 0x50);
    hash[8] = (byte) (hash[8] & 0x3f | 0x80);
    int at = 0;
    for (int i = 0; i < 16; i++) {
      if (i == 4 || i == 6 || i == 8 || i == 10) {
        text[at++] = '-';
      }
      text[at++] = HEX[hash[i] >> 4 & 0xf];
      text[at++] = HEX[hash[i] & 0xf];
    }
    return text;
  }
}
