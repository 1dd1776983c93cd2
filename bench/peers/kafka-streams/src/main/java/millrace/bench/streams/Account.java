package millrace.bench.streams;

/**
 * An account as the store keeps it: the very bytes of the state topic, schemas/accounting/registered/state.avsc. It is read in
 * place, and one object serves for all accounts of a task, which works on one record at a time.
 */
final class Account {
  private static final byte[] PREFIX = {'A', 'c', 'c', 'o', 'u', 'n', 't', '/'};
  /** The fields transfer, process, inbox, dead_step and parked_key, all null. */
  private static final byte[] NO_OTHER_KIND = new byte[5];

  long version;
  long recordedAt;
  final Slice aggregateId = new Slice();
  final Slice ownerId = new Slice();
  final Slice currency = new Slice();
  long balance;
  long reservedTotal;
  boolean closed;

  private static final byte[] NOTHING_RESERVED = {0};

  /** What is reserved, as it was encoded. */
  private final Slice reserved = new Slice();

  private final AvroIn in = new AvroIn();
  private final Slice unused = new Slice();

  long available() {
    return balance - reservedTotal;
  }

  /** A new account, empty. Its id is the key's. */
  void open(byte[] accountId, Slice owner, Slice inCurrency) {
    byte[] id = new byte[PREFIX.length + accountId.length];
    System.arraycopy(PREFIX, 0, id, 0, PREFIX.length);
    System.arraycopy(accountId, 0, id, PREFIX.length, accountId.length);
    aggregateId.set(id, 0, id.length);
    ownerId.set(owner.bytes, owner.start, owner.length);
    currency.set(inCurrency.bytes, inCurrency.start, inCurrency.length);
    reserved.set(NOTHING_RESERVED, 0, 1);
    version = 0;
    balance = 0;
    reservedTotal = 0;
    closed = false;
  }

  /** As it was stored. */
  void read(byte[] message) {
    in.open(message);
    in.readString(aggregateId);
    version = in.readLong();
    recordedAt = in.readLong();
    in.readLong(); // revision
    if (in.readLong() == 0) {
      throw new IllegalArgumentException("the state of something other than an account");
    }
    in.readString(ownerId);
    in.readString(currency);
    balance = in.readLong();
    int begin = in.at;
    reservedTotal = 0;
    for (long count = in.readLong(); count != 0; count = in.readLong()) {
      if (count < 0) {
        in.readLong();
        count = -count;
      }
      for (; count > 0; count--) {
        in.readString(unused);
        reservedTotal += in.readLong();
      }
    }
    reserved.set(message, begin, in.at - begin);
    closed = in.readBoolean();
  }

  /** As it is to be stored. */
  byte[] write(AvroOut out, int schemaId) {
    return out.begin(schemaId)
        .writeString(aggregateId)
        .writeLong(version)
        .writeLong(recordedAt)
        .writeLong(0) // revision
        .writeLong(1)
        .writeString(ownerId)
        .writeString(currency)
        .writeLong(balance)
        .raw(reserved.bytes, reserved.start, reserved.length)
        .writeBoolean(closed)
        .raw(NO_OTHER_KIND, 0, NO_OTHER_KIND.length)
        .end();
  }
}
