package millrace.bench.streams;

import java.util.ArrayList;
import java.util.Currency;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** The rules of accounting that a command broke, with the words that Millrace has for them. */
final class Violations {
  /** One rule: its code, what would be right, and the field it is about (none if null). */
  record Violation(String code, String message, String field) {}

  private static final Set<String> CURRENCIES =
      Currency.getAvailableCurrencies().stream().map(Currency::getCurrencyCode).collect(Collectors.toUnmodifiableSet());
  private static final String ID_RULE = "an id is 1 to 64 characters of A-Z a-z 0-9 _ . : -";

  final List<Violation> found = new ArrayList<>(0);

  boolean none() {
    return found.isEmpty();
  }

  void clear() {
    if (!found.isEmpty()) {
      found.clear();
    }
  }

  private void add(String code, String message, String field) {
    found.add(new Violation(code, message, field));
  }

  void misrouted() {
    add(
        "Misrouted",
        "the record's key is not the command's routing key; set the record key to the routing key and, on librdkafka"
            + " clients, partitioner=murmur2_random",
        null);
  }

  void versionConflict(Slice aggregate, long version, long expected, boolean hasUserId) {
    String message =
        hasUserId
            ? "Account/" + aggregate + " does not have version " + expected + "; look at it again before you change it"
            : "Account/" + aggregate + " has version " + version + ", not " + expected;
    add("VersionConflict", message, "metadata.expected_version");
  }

  void notPermitted(String whose) {
    add("NotPermitted", "only " + whose + " may do this", "metadata.user_id");
  }

  void issuedTooFarAhead() {
    add(
        "InvalidArgument",
        "more than 300 seconds ahead of the time the command arrived",
        "metadata.issued_at");
  }

  boolean wellFormed(Slice id, String field) {
    boolean isId = id.isId();
    if (!isId) {
      add("InvalidArgument", field + " is not an id: " + ID_RULE, field);
    }
    return isId;
  }

  void taken(Slice accountId) {
    add("AlreadyExists", "account id " + accountId + " is taken, or was once; choose another", "account_id");
  }

  void notFound(Slice accountId) {
    add("NotFound", "there is no account " + accountId + "; open it first", "account_id");
  }

  void closed(Slice accountId) {
    add("InvalidState", "account " + accountId + " is closed, for good; use another", "account_id");
  }

  boolean positive(long amount) {
    if (amount <= 0) {
      add("InvalidArgument", "amount must be more than 0", "amount");
    }
    return amount > 0;
  }

  void insufficientFunds(long amount, long available) {
    add(
        "InsufficientFunds",
        amount
            + " is more than the "
            + available
            + " minor units (cents) available; what is set aside for transfers is not",
        "amount");
  }

  void tooMuchForAnother(long most) {
    add(
        "Overflow",
        "amount must not be more than "
            + most
            + " minor units (cents), the most that goes to another account at once; make several of it",
        "amount");
  }

  void overflow(long amount) {
    add(
        "Overflow",
        "with " + amount + " more the balance would be above " + Long.MAX_VALUE + ", the most an account can hold",
        "amount");
  }

  void knownCurrency(Slice code) {
    if (!CURRENCIES.contains(code.toString())) {
      add(
          "InvalidArgument",
          "currency is not a code of ISO 4217; write three capital letters such as EUR",
          "currency");
    }
  }

  void otherCurrency(Slice accountId, Slice has, Slice given) {
    String message =
        CURRENCIES.contains(given.toString())
            ? "account " + accountId + " is kept in " + has + ", not in " + given + "; amounts are not exchanged"
            : "currency is not a code of ISO 4217; account " + accountId + " is kept in " + has;
    add("InvalidArgument", message, "currency");
  }
}
