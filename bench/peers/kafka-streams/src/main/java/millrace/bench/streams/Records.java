package millrace.bench.streams;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Events and outcomes as bytes: schemas/accounting/registered/events.avsc and outcomes.avsc. */
final class Records {
  private static final byte[] ACCOUNT = "Account/".getBytes(StandardCharsets.US_ASCII);
  private static final int ACCEPTED = 0;
  private static final int REJECTED = 1;
  /** Types of commands by the number of their branch, and what their rejections are called. */
  private static final byte[][] TYPES = {ascii("OpenAccount"), ascii("Deposit"), ascii("Withdraw")};
  private static final byte[][] FAILURES = {null, null, ascii("WithdrawalFailed")};

  private final Schemas schemas;
  private final byte[] commandsTopic;
  private final EventIds ids = new EventIds();
  private final AvroOut out = new AvroOut();
  private final MessageDigest sha256;

  Records(Schemas schemas, String commandsTopic) {
    this.schemas = schemas;
    this.commandsTopic = commandsTopic.getBytes(StandardCharsets.UTF_8);
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException every) {
      throw new IllegalStateException("every Java has SHA-256", every);
    }
  }

  byte[] state(Account account) {
    return account.write(out, schemas.state());
  }

  /** The event of an accepted command. Its data are the command's own, and so is the number of the branch. */
  byte[] event(Command command, long version, long offset, long recordedAt) {
    Slice before = command.metadataBeforeCause;
    Slice issuedAt = command.issuedAtEncoded;
    return out.begin(schemas.events())
        .writeString(ids.first(command.id))
        .raw(before.bytes, before.start, before.length)
        .writeLong(1)
        .writeString(command.id)
        .raw(issuedAt.bytes, issuedAt.start, issuedAt.length)
        .writeLong(0)
        .writeString(ACCOUNT, command.accountId)
        .writeLong(version)
        .writeString(command.id)
        .writeLong(offset)
        .writeLong(recordedAt)
        .writeLong(command.kind)
        .raw(command.data.bytes, command.data.start, command.data.length)
        .end();
  }

  byte[] accepted(Command command, long version, int partition, long offset, long recordedAt) {
    out.begin(schemas.outcomes())
        .writeString(command.id)
        .writeLong(ACCEPTED)
        .writeBoolean(false)
        .writeLong(1)
        .writeString(commandsTopic)
        .writeLong(partition)
        .writeLong(offset)
        .writeLong(0) // epoch
        .writeLong(0)
        .writeLong(1)
        .writeString(ACCOUNT, command.accountId)
        .writeLong(version)
        .writeLong(0)
        .writeLong(0)
        .writeLong(recordedAt);
    return asked(command, null, true);
  }

  byte[] rejected(Command command, Violations violations, long recordedAt) {
    out.begin(schemas.outcomes())
        .writeString(command.id)
        .writeLong(REJECTED)
        .writeBoolean(false)
        .writeLong(0)
        .writeLong(0)
        .writeLong(violations.found.size());
    for (Violations.Violation violation : violations.found) {
      text(violation.code());
      text(violation.message());
      out.writeLong(violation.field() == null ? 0 : 1);
      if (violation.field() != null) {
        text(violation.field());
      }
    }
    out.writeLong(0).writeLong(recordedAt);
    boolean isMisrouted = violations.found.get(0).code().equals("Misrouted");
    return asked(command, isMisrouted ? null : FAILURES[command.kind], !isMisrouted);
  }

  /** What an outcome says of its command: type, what its rejection is called, and SHA-256 of type and data. */
  private byte[] asked(Command command, byte[] failure, boolean isFirst) {
    byte[] type = TYPES[command.kind];
    out.writeLong(1).writeString(type).writeLong(failure == null ? 0 : 1);
    if (failure != null) {
      out.writeString(failure);
    }
    out.writeLong(isFirst ? 1 : 0);
    if (isFirst) {
      sha256.update(type);
      sha256.update((byte) 0);
      sha256.update(command.data.bytes, command.data.start, command.data.length);
      out.writeString(sha256.digest());
    }
    return out.end();
  }

  /** The first answer again, marked as a repetition. */
  byte[] repeated(Command command, byte[] first) {
    byte[] again = first.clone();
    // behind the header: the id with its length of one byte, and the status in one byte
    again[AvroIn.HEADER + 1 + command.id.length + 1] = 1;
    return again;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private void text(String text) {
    out.writeString(text.getBytes(StandardCharsets.UTF_8));
  }
}
