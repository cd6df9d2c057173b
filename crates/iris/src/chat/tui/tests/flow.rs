//! What follows from keys and events.

use iris_client::{ErrorCode, GroupChange, HistoryFrom, ReceiptPage, Refusal};
use iris_types::limits::SCREEN_MESSAGES_MAX;
use iris_types::request::MarkRead;

use super::*;

fn open_bob() -> Desk {
    let mut desk = Desk::with_list(80, 24, list());
    desk.line("/to bob");
    desk.history(
        &user("bob").into(),
        vec![entry(3, "bob", 31, text("fine")), entry(4, "alice", 30, text("bye"))],
        true,
    );
    desk
}

fn marked(desk: &Desk) -> Vec<u64> {
    let mark = |(_, question, _): &(QueryNumber, Question, Purpose)| match question {
        Question::MarkRead(MarkRead { up_to, .. }) => Some(up_to.0),
        _ => None,
    };
    desk.questions.iter().filter_map(mark).collect()
}

#[test]
fn what_is_on_the_screen_is_read_and_nothing_else() {
    let mut desk = open_bob();
    assert_eq!(marked(&desk), [] as [u64; 0], "it was read before");
    let say = |desk: &mut Desk, seq| {
        desk.tell(message(user("bob").into(), direct("bob"), seq, "bob", text("hello?")));
    };
    say(&mut desk, 5);
    assert_eq!(marked(&desk), [5]);
    desk.app.set_terminal_focus(false);
    say(&mut desk, 6);
    assert_eq!(marked(&desk), [5], "nobody looks");
    assert!(desk.done.contains(&Effect::Bell));
    assert_eq!(desk.app.threads[&direct("bob")].unread, 1);
    desk.app.set_terminal_focus(true);
    desk.carry_out();
    assert_eq!(marked(&desk), [5, 6]);
    desk.app.scroll = 3;
    say(&mut desk, 7);
    assert_eq!(marked(&desk), [5, 6], "the end is not on the screen");
    desk.key(KeyCode::Esc);
    assert_eq!(marked(&desk), [5, 6, 7]);
    // A muted conversation does not ring, and is not read by somebody else's being open.
    desk.done.clear();
    desk.tell(message(user("carol").into(), direct("carol"), 6, "carol", text("psst")));
    assert_eq!(desk.app.threads[&direct("carol")].unread, 3);
    assert!(!desk.done.contains(&Effect::Bell));
    desk.control('n');
    assert_eq!(desk.app.open, Some(direct("carol")));
    assert_eq!(desk.app.threads[&direct("carol")].unread_from, Some(Seq(4)));
}

#[test]
fn older_messages_are_asked_for_at_the_top_once() {
    let mut desk = open_bob();
    desk.draw();
    let older = |question: &Question| matches!(question, Question::History(q) if q.from == HistoryFrom::Before(Seq(3)));
    assert!(desk.has_asked(older), "a short page does not fill the screen");
    desk.draw();
    let count = desk.questions.iter().filter(|(_, question, _)| older(question)).count();
    assert_eq!(count, 1);
    let entries = vec![entry(1, "bob", 50, text("one")), entry(2, "bob", 49, text("two"))];
    desk.history(&user("bob").into(), entries, false);
    desk.draw();
    assert!(!desk.has_asked(|question| matches!(question, Question::History(_))), "there are no more");
    assert!(desk.shows("bob: one"));
}

#[test]
fn a_message_that_is_refused_can_be_sent_again() {
    let mut desk = open_bob();
    desk.line("hello");
    let (number, to, body) = desk.sends[0].clone();
    assert_eq!((to.clone(), body.as_text()), (user("bob").into(), Some("hello")));
    let refused = Outcome::Failed(Refusal::from(ErrorCode::NotAccepted));
    desk.tell(settled(number, to, refused));
    assert!(desk.shows("✗ not_accepted") && desk.shows("/resend"));
    desk.line("/resend");
    assert_eq!(desk.sends.len(), 2);
    assert!(desk.shows("you: hello …"));
    desk.line("//shrug is not a command");
    assert_eq!(desk.sends[2].2.as_text(), Some("/shrug is not a command"));
}

#[test]
fn commands_do_what_they_say_where_they_can() {
    let mut desk = open_bob();
    desk.line("/invite carol");
    assert!(desk.shows("for groups"));
    desk.line("/block");
    let query = desk.asked(|question| matches!(question, Question::BlockUser(block) if block.on));
    desk.tell(ClientEvent::Done { query });
    assert!(desk.shows("no more messages"));
    desk.line("/pin");
    assert!(
        desk.has_asked(|question| matches!(question, Question::SetFlags(set) if set.values == Flags::PINNED))
    );
    desk.line("/group Walk: bob carol");
    let query =
        desk.asked(|question| matches!(question, Question::CreateGroup(group) if group.members.len() == 2));
    let group = ConversationId([9; 16]);
    desk.tell(ClientEvent::GroupCreated { query, group });
    assert_eq!(desk.app.open, Some(group));
    desk.line("/block");
    assert!(desk.shows("for conversations with one person"));
    desk.line("/invite dave");
    let query = desk.asked(|question| {
        matches!(question, Question::ChangeGroup { change: GroupChange::Invite(name), .. } if *name == user("dave"))
    });
    desk.tell(ClientEvent::QueryFailed { query, refusal: ErrorCode::GroupFull.into() });
    assert!(desk.shows("group_full"));
    desk.line("/sing");
    assert!(desk.shows("There is no /sing"));
    desk.control('u');
    desk.line("/receipts");
    assert!(desk.shows("not written anything"));
    desk.line("/to bob");
    desk.line("/receipts");
    let query = desk.asked(|question| matches!(question, Question::Receipts { .. }));
    let page = ReceiptPage { delivered: 1, read: 1, members: 1, by: Vec::new(), more: false };
    let target = user("bob").into();
    desk.tell(ClientEvent::Receipts { query, target, seq: Seq(4), receipts: page });
    assert!(desk.shows("1 of 1 have it, 1 read it"));
    desk.control('c');
    assert_eq!(desk.done.last(), Some(&Effect::Quit));
}

#[test]
fn an_invitation_is_accepted_before_anything_is_written() {
    let mut desk = Desk::with_list(80, 24, list());
    let (id, title) = (ConversationId([8; 16]), Peer::Group(GroupTitle::new("Chess").unwrap()));
    desk.tell(message(title.clone(), id, 2, "dave", change(&Change::Invited(user("alice")))));
    assert!(desk.shows("you are invited"));
    desk.line("/open chess");
    assert!(desk.shows("Chess  you are invited: /accept or /leave"));
    desk.line("hello");
    assert!(desk.sends.is_empty() && desk.shows("/accept first"));
    desk.control('u');
    desk.line("/accept");
    let query =
        desk.asked(|question| matches!(question, Question::ChangeGroup { change: GroupChange::Accept, .. }));
    desk.tell(ClientEvent::GroupChanged { query, group: id, seq: Some(Seq(3)) });
    desk.tell(message(title, id, 3, "alice", change(&Change::Joined)));
    desk.line("hello");
    assert_eq!(desk.sends.len(), 1);
}

#[test]
fn drafts_stay_with_their_conversations_and_tab_completes() {
    let mut desk = open_bob();
    desk.app.paste("for bob");
    desk.control('p');
    assert_eq!(desk.app.compose.text(), "");
    desk.app.paste("/invite ca");
    desk.key(KeyCode::Tab);
    assert_eq!(desk.app.compose.text(), "/invite carol ");
    desk.control('u');
    desk.control('n');
    assert_eq!(desk.app.compose.text(), "for bob");
    let typing = Effect::Typing { target: user("bob").into(), on: true };
    assert!(desk.done.contains(&typing));
}

#[test]
fn what_was_missed_is_loaded_again_and_what_is_held_is_bounded() {
    let mut desk = open_bob();
    desk.tell(ClientEvent::Gap { first: Offset(1), last: Offset(9) });
    desk.tell(ClientEvent::Disconnected);
    assert!(desk.shows("connection lost"));
    desk.tell(ClientEvent::Ready);
    desk.tell(ClientEvent::Synced);
    assert!(
        desk.has_asked(|question| matches!(question, Question::History(q) if q.from == HistoryFrom::Latest))
    );
    desk.history(&user("bob").into(), vec![entry(9, "bob", 1, text("still here"))], true);
    assert!(desk.shows("still here"));
    for seq in 10..=10 + SCREEN_MESSAGES_MAX as u64 {
        desk.tell(message(user("bob").into(), direct("bob"), seq, "bob", text("x")));
    }
    let thread = &desk.app.threads[&direct("bob")];
    assert_eq!((thread.said.len(), thread.has_more), (SCREEN_MESSAGES_MAX, true));
    desk.tell(ClientEvent::Stopped(ErrorCode::DeviceRevoked.into()));
    assert!(desk.shows("device_revoked: not trying again"));
}

/// Splitmix64: enough to choose what happens.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 27) ^ mixed) % bound
    }
}

#[test]
fn any_keys_and_events_leave_a_screen_that_can_be_drawn() {
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(42);
    println!("TEST_SEED={seed}");
    let mut choices = Choices(seed);
    let mut desk = Desk::with_list(80, 24, list());
    let codes = [
        KeyCode::Enter,
        KeyCode::Tab,
        KeyCode::Esc,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::F(1),
        KeyCode::Char('/'),
        KeyCode::Char('é'),
        KeyCode::Char('日'),
        KeyCode::Char(' '),
    ];
    let commands =
        ["/help", "/to bob", "/to dave", "/open tea", "/members", "/next", "/archived", "/receipts", "hello"];
    for step in 0..3_000 {
        match choices.below(8) {
            0..=3 => desk.key(codes[choices.below(codes.len() as u64) as usize]),
            4 => desk.control(['n', 'p', 'w', 'a', 'e', 'j', 'u'][choices.below(7) as usize]),
            5 => desk.line(commands[choices.below(commands.len() as u64) as usize]),
            6 => {
                let name = ["bob", "carol", "dave"][choices.below(3) as usize];
                desk.tell(message(
                    user(name).into(),
                    direct(name),
                    step + 10,
                    name,
                    text("日本 words \u{1b}[2J"),
                ));
            }
            _ => {
                if let Some((query, question, _)) = desk.questions.pop() {
                    let refusal = ErrorCode::NotMember.into();
                    match question {
                        Question::History(question) if choices.below(2) == 0 => {
                            let (with, more) = (question.with, choices.below(2) == 0);
                            desk.tell(ClientEvent::HistoryEnd { query, with, count: 0, more });
                        }
                        _ => desk.tell(ClientEvent::QueryFailed { query, refusal }),
                    }
                }
            }
        }
        let (columns, rows) = (choices.below(120) as u16, choices.below(40) as u16);
        desk.terminal.backend_mut().resize(columns, rows);
        desk.draw();
    }
}
