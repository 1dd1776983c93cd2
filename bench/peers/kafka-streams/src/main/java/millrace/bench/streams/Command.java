package millrace.bench.streams;

/** A command, read in place: schemas/accounting/registered/commands.avsc. One object serves for all of them. */
final class Command {
  /** The branches of the union `data` that the benchmark sends. */
  static final int OPEN_ACCOUNT = 0;
  static final int DEPOSIT = 1;
  static final int WITHDRAW = 2;

  private final AvroIn in = new AvroIn();

  final Slice id = new Slice();
  final Slice userId = new Slice();
  boolean hasUserId;
  boolean hasIssuedAt;
  long issuedAt;
  boolean hasExpectedVersion;
  long expectedVersion;

  int kind;
  final Slice accountId = new Slice();
  final Slice ownerId = new Slice();
  final Slice currency = new Slice();
  long amount;

  /** Metadata as it was encoded: up to causation_id, and issued_at. Data without its branch: as in the event. */
  final Slice metadataBeforeCause = new Slice();
  final Slice issuedAtEncoded = new Slice();
  final Slice data = new Slice();

  private final Slice unused = new Slice();

  void read(byte[] message) {
    in.open(message);
    in.readString(id);
    int begin = in.at;
    in.readNullableString(unused); // trace_id
    hasUserId = in.readNullableString(userId);
    in.readNullableString(unused); // correlation_id
    metadataBeforeCause.set(message, begin, in.at - begin);
    in.readNullableString(unused); // causation_id
    begin = in.at;
    hasIssuedAt = in.readLong() != 0;
    issuedAt = hasIssuedAt ? in.readLong() : 0;
    issuedAtEncoded.set(message, begin, in.at - begin);
    hasExpectedVersion = in.readLong() != 0;
    expectedVersion = hasExpectedVersion ? in.readLong() : 0;
    kind = (int) in.readLong();
    data.set(message, in.at, message.length - in.at);
    in.readString(accountId);
    switch (kind) {
      case OPEN_ACCOUNT -> {
        in.readString(ownerId);
        in.readString(currency);
      }
      case DEPOSIT, WITHDRAW -> {
        amount = in.readLong();
        in.readString(currency);
        in.skipString(); // reference
      }
      default -> throw new IllegalArgumentException("a command that the benchmark does not send: " + kind);
    }
    if (in.at != message.length) {
      throw new IllegalArgumentException("bytes are left over behind the command");
    }
  }
}
