// Made from schemas/ by `make schemas`; change those instead.

/** A 64-bit whole number in an answer to `Accept: application/json; longs=string`: its digits. */
export type Long = string;

/** An instant: microseconds since the epoch, or RFC 3339 with an offset. */
export type Instant = bigint | string;

/** A secret: as it is, for the gateway to seal, or a sealed box in base64. */
export type Sealed = { readonly plaintext: string } | string;

/** What a view's rows are found and told apart by. */
export interface ViewKey {
  /** The columns that name which rows are meant. */
  readonly partition: readonly string[];
  /** The columns behind them, in the order of the rows; a `-` in front: descending. */
  readonly clustering: readonly string[];
  /** Those of them that are numbers, and are ordered as such. */
  readonly numbers: readonly string[];
}

/** What each command holds, by domain and type. */
export interface Commands {
  /** Open an account, empty. Routing key: account_id. */
  'accounting/OpenAccount': {
    /** The account's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    account_id: string;
    /** The user whose account it is: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    owner_id: string;
    /** The currency the account is kept in: an ISO 4217 code such as EUR. */
    currency: string;
  };
  /** Pay money in from outside; anybody may. Routing key: account_id. */
  'accounting/Deposit': {
    /** The account's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    account_id: string;
    /** How much, in minor units of the currency (cents); more than 0. */
    amount: bigint;
    /** The account's currency, an ISO 4217 code: a check that the amount is meant in it. */
    currency: string;
    /** The payer's or payee's own words for it: one line of at most 140 characters; may be empty. */
    reference: string;
  };
  /** Pay money out of what is available. Routing key: account_id. */
  'accounting/Withdraw': {
    /** The account's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    account_id: string;
    /** How much, in minor units of the currency (cents); more than 0. */
    amount: bigint;
    /** The account's currency, an ISO 4217 code: a check that the amount is meant in it. */
    currency: string;
    /** The payer's or payee's own words for it: one line of at most 140 characters; may be empty. */
    reference: string;
  };
  /** Move money from one account to another; answered when it has arrived, or come back. Routing key: transfer_id. */
  'accounting/Transfer': {
    /** The transfer's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    transfer_id: string;
    /** The account the money comes from; its owner's command. */
    from: string;
    /** The account the money goes to. */
    to: string;
    /** How much, in minor units of the currency (cents); more than 0. */
    amount: bigint;
    /** The currency of both accounts, an ISO 4217 code. */
    currency: string;
  };
  /** Close an empty account for good; its id stays taken. Routing key: account_id. */
  'accounting/CloseAccount': {
    /** The account's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    account_id: string;
  };
  /** Begin a calendar, without slots. Routing key: calendar_id. */
  'calendar/CreateCalendar': {
    /** The calendar's id, which is its owner's user id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    calendar_id: string;
  };
  /** Put a slot into a calendar, where nothing else is. Routing key: calendar_id. */
  'calendar/ScheduleTimeslot': {
    /** The calendar's id, which is its owner's user id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    calendar_id: string;
    /** The slot's id, unique within its calendar: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    timeslot_id: string;
    /** What it is: one line, not blank. */
    title: string;
    /** The first instant that belongs to it. */
    start: Instant;
    /** The first instant behind it; at most 31 days after start. */
    end: Instant;
    /** Where it is: one line, not blank where it is given. */
    location?: string | null;
    /** More about it: prose, not blank where it is given. */
    description?: string | null;
  };
  /** Move a slot of a calendar to where nothing else is. Routing key: calendar_id. */
  'calendar/RescheduleTimeslot': {
    /** The calendar's id, which is its owner's user id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    calendar_id: string;
    /** The slot's id, unique within its calendar: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    timeslot_id: string;
    /** The first instant that belongs to it. */
    start: Instant;
    /** The first instant behind it; at most 31 days after start. */
    end: Instant;
  };
  /** Take a slot out of a calendar; its id stays taken. Routing key: calendar_id. */
  'calendar/RemoveScheduledTimeslot': {
    /** The calendar's id, which is its owner's user id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    calendar_id: string;
    /** The slot's id, unique within its calendar: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    timeslot_id: string;
  };
  /** End a calendar for good, and all slots with it. Routing key: calendar_id. */
  'calendar/RemoveCalendar': {
    /** The calendar's id, which is its owner's user id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    calendar_id: string;
  };
  /** Make a user known under a name nobody else has. Routing key: user_id. */
  'chirp/RegisterUser': {
    /** The user's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    user_id: string;
    /** The name as the user wrote it: 3 to 20 characters of A-Z a-z 0-9 _; unique whatever its case. */
    username: string;
  };
  /** Publish a chirp. Routing key: author_id. */
  'chirp/PostChirp': {
    /** The chirp's id, unique among its author's chirps. */
    chirp_id: string;
    /** The user whose chirp it is. */
    author_id: string;
    /** The text: 1 to 280 Unicode scalar values, not blank. */
    content: string;
  };
  /** Replace the text of a chirp; its place in the feeds stays. Routing key: author_id. */
  'chirp/EditChirp': {
    /** The chirp's id, unique among its author's chirps. */
    chirp_id: string;
    /** The user whose chirp it is. */
    author_id: string;
    /** The new text: 1 to 280 Unicode scalar values, not blank. */
    content: string;
  };
  /** Take a chirp back for good; its id stays taken. Routing key: author_id. */
  'chirp/DeleteChirp': {
    /** The chirp's id, unique among its author's chirps. */
    chirp_id: string;
    /** The user whose chirp it is. */
    author_id: string;
  };
  /** See a user's chirps in one's feed. Routing key: followee_id. */
  'chirp/FollowUser': {
    /** The user who wants to read. */
    follower_id: string;
    /** The user whose chirps are to be read. */
    followee_id: string;
  };
  /** See a user's chirps no longer. Routing key: followee_id. */
  'chirp/UnfollowUser': {
    /** The user who reads. */
    follower_id: string;
    /** The user whose chirps are read. */
    followee_id: string;
  };
  /** Ask a team how large something of its project is; owners and admins may. Routing key: estimation_id. */
  'estimation/OpenEstimation': {
    /** The estimation's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    estimation_id: string;
    /** The project that it belongs to. */
    project_id: string;
    /** The team that works on the project, whose members estimate. */
    team_id: string;
    /** What is to be estimated: one line, not blank. */
    title: string;
    /** What may be estimated: fibonacci (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89), t-shirt (1 to 6 for XS, S, M, L, XL, XXL), or 2 to 50 whole numbers from 0 to 1000000, rising, parted by commas, as 1,2,4,8. */
    scale: string;
  };
  /** Say how large it is, in secret until the estimation is closed; a later one of the same member takes the place of an earlier one. Routing key: estimation_id. */
  'estimation/SubmitEstimate': {
    /** The estimation's id. */
    estimation_id: string;
    /** Its project. */
    project_id: string;
    /** Its team. */
    team_id: string;
    /** Who estimates: an owner, admin or member of the team, for themselves. */
    member_id: string;
    /** One of the values of the scale. */
    points: bigint;
  };
  /** Turn up all estimates, at least two; owners and admins may. Routing key: estimation_id. */
  'estimation/CloseEstimation': {
    /** The estimation's id. */
    estimation_id: string;
    /** Its project. */
    project_id: string;
    /** Its team. */
    team_id: string;
  };
  /** Begin another round, without the estimates of the last one; owners and admins may. Routing key: estimation_id. */
  'estimation/ReopenEstimation': {
    /** The estimation's id. */
    estimation_id: string;
    /** Its project. */
    project_id: string;
    /** Its team. */
    team_id: string;
  };
  /** A guest signs the book, once. */
  'guestbook/Sign': {
    /** Who signs. */
    guest_id: string;
    /** What they write. */
    text: string;
  };
  /** Add a user. A verified address must not be another user's, whatever its case; one that is not verified is claimed by nobody. Routing key: user_id. */
  'identity/AddUser': {
    /** The user's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    user_id: string;
    /** What the issuer of tokens calls the user: one line, not blank. */
    auth0_id: string;
    /** The user's address, as they write it. */
    email: string;
    /** Whether its issuer has verified that the address is the user's. Only then is it claimed. */
    email_verified: boolean;
    /** The name by which the user is called: one line; empty where it is not known. */
    first_name: string;
    /** The rest of the name: one line; empty for those who have one name only. */
    last_name: string;
    /** The http or https address of a picture of the user; empty: none. */
    picture: string;
    /** The user's language and country, a tag of BCP 47 such as de-AT; empty: none. */
    locale: string;
  };
  /** Change what is known of a user: the fields that are given, and no others. It also claims the user's address under keys of pseudonyms that have come since, and gives up claims under keys that are gone. Routing key: user_id. */
  'identity/UpdateUser': {
    /** The user's id. */
    user_id: string;
    /** The new address. */
    email?: string | null;
    /** Whether the issuer has verified the address. If it is not given, another address is not verified, and the same one is what it was. */
    email_verified?: boolean | null;
    /** The name by which the user is called: one line; empty where it is not known. */
    first_name?: string | null;
    /** The rest of the name: one line, may be empty. */
    last_name?: string | null;
    /** The http or https address of a picture; empty: none from now on. */
    picture?: string | null;
    /** A tag of BCP 47 such as de-AT; empty: none from now on. */
    locale?: string | null;
  };
  /** Remove a user, for good: the address is free for others, the id is not. Routing key: user_id. */
  'identity/RemoveUser': {
    /** The user's id. */
    user_id: string;
  };
  /** Give a user access to an accounting service by a token, which is sealed before it is sent: nobody here can read it. Routing key: user_id. */
  'identity/EnableAccounting': {
    /** The user's id. */
    user_id: string;
    /** The token in a sealed box for the deployment's public key. It is kept in no event and no state. */
    sealed_token: Sealed;
    /** What tells this token from another one: 43 characters of base64url, made by whoever has sealed it. */
    fingerprint?: string;
  };
  /** Place an order; its user's command. Routing key: order_id. */
  'orders/CreateOrder': {
    /** The order's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    order_id: string;
    /** The user whose order it is: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    user_id: string;
    /** What it comes to, in minor units (cents); more than 0. */
    total: bigint;
  };
  /** Say that an order is on its way; the shop's command, so anybody's who may send it. Routing key: order_id. */
  'orders/ShipOrder': {
    /** The order's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    order_id: string;
    /** Who carries it: one line, not blank. */
    carrier: string;
    /** The carrier's number for it: one line, not blank. */
    tracking_number: string;
    /** When it left; now, if that is not said. */
    shipped_at?: Instant | null;
  };
  /** Take back an order that has not been shipped; its user's command. Routing key: order_id. */
  'orders/CancelOrder': {
    /** The order's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    order_id: string;
    /** Why, in somebody's own words; not blank where it is given. */
    reason?: string | null;
  };
  /** Make a user a member of a team. The owner of a team that nobody has founded founds it. Routing key: user_id. */
  'projects/CreateMembership': {
    /** A label of the membership; it is known by user and team. */
    membership_id: string;
    /** The team's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    team_id: string;
    /** Who is to be a member: a user of identity. */
    user_id: string;
    /** owner, admin, member or viewer. */
    role: string;
  };
  /** Make a user a member of the team of a project, for as long as there is the project. Routing key: user_id. */
  'projects/CreateMembershipForProject': {
    /** The project through which the membership is given. */
    project_id: string;
    /** A label of the membership; it is known by user and team. */
    membership_id: string;
    /** The project's team. */
    team_id: string;
    /** Who is to be a member: a user of identity. */
    user_id: string;
    /** owner, admin, member or viewer. */
    role: string;
  };
  /** Give a member of a team another role. Routing key: user_id. */
  'projects/UpdateMembership': {
    /** The team's id. */
    team_id: string;
    /** Whose role it is. */
    user_id: string;
    /** owner, admin, member or viewer. */
    role: string;
  };
  /** End a membership; everybody but an owner may also end their own. Routing key: user_id. */
  'projects/DeleteMembership': {
    /** The team's id. */
    team_id: string;
    /** Who is to be a member no more. */
    user_id: string;
  };
  /** Begin a project: a team's, or a user's alone. Routing key: project_id. */
  'projects/CreateProject': {
    /** The project's id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    project_id: string;
    /** What it is called: one line, not blank. */
    name: string;
    /** What its tasks are numbered with: 2 to 6 letters of A-Z. */
    prefix: string;
    /** More about it: prose; empty: none. */
    description: string;
    /** Whose it is: a user of identity. */
    user_id: string;
    /** The team that works on it; empty: none, it is the user's alone. */
    team_id: string;
    /** Whether it is being worked on; pages show those first. Nothing is refused for it. */
    active: boolean;
    /** Whether everybody may read it; else its team may, or its user. */
    public: boolean;
    /** The columns of its board, from left to right: 1 to 50 different names, each one line. */
    column_order: readonly (string)[];
  };
  /** Change what is known of a project: the fields that are given, and no others. Routing key: project_id. */
  'projects/UpdateProject': {
    /** The project's id. */
    project_id: string;
    /** The new name. */
    name?: string | null;
    /** The new prefix of its tasks. */
    prefix?: string | null;
    /** The new description; empty: none from now on. */
    description?: string | null;
    /** Whose it is from now on. */
    user_id?: string | null;
    /** The team that works on it from now on; empty: none. */
    team_id?: string | null;
    /** Whether it is being worked on. */
    active?: boolean | null;
    /** Whether everybody may read it. */
    public?: boolean | null;
    /** The columns of its board from now on. Tasks of a column that is no more are shown in the first one. */
    column_order?: readonly (string)[] | null;
  };
  /** End a project for good, its tasks with it, and every membership that was given through it. Routing key: project_id. */
  'projects/DeleteProject': {
    /** The project's id. */
    project_id: string;
  };
  /** Put a card on the board of a project. Routing key: project_id. */
  'projects/CreateTask': {
    /** The project's id. */
    project_id: string;
    /** The task's id, unique within its project: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
    task_id: string;
    /** What is to be done: one line, not blank. */
    title: string;
    /** One of the project's columns. */
    column: string;
    /** Where it stands in the column: 1 to 64 of 0-9 A-Z a-z, compared byte by byte; equal ranks go by task_id. */
    rank: string;
  };
  /** Move a card that stands where its sender has seen it: metadata.expected_version is the task's version, and must be given. Routing key: project_id. */
  'projects/MoveTask': {
    /** The project's id. */
    project_id: string;
    /** The task's id. */
    task_id: string;
    /** One of the project's columns. */
    column: string;
    /** Where it stands in the column: 1 to 64 of 0-9 A-Z a-z, compared byte by byte; equal ranks go by task_id. */
    rank: string;
  };
  /** Say anew what a card is about. Routing key: project_id. */
  'projects/RenameTask': {
    /** The project's id. */
    project_id: string;
    /** The task's id. */
    task_id: string;
    /** What is to be done: one line, not blank. */
    title: string;
  };
  /** Take a card off the board for good; its id stays taken. Routing key: project_id. */
  'projects/DeleteTask': {
    /** The project's id. */
    project_id: string;
    /** The task's id. */
    task_id: string;
  };
}

/** A row of each view, by domain and view. */
export interface Rows {
  /** What is in an account now: every account ever opened, also closed ones. */
  'accounting/account_balances': {
    /** The account's id. */
    account_id: string;
    /** The user whose account it is. */
    owner_id: string;
    /** The currency it is kept in, an ISO 4217 code. */
    currency: string;
    /** What is in it, with what is reserved for transfers under way. */
    balance: Long;
    /** What its owner can dispose of now: the balance less what is reserved. */
    available: Long;
    /** OPEN or CLOSED. */
    status: string;
    /** The account's version that this row shows; what a command may expect. */
    version: Long;
  };
  /** Every entry of an account, newest first, with running balance, in buckets of at most 500: all that moves or holds money, and its opening and closing. */
  'accounting/account_statements': {
    /** The account's id. */
    account_id: string;
    /** The account's version after this entry. Not every version is an entry: what was refused is none. */
    version: Long;
    /** What happened, by the name of the event: AccountOpened, MoneyDeposited, MoneyWithdrawn, FundsReserved, TransferCredited, ReservationSettled, ReservationReleased or AccountClosed. */
    entry: string;
    /** Nullable until set: how much, always more than 0; the entry says which way. Null where no money is involved. */
    amount: Long | null;
    /** The account's currency, an ISO 4217 code. */
    currency: string;
    /** What was in the account after this entry, with what was reserved. */
    balance: Long;
    /** What its owner could dispose of after this entry: the balance less what was reserved. */
    available: Long;
    /** Nullable until set: the words that came with a deposit or withdrawal. */
    reference: string | null;
    /** Nullable until set: the transfer it belongs to. */
    transfer_id: string | null;
    /** Nullable until set: the account at the other end of the transfer. */
    counterparty: string | null;
    /** When it happened. */
    recorded_at: Long;
  };
  /** What came in and went out on a day: the sum of the rows. Transfers are neither. Bound: one row a source partition. */
  'accounting/daily_totals': {
    /** The UTC day on which it was recorded, as YYYY-MM-DD. */
    day: string;
    /** The currency, an ISO 4217 code. */
    currency: string;
    /** The partition in which the accounts are; sum over all of them. */
    source_partition: number;
    /** What was paid in that day; an absolute number. The greatest bigint stands for that much or more. */
    deposits: Long;
    /** What was paid out that day; an absolute number. The greatest bigint stands for that much or more. */
    withdrawals: Long;
  };
  /** The slots of a calendar by their start, latest first, a bucket a month. */
  'calendar/calendar_timeslots': {
    /** The calendar, by its owner's user id. */
    calendar_id: string;
    /** The first instant that belongs to the slot. */
    start: Long;
    /** The slot's id, unique within its calendar. */
    timeslot_id: string;
    /** The first instant behind it: a slot of a month may reach into the next. */
    end: Long;
    /** What it is. */
    title: string;
    /** Nullable until set: where it is, if that was said. */
    location: string | null;
    /** Nullable until set: more about it, if that was said. */
    description: string | null;
    /** The slot's version that this row shows; what a command may expect. */
    version: Long;
  };
  /** Who is this user: every registered user, by id. */
  'chirp/user_profiles': {
    /** The user's id. */
    user_id: string;
    /** The name as the user wrote it. */
    username: string;
    /** Since when the user exists. */
    registered_at: Long;
  };
  /** Who has this name: every registered user, by lower-case name. */
  'chirp/users_by_username': {
    /** The name in lower case: names are unique whatever their case. */
    username_key: string;
    /** The user who owns the name. */
    user_id: string;
    /** The name as the user wrote it. */
    username: string;
    /** Since when the user exists. */
    registered_at: Long;
  };
  /** One chirp, by author and id. */
  'chirp/chirps': {
    /** The user whose chirp it is. */
    author_id: string;
    /** The chirp's id, unique among its author's. */
    chirp_id: string;
    /** The author's name. */
    username: string;
    /** The text as last edited. */
    content: string;
    /** When it was posted. */
    posted_at: Long;
    /** Nullable until set: when it was last edited, if ever. */
    edited_at: Long | null;
  };
  /** All chirps of an author, newest first, in buckets of at most 500, or what chirp.bucket_rows says. */
  'chirp/chirps_by_author': {
    /** The user whose chirps they are. */
    author_id: string;
    /** When it was posted. */
    posted_at: Long;
    /** The chirp's id, unique among its author's. */
    chirp_id: string;
    /** The author's name. */
    username: string;
    /** The text as last edited. */
    content: string;
    /** Nullable until set: when it was last edited, if ever. */
    edited_at: Long | null;
  };
  /** Whom a user follows, and where the chirps of each are read. Bound: one row for each whom one person follows; their feed reads all of them. */
  'chirp/following_by_user': {
    /** The user who reads. */
    follower_id: string;
    /** The user whose chirps are read. */
    followee_id: string;
    /** When the follower began to follow. */
    since: Long;
    /** Chirps of the followee posted before this are read from celebrity_chirps, later ones from home_timelines; 0 = never was a celebrity, the greatest bigint = is one now. */
    pulled_until: Long;
  };
  /** Who follows a user, those who came last first, in buckets of at most 500, or what chirp.bucket_rows says; within a bucket by id. */
  'chirp/followers_by_user': {
    /** The user whose chirps are read. */
    followee_id: string;
    /** The user who reads. */
    follower_id: string;
    /** When the follower began to follow. */
    since: Long;
  };
  /** How many follow a user. No row: never anybody. */
  'chirp/follower_counts': {
    /** The user whose chirps are read. */
    followee_id: string;
    /** How many users follow; an absolute number. */
    followers: Long;
  };
  /** How many a user follows: the sum of the rows. Bound: one row a source partition. */
  'chirp/following_counts': {
    /** The user who reads. */
    follower_id: string;
    /** The partition in which the followed users are; sum over all of them. */
    source_partition: number;
    /** How many users of that partition are followed; an absolute number. */
    following: Long;
  };
  /** Per reader, newest first: chirps of regular authors, written at post time. A cache: the feed also filters by following_by_user and goes below timeline_floors elsewhere. Bound: 1.25 times chirp.timeline_cap rows a source partition. */
  'chirp/home_timelines': {
    /** The user whose timeline it is. */
    reader_id: string;
    /** When the chirp was posted. */
    posted_at: Long;
    /** The chirp's id, unique among its author's. */
    chirp_id: string;
    /** The user whose chirp it is. */
    author_id: string;
    /** The author's name. */
    username: string;
    /** The text as last edited. */
    content: string;
    /** Nullable until set: when it was last edited, if ever. */
    edited_at: Long | null;
    /** Nullable until set: true = the chirp is deleted and this row is to be passed over; it goes when the timeline is trimmed. */
    deleted: boolean | null;
  };
  /** How far back the home timeline of a reader is complete. No row: to the beginning. Bound: one row a source partition. */
  'chirp/timeline_floors': {
    /** The user whose timeline it is. */
    reader_id: string;
    /** The partition that trimmed; the greatest floor of all of them counts. */
    source_partition: number;
    /** home_timelines may lack chirps posted before this; the feed finds those in chirps_by_author. */
    floor: Long;
  };
  /** Per present or former celebrity, newest first: written once, merged into every follower feed when it is read. Bound: chirp.timeline_cap rows and one, and as many deleted ones as chirp.bucket_rows says; then it is written anew. */
  'chirp/celebrity_chirps': {
    /** The celebrity whose chirps they are. */
    author_id: string;
    /** When it was posted. */
    posted_at: Long;
    /** The chirp's id, unique among its author's. */
    chirp_id: string;
    /** The author's name. */
    username: string;
    /** The text as last edited. */
    content: string;
    /** Nullable until set: when it was last edited, if ever. */
    edited_at: Long | null;
  };
  /** The estimations of a project, but those that were open when it ended. Bound: at most 10,000 rows. */
  'estimation/estimations_by_project': {
    /** The project's id. */
    project_id: string;
    /** The estimation's id. */
    estimation_id: string;
    /** The team whose members estimate. */
    team_id: string;
    /** What is to be estimated. */
    title: string;
    /** What may be estimated: fibonacci, t-shirt, or whole numbers parted by commas. */
    scale: string;
    /** The values of the scale, the least first, as a JSON list of objects {"points": 3, "label": "M"}. */
    cards: string;
    /** OPEN or CLOSED. */
    status: string;
    /** Which round it is: 1, 2, 3 … */
    round: number;
    /** How many members have estimated in this round; who, the rows of estimates say. */
    estimate_count: number;
    /** Nullable: what this round came to, once it is closed: the median of the estimates, of two in the middle the greater. */
    points: Long | null;
    /** Nullable: how far apart the estimates are, once it is closed: the greatest less the least. */
    spread: Long | null;
    /** When this round began. */
    opened_at: Long;
    /** Nullable: when it was closed, once it is. */
    closed_at: Long | null;
    /** The version of the estimation that this row shows; what a command may expect. */
    version: Long;
  };
  /** Who has estimated in the last round of an estimation, and what, once it is closed. Bound: at most 200 rows. */
  'estimation/estimates': {
    /** The estimation's id. */
    estimation_id: string;
    /** Who has estimated. */
    member_id: string;
    /** The project that it belongs to. */
    project_id: string;
    /** The team whose members estimate. */
    team_id: string;
    /** In which round: 1, 2, 3 … */
    round: number;
    /** Nullable: how large it is to the member, once the round is closed. */
    points: Long | null;
    /** When the member has estimated, last. */
    submitted_at: Long;
  };
  /** What somebody has estimated themselves in the last round of an estimation, also while that is open. Nobody else may read it. */
  'estimation/my_estimates': {
    /** The estimation's id. */
    estimation_id: string;
    /** Who has estimated, who alone may read this. */
    member_id: string;
    /** The project that it belongs to. */
    project_id: string;
    /** In which round: 1, 2, 3 … */
    round: number;
    /** How large it is to the member. */
    points: Long;
    /** When the member has estimated, last. */
    submitted_at: Long;
  };
  /** What guests wrote. */
  'guestbook/entries': {
    /** Who has signed. */
    guest_id: string;
    /** What they wrote. */
    text: string;
    /** When, microseconds since the epoch. */
    signed_at: Long;
  };
  /** What is known of a user: for the user, and for operators. */
  'identity/users': {
    /** The user's id. */
    user_id: string;
    /** The user's address, as they write it. */
    email: string;
    /** Whether its issuer has verified the address; if so, no other user has it. */
    email_verified: boolean;
    /** The name by which the user is called. */
    first_name: string;
    /** The rest of the name; may be empty. */
    last_name: string;
    /** The address of a picture of the user; empty: none. */
    picture: string;
    /** The user's language and country, a tag of BCP 47; empty: none. */
    locale: string;
    /** Whether the user has access to the accounting service. */
    accounting_enabled: boolean;
    /** Since when the user exists. */
    added_at: Long;
    /** When any of this was last changed; added_at if never. */
    updated_at: Long;
  };
  /** Who a user is, for pages that show somebody: every user, without what only concerns the user. */
  'identity/people': {
    /** The user's id. */
    user_id: string;
    /** The name by which the user is called. */
    first_name: string;
    /** The rest of the name; may be empty. */
    last_name: string;
    /** The address of a picture of the user; empty: none. */
    picture: string;
  };
  /** The orders of a user, newest first, also those that have ended, a bucket a month. */
  'orders/shop_orders': {
    /** The user whose order it is. */
    user_id: string;
    /** When it was created. */
    created_at: Long;
    /** The order's id. */
    order_id: string;
    /** What it comes to. */
    total: Long;
    /** CREATED, SHIPPED or CANCELLED. */
    status: string;
    /** Nullable until set: who carries it, once it is shipped. */
    carrier: string | null;
    /** Nullable until set: the carrier's number for it, once it is shipped. */
    tracking_number: string | null;
    /** Nullable until set: when it left, once it is shipped. */
    shipped_at: Long | null;
    /** Nullable until set: why it was cancelled, if that was said. */
    reason: string | null;
    /** Nullable until set: when it was cancelled, once it is. */
    cancelled_at: Long | null;
    /** The order's version that this row shows; what a command may expect. */
    version: Long;
  };
  /** How many orders of a day are in which state now, and what they come to: the sum of the rows. Bound: one row a source partition. */
  'orders/orders_by_day': {
    /** The UTC day on which the orders were created, as YYYY-MM-DD; an order stays on that day whatever becomes of it. */
    day: string;
    /** What the orders are now: CREATED, SHIPPED or CANCELLED. */
    status: string;
    /** The partition in which the orders are; sum over all of them. */
    source_partition: number;
    /** How many there are; an absolute number, 0 where there were some. */
    count: Long;
    /** What they come to together; an absolute number. The greatest bigint stands for that much or more. */
    total: Long;
  };
  /** Who is in a team, and as what. Bound: one row for each who is in one team. */
  'projects/team_members': {
    /** The team's id. */
    team_id: string;
    /** Who is a member of it. */
    user_id: string;
    /** A label of the membership. */
    membership_id: string;
    /** owner, admin, member or viewer. */
    role: string;
    /** Nullable: the project through which it was given, and with which it ends. */
    project_id: string | null;
    /** When it began. */
    since: Long;
    /** The version of the membership that this row shows; what a command may expect. */
    version: Long;
  };
  /** In which teams a user is, and as what. Bound: at most 1,000 rows. */
  'projects/teams_by_user': {
    /** The user's id. */
    user_id: string;
    /** A team of which the user is a member. */
    team_id: string;
    /** owner, admin, member or viewer. */
    role: string;
    /** When it began. */
    since: Long;
  };
  /** One project. */
  'projects/projects': {
    /** The project's id. */
    project_id: string;
    /** What it is called. */
    name: string;
    /** What its tasks are numbered with: 2 to 6 letters. */
    prefix: string;
    /** More about it; empty: none. */
    description: string;
    /** Whose it is. */
    user_id: string;
    /** The team that works on it; empty: none. */
    team_id: string;
    /** Nullable: the user, where no team works on it, who may read it then. */
    private_to: string | null;
    /** Whether it is being worked on. */
    active: boolean;
    /** Whether everybody may read it, whosever it is. */
    public: boolean;
    /** The columns of its board, from left to right, as a JSON list of texts. */
    column_order: string;
    /** Since when there is the project. */
    created_at: Long;
    /** When any of this was last changed; created_at if never. */
    updated_at: Long;
    /** The version of the project that this row shows; what a command may expect. */
    version: Long;
  };
  /** The projects of a team, or of a user alone. Bound: one row for each project of one team. */
  'projects/projects_by_team': {
    /** The team that works on it; of a project without a team @ and its user's id, which no team's id can be. */
    team_id: string;
    /** The project's id. */
    project_id: string;
    /** What it is called. */
    name: string;
    /** What its tasks are numbered with: 2 to 6 letters. */
    prefix: string;
    /** Whose it is. */
    user_id: string;
    /** Nullable: the user, where no team works on it, who may read it then. */
    private_to: string | null;
    /** Whether it is being worked on. */
    active: boolean;
    /** Whether everybody may read it, whosever it is. */
    public: boolean;
  };
  /** The tasks of a project, those of each column in their order. Bound: at most 10,000 rows. */
  'projects/project_board': {
    /** The project's id. */
    project_id: string;
    /** The column in which the task stands. If it is none of the project any more, the task is shown in the first one. */
    column: string;
    /** Where it stands in the column, compared byte by byte. */
    rank: string;
    /** The task's id, unique within its project; decides between equal ranks. */
    task_id: string;
    /** The number of the task, which is shown behind the prefix of its project. */
    number: Long;
    /** What is to be done. */
    title: string;
    /** When it was put on the board. */
    created_at: Long;
    /** When any of this was last changed; created_at if never. */
    updated_at: Long;
    /** The version of the task that this row shows, on which a move is based. */
    version: Long;
  };
}

/** The key of each view. */
export const VIEWS = {
  'accounting/account_balances': { partition: ['account_id'], clustering: [], numbers: [] },
  'accounting/account_statements': { partition: ['account_id'], clustering: ['-version'], numbers: ['version'] },
  'accounting/daily_totals': { partition: ['day', 'currency'], clustering: ['source_partition'], numbers: ['source_partition'] },
  'calendar/calendar_timeslots': { partition: ['calendar_id'], clustering: ['-start', '-timeslot_id'], numbers: ['start'] },
  'chirp/user_profiles': { partition: ['user_id'], clustering: [], numbers: [] },
  'chirp/users_by_username': { partition: ['username_key'], clustering: [], numbers: [] },
  'chirp/chirps': { partition: ['author_id', 'chirp_id'], clustering: [], numbers: [] },
  'chirp/chirps_by_author': { partition: ['author_id'], clustering: ['-posted_at', '-chirp_id'], numbers: ['posted_at'] },
  'chirp/following_by_user': { partition: ['follower_id'], clustering: ['followee_id'], numbers: [] },
  'chirp/followers_by_user': { partition: ['followee_id'], clustering: ['follower_id'], numbers: [] },
  'chirp/follower_counts': { partition: ['followee_id'], clustering: [], numbers: [] },
  'chirp/following_counts': { partition: ['follower_id'], clustering: ['source_partition'], numbers: ['source_partition'] },
  'chirp/home_timelines': { partition: ['reader_id'], clustering: ['-posted_at', '-chirp_id', '-author_id'], numbers: ['posted_at'] },
  'chirp/timeline_floors': { partition: ['reader_id'], clustering: ['source_partition'], numbers: ['source_partition'] },
  'chirp/celebrity_chirps': { partition: ['author_id'], clustering: ['-posted_at', '-chirp_id'], numbers: ['posted_at'] },
  'estimation/estimations_by_project': { partition: ['project_id'], clustering: ['estimation_id'], numbers: [] },
  'estimation/estimates': { partition: ['estimation_id'], clustering: ['member_id'], numbers: [] },
  'estimation/my_estimates': { partition: ['estimation_id', 'member_id'], clustering: [], numbers: [] },
  'guestbook/entries': { partition: ['guest_id'], clustering: [], numbers: [] },
  'identity/users': { partition: ['user_id'], clustering: [], numbers: [] },
  'identity/people': { partition: ['user_id'], clustering: [], numbers: [] },
  'orders/shop_orders': { partition: ['user_id'], clustering: ['-created_at', '-order_id'], numbers: ['created_at'] },
  'orders/orders_by_day': { partition: ['day', 'status'], clustering: ['source_partition'], numbers: ['source_partition'] },
  'projects/team_members': { partition: ['team_id'], clustering: ['user_id'], numbers: [] },
  'projects/teams_by_user': { partition: ['user_id'], clustering: ['team_id'], numbers: [] },
  'projects/projects': { partition: ['project_id'], clustering: [], numbers: [] },
  'projects/projects_by_team': { partition: ['team_id'], clustering: ['project_id'], numbers: [] },
  'projects/project_board': { partition: ['project_id'], clustering: ['column', 'rank', 'task_id'], numbers: [] },
} as const satisfies Record<keyof Rows, ViewKey>;
