//! Every bound of Iris, with unit and reason. Nothing else in the code base is a bound.

// --- names and messages -----------------------------------------------------------------------------------

/// Bytes of a user's or device's name: fits an e-mail address, keeps rows small.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a message body: with every header it still fits one frame of 65,535 bytes.
pub const BODY_BYTES_MAX: usize = 32_768;
/// Milliseconds in which a repeated id gets its first answer (7 days). Older ids are refused.
pub const DEDUP_WINDOW_MS: u64 = 7 * 24 * 3_600_000;
/// Milliseconds an id may be dated ahead of the server's clock (5 minutes).
pub const ID_AHEAD_MS_MAX: u64 = 300_000;
/// Milliseconds an inbox entry is kept (30 days).
pub const INBOX_TTL_MS: u64 = 30 * 24 * 3_600_000;
/// Devices of one user.
pub const DEVICES_PER_USER_MAX: usize = 10;
/// Bytes of a device's label: a line on a small screen.
pub const LABEL_BYTES_MAX: usize = 64;
/// Revoked devices of one user, remembered for ever: about 70 KiB at most, and a hundred new phones a year for ten
/// years.
pub const REVOKED_DEVICES_MAX: usize = 1_024;
/// Milliseconds between two writes of a device's last login, if nothing else is written with it.
pub const LAST_LOGIN_INTERVAL_MS: u64 = 60_000;

// --- groups, receipts, presence ---------------------------------------------------------------------------

/// Members and invitations of one group, unless an operator says less or more.
pub const GROUP_MEMBERS_MAX: usize = 500;
/// The most an operator may say: a roster is held in memory and written to in one decision.
pub const GROUP_MEMBERS_HARD_MAX: usize = 2_000;
/// Users a group remembers, those that left included, for what they may still read.
pub const GROUP_ROSTER_MAX: usize = 10_000;
/// Bytes of the rows of all of these.
pub const GROUP_ROSTER_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Lines of conversations kept in memory for one user, if they need not be.
pub const LINES_PER_USER_MAX: usize = 32;
/// How often one user may join a group anew and keep the history of each time.
pub const MEMBERSHIPS_MAX: usize = 32;
/// Bytes of a group's title: a line on a small screen, also in scripts of three bytes a character.
pub const TITLE_BYTES_MAX: usize = 100;
/// Bytes of a group's description.
pub const DESCRIPTION_BYTES_MAX: usize = 512;
/// Bytes of a message that a list of conversations shows.
pub const PREVIEW_BYTES_MAX: usize = 160;
/// Runs of own messages behind a read mark that are told apart when unread ones are counted.
pub const OWN_RANGES_MAX: usize = 16;
/// Milliseconds in which a member's marks in one conversation become one.
pub const RECEIPT_INTERVAL_MS: u64 = 250;
/// Milliseconds in which a user's acknowledgements become one at most, while they go on without a pause.
pub const ACKNOWLEDGE_INTERVAL_MS_MAX: u64 = 2_000;
/// Entries of a user with connections that are known when they are acknowledged; older ones are read again.
pub const ARRIVALS_PER_USER_MAX: usize = 256;
/// Milliseconds between two receipts of one group to one author.
pub const GROUP_RECEIPT_INTERVAL_MS: u64 = 1_000;
/// Users that one connection watches.
pub const WATCHED_MAX: usize = 256;
/// Milliseconds until somebody who watches has to say so again; a crashed watcher is forgotten after that.
pub const WATCH_LEASE_MS: u64 = 20_000;
/// Watchers of one user who are told at once; more are told when they ask again.
pub const WATCHERS_MAX: usize = 10_000;
/// Watchers of one user, of all kinds, up to which one who may not know is noted, to be told when they may.
pub const HIDDEN_WATCHERS_MAX: usize = 256;
/// Questions for the presence of users that wait for their answers; more are refused with `busy`.
pub const LOOKUPS_MAX: usize = 65_536;
/// Milliseconds that such a question waits.
pub const LOOKUP_MS_MAX: u64 = 2_000;
/// Milliseconds in which a user's word that they write in a conversation is passed on once.
pub const TYPING_INTERVAL_MS: u64 = 1_000;
/// Milliseconds between two stored "last seen" of a user.
pub const LAST_SEEN_INTERVAL_MS: u64 = 60_000;
/// Milliseconds after which somebody who was writing and said nothing more has stopped.
pub const TYPING_MS: u64 = 6_000;
/// Milliseconds in which a connection may say [`TYPING_PER_PACE_MAX`] times that its user writes.
pub const TYPING_PACE_MS: u64 = 1_000;
/// More of them are dropped: they are not answered, so requests in flight do not bound them.
pub const TYPING_PER_PACE_MAX: usize = 8;
/// Bytes waiting in one connection's output beyond which it is not told who writes: the first to go under load.
pub const TYPING_OUTPUT_BYTES_MAX: usize = 64 * 1_024;
/// Bytes waiting in one connection's output beyond which it is told only the latest of who is there.
pub const PRESENCE_OUTPUT_BYTES_MAX: usize = 256 * 1_024;

/// Messages and changes of groups that one user may send in a minute, over all devices, unless an operator says
/// otherwise.
pub const MESSAGES_PER_MINUTE: u32 = 100;
/// How many of them at once after a rest.
pub const MESSAGES_BURST: u32 = 100;
/// Messages that a worker lets a user of another worker send ahead of asking again.
pub const PERMITS_AHEAD: u32 = 16;
/// Milliseconds after which a worker that got no answer asks again.
pub const PERMITS_ASK_MS: u64 = 1_000;
/// Users of other workers for whom such permits are kept.
pub const LEASES_MAX: usize = 65_536;

// --- protocol ---------------------------------------------------------------------------------------------

/// Bytes of a frame's payload: what its two length bytes can say.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 65_535;
/// Bytes of a frame's payload before login: a token and little else.
pub const LOGIN_PAYLOAD_BYTES_MAX: usize = 4_096;
/// Bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 2_048;
/// Items in one batch frame.
pub const BATCH_ITEMS_MAX: usize = 1_024;
/// Entries in one page of a sync, of history or of the conversation list.
pub const PAGE_ITEMS_MAX: usize = 256;
/// Items in one page of the list of conversations: with titles and previews they fit a frame.
pub const LIST_ITEMS_MAX: usize = 100;
/// Bytes of bodies in one page, so that a page fits one frame.
pub const PAGE_BYTES_MAX: usize = 48 * 1_024;
/// Requests of one connection that wait for their answer; more are refused with `busy`.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 1_024;
/// Of these, requests for a page of history or of the conversation list: each answer may fill more than a frame.
pub const PAGE_REQUESTS_IN_FLIGHT_MAX: usize = 8;
/// Bytes pushed to a device and not yet acknowledged; beyond it pushes stop and the device is told to sync.
pub const PUSH_WINDOW_BYTES_MAX: usize = 256 * 1_024;
/// Entries pushed to a device and not yet acknowledged.
pub const PUSH_WINDOW_ENTRIES_MAX: usize = 4_096;

// --- tokens and logins ------------------------------------------------------------------------------------

/// Seconds a token may live (24 hours).
pub const TOKEN_LIFETIME_S_MAX: u64 = 86_400;
/// Milliseconds a login's timestamp may be off.
pub const LOGIN_SKEW_MS_MAX: u64 = 60_000;
/// Milliseconds a token may be dated ahead of the server's clock: by how much clocks that are kept in step differ.
/// A revocation of all of a user's tokens reaches as far ahead, so its answer takes as long.
pub const TOKEN_AHEAD_MS_MAX: u64 = 1_000;
/// Bytes of the shared secret of tokens, at least: as long as the hash (RFC 7518 section 3.2).
pub const TOKEN_SECRET_BYTES_MIN: usize = 32;
/// Connections of one address in a minute, unless configured otherwise. An address is an IPv4 address or an IPv6 /64.
pub const CONNECTIONS_PER_MINUTE: u32 = 5;
/// Failed logins of one account in an hour, unless configured otherwise.
pub const FAILED_LOGINS_PER_HOUR: u32 = 10;
/// What such a figure may be at most: as good as no limit.
pub const RATE_MAX: u32 = 1_000_000;
/// Times as many connections as an address may have are told that they are too many; more are closed without a word,
/// because a handshake is not free.
pub const RATE_TOLD_FACTOR: u32 = 4;
/// Times as many connections of browsers, which open several for one page.
pub const RATE_VISITS_FACTOR: u32 = 12;
/// Addresses or accounts whose rate is remembered, of each kind: about 8 MiB. Beyond it, those are forgotten first that
/// used least.
pub const RATE_ENTRIES_MAX: usize = 65_536;
/// Bytes of a login's nonce.
pub const NONCE_BYTES: usize = 16;
/// Nonces remembered for one user; more logins in the window are refused with `busy`.
pub const NONCES_PER_USER_MAX: usize = 256;

// --- connections ------------------------------------------------------------------------------------------

/// Milliseconds for the TLS handshake.
pub const HANDSHAKE_MS_MAX: u64 = 5_000;
/// Milliseconds for the ClientHello at least: when all places for handshakes are taken, who takes longer makes room
/// for others. A round trip over a slow network, and some.
pub const HELLO_MS_MIN: u64 = 500;
/// Milliseconds from the handshake's end to a finished login.
pub const LOGIN_MS_MAX: u64 = 5_000;
/// Milliseconds between a frame's first byte and its last.
pub const PARTIAL_FRAME_MS_MAX: u64 = 10_000;
/// Milliseconds of silence after which a connection is closed, and its user is there no more; clients ping well before.
pub const IDLE_MS_MAX: u64 = 30_000;
/// Milliseconds between a client's pings when it has nothing else to say.
pub const PING_INTERVAL_MS: u64 = 10_000;
/// Milliseconds a client waits for any sign of life after a ping; then the server counts as dead.
pub const PONG_MS_MAX: u64 = 20_000;
/// Milliseconds of silence after which a client pings when a request of its own waits for an answer.
pub const WAITING_PING_INTERVAL_MS: u64 = 5_000;
/// Milliseconds a client waits for the answer to its login.
pub const LOGIN_ANSWER_MS_MAX: u64 = 15_000;
/// Handshakes in progress per event loop; further connections wait in the listen queue, or take the place of the
/// oldest one without a ClientHello.
pub const HANDSHAKES_IN_FLIGHT_MAX: usize = 256;
/// Bytes waiting in one connection's output before reading from it stops.
pub const OUTPUT_BYTES_MAX: usize = 512 * 1_024;
/// Requests waiting between an event loop and a worker; more are refused with `busy`.
pub const LINK_ITEMS_MAX: usize = 131_072;
/// Bytes of such requests.
pub const LINK_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Milliseconds that requests wait in front of a worker whose memory is full; then they are refused with `busy`.
pub const INTAKE_PAUSE_MS_MAX: u64 = 1_000;
/// Milliseconds after which a client that was refused with `busy` may try again.
pub const BUSY_RETRY_AFTER_MS: u32 = 200;
/// Bytes of a handshake's messages in one direction: a hybrid ClientHello has about 1,800.
pub const HANDSHAKE_BYTES_MAX: usize = 32 * 1_024;
/// Milliseconds that a closed connection waits for the client to read why, before its socket goes.
pub const LINGER_MS_MAX: u64 = 2_000;
/// Milliseconds that an event loop rests at most between two turns under load, so that more answers and pushes
/// share a record and a write.
pub const LOOP_REST_MS_MAX: u64 = 5;
/// Milliseconds that a loop with something to write to many connections rests at least between turns.
pub const LOOP_REST_MS_MIN: u64 = 2;
/// Descriptors that connections leave to the rest of a server: the log, run files, merges, administration.
pub const DESCRIPTORS_RESERVED: u64 = 512;
/// Milliseconds without accepting, or without reading for a scrub, after descriptors or memory ran out.
pub const ACCEPT_PAUSE_MS: u64 = 100;
/// Cipher contexts kept per event loop, a power of two: 2.4 MiB when all are used, none when the loop is
/// idle.
pub const CIPHER_CONTEXTS_MAX: usize = 4_096;
/// Milliseconds until an event loop offers again what the core had no room for.
pub const OFFER_AGAIN_MS: u64 = 5;
/// Calls of rustls after an error, until it has handed out its alert.
pub const ALERT_STEPS_MAX: usize = 8;
/// Records under one key; RFC 8446 section 5.5 allows AES-GCM 2^24.5.
pub const RECORDS_PER_KEY_MAX: u64 = 1 << 23;
/// Key updates in a row without data between them.
pub const KEY_UPDATES_IN_A_ROW_MAX: u8 = 16;
/// Milliseconds between two parts of a round over all connections for their deadlines.
pub const SWEEP_PART_MS: u64 = 250;
/// Bytes read from one socket in one turn, the unread part of a record in front included.
pub const SOCKET_READ_BYTES: usize = 128 * 1_024;
/// Room set aside when a batch frame is begun.
pub const BATCH_ROOM_BYTES: usize = 1_024;

// --- web listeners -----------------------------------------------------------------------------------------

/// Bytes of an HTTP request's head: a browser's, with room for cookies of other servers on the same host.
pub const HTTP_HEAD_BYTES_MAX: usize = 8 * 1_024;
/// Headers of an HTTP request; browsers send about 20.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Milliseconds for the head of an HTTP request, from when it may begin.
pub const HTTP_HEAD_MS_MAX: u64 = 5_000;
/// Responses that wait for one client to take them; behind the last the connection closes. Browsers do not ask for a
/// second thing before they have the first.
pub const HTTP_RESPONSES_MAX: usize = 8;
/// Milliseconds that an HTTP connection lives: a megabyte at 10 kB/s. A WebSocket's time begins anew.
pub const HTTP_CONNECTION_MS_MAX: u64 = 120_000;
/// Bytes of a response that are sealed and written at once, one TLS record; so many a client that reads nothing costs.
pub const HTTP_WRITE_BYTES: usize = 16 * 1_024;
/// Bytes of responses written to one client in one turn, so that others have their turn, too.
pub const HTTP_TURN_BYTES_MAX: usize = 256 * 1_024;
/// Bytes of a WebSocket message in either direction: the largest frame, and as much again.
pub const WEBSOCKET_MESSAGE_BYTES_MAX: usize = 128 * 1_024;
/// Bytes of answers to WebSocket pings that wait to be sent; beyond it only the latest ping is answered.
pub const WEBSOCKET_PONG_BYTES_MAX: usize = 4 * 1_024;

// --- log and derived state --------------------------------------------------------------------------------

/// Bytes of one chunk of events; the decision that reaches them is its last.
pub const CHUNK_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of decided events that wait behind the chunk in flight; beyond it requests are refused with `busy`.
pub const GATHERED_BYTES_MAX: usize = 32 * CHUNK_BYTES_MAX;
/// Logs that take appends at once, and so workers of one server: as many as one block of the durable mark names.
pub const LOGS_MAX: usize = 16;
/// Bytes of a log segment.
pub const SEGMENT_BYTES: u64 = 16 * 1_024 * 1_024;
/// Bytes that a log may hold behind the oldest `start`; beyond it vnodes are flushed, oldest first.
pub const LOG_TAIL_BYTES_MAX: u64 = 128 * 1_024 * 1_024;
/// Bytes of a vnode's memory tables that make it flush.
pub const FLUSH_BYTES: usize = 1_024 * 1_024;
/// Milliseconds after which a vnode with any unflushed row flushes.
pub const FLUSH_INTERVAL_MS: u64 = 60_000;
/// Bytes of memory tables that one flush cycle takes; its rows are in memory several times meanwhile.
pub const FLUSH_CYCLE_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Milliseconds without a commit after which a worker is quiet.
pub const QUIET_MS: u64 = 2_000;
/// Bytes of memory tables that a quiet worker writes out, to give its memory back and shorten the next start.
pub const QUIET_FLUSH_BYTES: usize = 4 * 1_024 * 1_024;
/// Bytes of all memory tables of a worker; beyond it intake stops until a flush made room.
pub const DIRTY_BYTES_MAX: usize = 128 * 1_024 * 1_024;
/// Bytes of a run's block.
pub const BLOCK_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of a block of rows that are looked up one by one (heads): little to read and decrypt for one row.
pub const POINT_BLOCK_BYTES: usize = 4 * 1_024;
/// Bytes of a block of rows that are looked up one by one, but rarely (dedup): half the index of the former.
pub const RARE_BLOCK_BYTES: usize = 8 * 1_024;
/// Bytes of a block of rows that are read in ranges (history, inbox, streams).
pub const SCAN_BLOCK_BYTES: usize = 32 * 1_024;
/// Bits of filter per row: about one useless block read in a hundred.
pub const FILTER_BITS_PER_ROW: usize = 10;
/// Bytes of a merged run: its blocks are held in memory while it is made, and a run larger than half of this is
/// not merged again.
pub const RUN_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// Runs of one table, window and level that make a merge worth its writing.
pub const MERGE_RUNS_MIN: usize = 4;
/// Runs read by one merge.
pub const MERGE_RUNS_MAX: usize = 8;
/// Bytes that merges, or expiries, of several vnodes read together; a single one may read more.
pub const MERGE_BATCH_BYTES: u64 = 16 * 1_024 * 1_024;
/// Bytes of decoded blocks kept in memory.
pub const BLOCK_CACHE_BYTES: usize = 64 * 1_024 * 1_024;
/// Bytes of loaded user and conversation state kept by a worker; clean state beyond it is dropped.
pub const STATE_CACHE_BYTES: usize = 64 * 1_024 * 1_024;
/// Free bytes below which the server goes into safe mode: this or 5 % of the disk, whichever is less.
pub const DISK_RESERVE_BYTES: u64 = 1_024 * 1_024 * 1_024;
/// Bytes of a run file read at once at a start: most files' header and index.
pub const RUN_FILE_FIRST_READ_BYTES: u64 = 16 * 1_024;
/// Bytes of a run file's index: as much as a million blocks need, far beyond a flush.
pub const RUN_FILE_INDEX_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Run files kept open.
pub const RUN_FILES_OPEN_MAX: usize = 256;
/// Live bytes that one compaction of run files moves.
pub const COMPACT_BYTES: u64 = 16 * 1_024 * 1_024;
/// Bytes that a scrub reads in a second: 600 GB in a week, and nobody notices.
pub const SCRUB_BYTES_PER_S: u64 = 1_024 * 1_024;
/// Bytes that a scrub reads in one go; a stop waits for them.
pub const SCRUB_TURN_BYTES: u64 = 256 * 1_024;
/// Milliseconds from the begin of one round of a scrub to that of the next, at least: a small store rests.
pub const SCRUB_ROUND_MS_MIN: u64 = 24 * 3_600_000;
/// Bytes written at a time when a segment is prepared.
pub const SEGMENT_STRIDE_BYTES: usize = 256 * 1_024;
/// How much heavier than all newer runs together a run of a day that is over may be and still be
/// rewritten.
pub const CLOSED_WEIGHT_MAX: u64 = 4;
/// Bytes of a run file written at a time.
pub const RUN_FILE_WRITE_BYTES: usize = 1_024 * 1_024;
/// Ciphers of logs and runs kept ready, about 600 bytes each.
pub const CIPHERS_MAX: usize = 1_024;
/// Milliseconds until an append in doubt is looked at again.
pub const DOUBT_RETRY_MS: u64 = 1_000;
/// Bytes that one decision can add to a chunk, with room to spare: a group of [`GROUP_MEMBERS_HARD_MAX`] that is made,
/// or a message to it, each member on a vnode of its own; a test measures 722,776 bytes.
pub const DECISION_BYTES_MAX: usize = 1_024 * 1_024;
/// Milliseconds until a flush that failed is tried again.
pub const FLUSH_RETRY_MS: u64 = 1_000;
/// Milliseconds between two looks at what has expired.
pub const EXPIRY_LOOK_MS: u64 = 10_000;
/// Milliseconds by which a clock has to be further on than expected before nothing expires by it for a while: more
/// than any correction of a clock that was right, less than what makes a day's worth of entries go.
pub const CLOCK_JUMP_MS: u64 = 12 * 3_600_000;
/// Milliseconds after such a jump without expiry: time for an operator to set right a clock that is wrong, for what
/// has expired by it is gone.
pub const EXPIRY_CAUTION_MS: u64 = 3_600_000;
/// Milliseconds after a start without expiry: time for the system to set a clock that came up wrong. Longer would keep
/// what is over for a server that was off for days.
pub const EXPIRY_START_CAUTION_MS: u64 = 10_000;
/// Milliseconds until a merge, or dropping its garbage, that failed for want of room or an answer is tried again.
pub const MERGE_RETRY_MS: u64 = 10_000;
/// Milliseconds until a change of the directory in doubt is looked at again.
pub const DIRECTORY_RETRY_MS: u64 = 1_000;
/// Milliseconds after which a sender that was refused with `storage_full` may try again.
pub const STORAGE_FULL_RETRY_AFTER_MS: u32 = 5_000;
/// Forwards in one frame of a stream.
pub const STREAM_FRAME_FORWARDS_MAX: usize = 256;
/// Milliseconds after which forwards that were sent and not confirmed are sent again.
pub const STREAM_RESEND_MS: u64 = 1_000;
/// Forwards that wait at a destination for a recipient's state; the source sends again what does not fit.
pub const STREAM_INCOMING_MAX: usize = 4_096;
/// Bytes of rows that a recovery holds in memory.
pub const RECOVER_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Bytes of a sealed log that nobody names: a larger one was not trimmed.
pub const TRIMMED_LOG_BYTES: u64 = 64 * 1_024;

// --- clients ----------------------------------------------------------------------------------------------

/// Milliseconds that the first retry waits at most, of a connection or a refused send; doubles with each.
pub const RETRY_BASE_MS: u64 = 500;
/// Milliseconds that any retry waits at most.
pub const RETRY_CAP_MS: u64 = 60_000;
/// Milliseconds a connection has to be of use before the next loss of one counts as the first.
pub const STABLE_CONNECTION_MS: u64 = 10_000;
/// Logins repeated at once because the clock or the nonce was refused; more wait like any retry.
pub const LOGIN_REPEATS_MAX: u32 = 3;
/// Milliseconds that one request may stay unanswered on a connection that is alive; then it is opened anew.
pub const ANSWER_MS_MAX: u64 = 60_000;
/// Sends of a device that are not settled, or whose outcome the application has not taken.
pub const OUTBOX_SENDS_MAX: usize = 65_536;
/// Bytes of bodies in a device's outbox.
pub const OUTBOX_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Bytes of the application's reference to a send.
pub const REFERENCE_BYTES_MAX: usize = 1_024;
/// Questions and changes (history, conversations, groups) of a device that wait for their answers, and as many read
/// marks that somebody waits for.
pub const QUERIES_MAX: usize = 256;
/// Conversations whose read mark a device has yet to tell: a screen of unread ones, read at once while offline.
pub const READ_MARKS_MAX: usize = 1_024;
/// Bytes of a group's history that a question holds while it looks for the begin of what was asked for.
pub const HISTORY_HELD_BYTES_MAX: usize = 256 * 1_024;
/// Members that a device shows as writing at once.
pub const TYPING_SHOWN_MAX: usize = 1_024;
/// Conversations that a device says to be writing in at once.
pub const TYPING_TOLD_MAX: usize = 64;
/// Entries given to the application and not taken; beyond it a device stops acknowledging, so the server stops
/// pushing.
pub const UNREPORTED_ENTRIES_MAX: usize = 4_096;
/// Milliseconds that a live device waits with an acknowledgement, for more or for a request to go along with.
pub const ACKNOWLEDGE_DELAY_MS: u64 = 100;
/// Bytes of a chunk as an engine stores it: its events, the command that made it overflow, encryption.
pub const STORED_CHUNK_BYTES_MAX: usize = 4 * CHUNK_BYTES_MAX;
/// Bytes of a register's key.
pub const REGISTER_KEY_BYTES_MAX: usize = 256;
/// Bytes of a register's value: a manifest of a vnode with tens of thousands of runs.
pub const REGISTER_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Bytes of a directory entry: a register's value, less what encryption adds.
pub const DIRECTORY_ENTRY_BYTES_MAX: usize = REGISTER_BYTES_MAX - 1_024;
/// Sends of a device on their way at once, unless it is told otherwise; more wait in the outbox.
pub const CLIENT_WINDOW: usize = 256;
/// Calls of an application that wait for its client; further ones wait in their caller.
pub const CLIENT_CALLS_MAX: usize = 256;
/// Events about the connection, presence and typing that wait for an application that does not read; the oldest make
/// room, those about presence and typing first. Twice what a full list of watched users tells at once.
pub const PASSING_EVENTS_MAX: usize = 512;
/// Messages of one conversation that the full-screen terminal client holds; older ones are asked for again.
pub const SCREEN_MESSAGES_MAX: usize = 2_000;
/// Messages of a page of history that it asks for.
pub const SCREEN_PAGE_MAX: u64 = 64;
/// Lines that it remembers as typed.
pub const SCREEN_LINES_MAX: usize = 100;
/// Milliseconds between two drawings of the screen.
pub const SCREEN_DRAW_MS: u64 = 30;
/// Bytes of pages that a client's database may keep in memory.
pub const CLIENT_CACHE_BYTES: usize = 8 * 1_024 * 1_024;
/// Bytes that a client reads at once.
pub const CLIENT_READ_BYTES: usize = 64 * 1_024;
/// Milliseconds that a client takes to write what waits and to close its connection.
pub const GOODBYE_MS_MAX: u64 = 1_000;
