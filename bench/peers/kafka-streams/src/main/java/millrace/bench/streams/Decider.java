package millrace.bench.streams;

import java.time.Instant;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/**
 * Decides commands one by one: reads the account, checks every rule, writes the account, and forwards event and
 * outcome. A rejection is an outcome alone.
 */
final class Decider implements Processor<byte[], byte[], byte[], byte[]> {
  static final String ACCOUNTS = "accounts";
  static final String ANSWERS = "answers";
  static final String EVENTS = "events";
  static final String OUTCOMES = "outcomes";
  static final long WINDOW_MS = 3_600_000;

  private static final long AHEAD_MICROS = 300_000_000;
  private static final long MOST_FOR_ANOTHER = 1_000_000_000_000_000L;

  private final Records records;
  private final boolean remembers;
  private final Command command = new Command();
  private final Account account = new Account();
  private final Violations violations = new Violations();

  private ProcessorContext<byte[], byte[]> context;
  private KeyValueStore<byte[], byte[]> accounts;
  private WindowStore<byte[], byte[]> answers;
  private int partition;
  private long lastRecordedAt;

  Decider(Records records, boolean remembers) {
    this.records = records;
    this.remembers = remembers;
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> context) {
    this.context = context;
    accounts = context.getStateStore(ACCOUNTS);
    answers = remembers ? context.getStateStore(ANSWERS) : null;
    partition = context.taskId().partition();
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    command.read(record.value());
    if (!command.id.isId()) {
      throw new IllegalArgumentException("the command's id is none: " + command.id);
    }
    if (remembers && repeat(record)) {
      return;
    }
    // the key is the account's id; what is not goes no further
    byte[] key = record.key();
    violations.clear();
    boolean exists = false;
    if (!command.accountId.equalTo(key)) {
      violations.misrouted();
    } else {
      byte[] stored = accounts.get(key);
      exists = stored != null;
      if (exists) {
        account.read(stored);
      }
      decide(record, exists);
    }
    if (violations.none()) {
      accept(record, key, exists);
    } else {
      answer(record, records.rejected(command, violations, tick()));
    }
  }

  private void decide(Record<byte[], byte[]> record, boolean exists) {
    long version = exists ? account.version : 0;
    if (command.hasExpectedVersion && command.expectedVersion != version) {
      violations.versionConflict(command.accountId, version, command.expectedVersion, command.hasUserId);
      return;
    }
    switch (command.kind) {
      case Command.OPEN_ACCOUNT -> open(record, exists);
      case Command.DEPOSIT -> deposit(record, exists);
      default -> withdraw(record, exists);
    }
  }

  private void open(Record<byte[], byte[]> record, boolean exists) {
    boolean permitted = permitted(command.ownerId, "the user named in owner_id");
    issuedInTime(record);
    if (violations.wellFormed(command.accountId, "account_id") && exists && permitted) {
      violations.taken(command.accountId);
    }
    violations.wellFormed(command.ownerId, "owner_id");
    violations.knownCurrency(command.currency);
  }

  private void deposit(Record<byte[], byte[]> record, boolean exists) {
    issuedInTime(record);
    existsAndIsOpen(exists);
    if (violations.positive(command.amount) && exists) {
      if (command.amount > MOST_FOR_ANOTHER && isAnothers(account.ownerId)) {
        violations.tooMuchForAnother(MOST_FOR_ANOTHER);
      } else if (account.currency.equalTo(command.currency) && account.balance > Long.MAX_VALUE - command.amount) {
        violations.overflow(command.amount);
      }
    }
    sameCurrency(exists);
  }

  private void withdraw(Record<byte[], byte[]> record, boolean exists) {
    if (exists && !permitted(account.ownerId, "the owner of the account")) {
      // of what is another's nothing is said that is not wrong with any account
      issuedInTime(record);
      violations.positive(command.amount);
      sameCurrency(false);
      return;
    }
    issuedInTime(record);
    existsAndIsOpen(exists);
    if (violations.positive(command.amount) && exists && command.amount > account.available()) {
      violations.insufficientFunds(command.amount, account.available());
    }
    sameCurrency(exists);
  }

  private boolean isAnothers(Slice owner) {
    return command.hasUserId && !command.userId.equalTo(owner);
  }

  private boolean permitted(Slice owner, String whose) {
    boolean isAnothers = isAnothers(owner);
    if (isAnothers) {
      violations.notPermitted(whose);
    }
    return !isAnothers;
  }

  private void issuedInTime(Record<byte[], byte[]> record) {
    if (command.hasIssuedAt && command.issuedAt > record.timestamp() * 1_000 + AHEAD_MICROS) {
      violations.issuedTooFarAhead();
    }
  }

  private void existsAndIsOpen(boolean exists) {
    if (violations.wellFormed(command.accountId, "account_id") && !exists) {
      violations.notFound(command.accountId);
    }
    if (exists && account.closed) {
      violations.closed(command.accountId);
    }
  }

  private void sameCurrency(boolean exists) {
    if (!exists) {
      violations.knownCurrency(command.currency);
    } else if (!account.currency.equalTo(command.currency)) {
      violations.otherCurrency(command.accountId, account.currency, command.currency);
    }
  }

  private void accept(Record<byte[], byte[]> record, byte[] key, boolean exists) {
    if (!exists) {
      account.open(key, command.ownerId, command.currency);
    }
    switch (command.kind) {
      case Command.DEPOSIT -> account.balance += command.amount;
      case Command.WITHDRAW -> account.balance -= command.amount;
      default -> {}
    }
    account.version++;
    account.recordedAt = tick();
    accounts.put(key, records.state(account));
    long offset = context.recordMetadata().map(RecordMetadata::offset).orElse(-1L);
    long at = account.recordedAt;
    byte[] event = records.event(command, account.version, offset, at);
    context.forward(new Record<>(key, event, at / 1_000, record.headers()), EVENTS);
    answer(record, records.accepted(command, account.version, partition, offset, at));
  }

  private void answer(Record<byte[], byte[]> record, byte[] outcome) {
    byte[] id = command.id.copy();
    if (remembers) {
      answers.put(id, outcome, lastRecordedAt / 1_000);
    }
    context.forward(new Record<>(id, outcome, lastRecordedAt / 1_000, record.headers()), OUTCOMES);
  }

  /** Answers a command whose id was answered within the last hour as it was answered then. */
  private boolean repeat(Record<byte[], byte[]> record) {
    long now = context.currentSystemTimeMs();
    byte[] id = command.id.copy();
    try (WindowStoreIterator<byte[]> found =
        answers.fetch(id, Instant.ofEpochMilli(now - WINDOW_MS), Instant.ofEpochMilli(now + 1))) {
      if (!found.hasNext()) {
        return false;
      }
      byte[] again = records.repeated(command, found.next().value);
      context.forward(new Record<>(id, again, now, record.headers()), OUTCOMES);
      return true;
    }
  }

  /** The next recorded_at: never before the clock or the partition's last. */
  private long tick() {
    lastRecordedAt = Math.max(context.currentSystemTimeMs() * 1_000, lastRecordedAt + 1);
    return lastRecordedAt;
  }
}
