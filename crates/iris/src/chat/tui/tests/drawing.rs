//! What is seen.

use iris_client::{GroupSummary, Marks, Policy, Presence, PresenceState, Receipt, Role, RosterItem, Typing};

use super::*;

/// Bob's conversation is open, with messages of three days.
fn open_bob(columns: u16, rows: u16) -> Desk {
    let mut desk = Desk::with_list(columns, rows, list());
    desk.line("/to bob");
    let day = 24 * 60;
    desk.history(
        &user("bob").into(),
        vec![
            entry(1, "bob", 3 * day, text("Are you coming?")),
            entry(
                2,
                "alice",
                day + 5,
                text("I am, but later than I thought, because the train stands still"),
            ),
            entry(3, "bob", 31, text("fine")),
            entry(4, "alice", 30, text("bye")),
        ],
        false,
    );
    desk
}

#[test]
fn a_screen_of_80_by_24_shows_everything_at_a_glance() {
    let mut desk = open_bob(80, 24);
    let (conversation, marks) = (direct("bob"), Marks { delivered: Seq(4), read: Seq(2) });
    let receipt = Receipt { conversation, user: user("bob"), marks, at: Timestamp(NOW) };
    desk.tell(ClientEvent::Receipt { offset: Offset(1), receipt });
    desk.tell(ClientEvent::Presence(Presence { user: user("bob"), state: PresenceState::Online }));
    desk.tell(ClientEvent::Typing(Typing { conversation: tea().0, user: user("carol"), on: true }));
    desk.app.paste("what I write");
    let expected = [
        " alice · 3 unread                                                   ● connected",
        "# Tea 🍵          ^ 19:58 │ bob  online",
        "  carol is writing …    3 │",
        "● bob               19:30 │",
        "  you: bye                │",
        "  carol             ~ Fri │",
        "  see you tomorrow      2 │",
        "                          │",
        "                          │",
        "                          │",
        "                          │",
        "                          │",
        "                          │",
        "                          │────────────── Wednesday, 25 November ──────────────",
        "                          │ 20:00 bob: Are you coming?",
        "                          │───────────────────── Yesterday ─────────────────────",
        "                          │ 19:55 you: I am, but later than I thought,",
        "                          │            because the train stands still ✓✓",
        "                          │─────────────────────── Today ───────────────────────",
        "                          │ 19:29 bob: fine",
        "                          │ 19:30 you: bye ✓✓",
        "                          │─────────────────────────────────────────────────────",
        "                          │> what I write",
        " Tab list · PgUp/PgDn scroll · Ctrl-N/P next · /help · Ctrl-C leave",
    ];
    let rows = desk.rows();
    assert_eq!(rows, expected, "\n{}", rows.join("\n"));
}

#[test]
fn a_narrow_screen_shows_the_list_or_the_conversation() {
    let mut desk = open_bob(40, 12);
    assert!(desk.shows("Are you") || desk.shows("fine"));
    assert!(!desk.shows("Tea"));
    desk.key(KeyCode::Esc);
    assert!(desk.shows("Tea") && !desk.shows("fine"));
    desk.key(KeyCode::Up);
    desk.key(KeyCode::Enter);
    assert!(desk.shows("loading"), "{:?}", desk.rows());
}

#[test]
fn every_size_is_drawn_and_none_breaks_it() {
    let mut desk = open_bob(80, 24);
    desk.app.paste(&"long 日本語 words 👩‍👩‍👧 ".repeat(20));
    let rows: Vec<HistoryEntry> =
        (5..60).map(|seq| entry(seq, "bob", 1, text(&"x ".repeat(seq as usize)))).collect();
    for entry in rows {
        desk.tell(message(user("bob").into(), direct("bob"), entry.seq.0, "bob", entry.body));
    }
    for panel in [false, true] {
        if panel {
            desk.key(KeyCode::F(1));
        }
        for columns in (0..=110).step_by(7).chain(57..=63) {
            for rows in (0..=12).chain([24, 40]) {
                desk.terminal.backend_mut().resize(columns, rows);
                for scroll in [0, 7, usize::MAX] {
                    desk.app.scroll = scroll;
                    desk.draw();
                }
                desk.app.focus = super::super::app::Focus::List;
                desk.draw();
                desk.app.focus = super::super::app::Focus::Compose;
            }
        }
    }
}

#[test]
fn nothing_that_a_stranger_writes_drives_the_terminal() {
    let mut desk = open_bob(80, 24);
    let hostile = "\u{1b}[2J\u{9b}31m\u{202e}evil\u{7}\r\nline";
    desk.tell(message(user("bob").into(), direct("bob"), 5, "bob", text(hostile)));
    let (id, _) = tea();
    let title = Peer::Group(GroupTitle::new("a\u{202e}b").unwrap());
    desk.tell(message(title, id, 10, "carol", text(hostile)));
    for row in desk.rows() {
        assert!(row.chars().all(|char| !char.is_control() && char != '\u{202e}'), "{row:?}");
    }
    assert!(desk.shows("evil"));
}

#[test]
fn ticks_tell_how_far_a_message_is() {
    let mut desk = open_bob(80, 24);
    desk.line("one more");
    assert!(desk.shows("you: one more …"));
    let (number, to, _) = desk.sends[0].clone();
    let sent = Outcome::Sent { conversation: direct("bob"), seq: Seq(5), sent_at: Timestamp(NOW) };
    desk.tell(settled(number, to, sent));
    assert!(desk.rows().iter().any(|row| row.ends_with("you: one more ✓")));
    for (delivered, read, colour) in
        [(5, 0, ratatui::style::Color::DarkGray), (5, 5, ratatui::style::Color::LightBlue)]
    {
        let marks = Marks { delivered: Seq(delivered), read: Seq(read) };
        let receipt = Receipt { conversation: direct("bob"), user: user("bob"), marks, at: Timestamp(NOW) };
        desk.tell(ClientEvent::Receipt { offset: Offset(9), receipt });
        let rows = desk.rows();
        let y = rows.iter().position(|row| row.ends_with("you: one more ✓✓")).unwrap();
        let buffer = desk.terminal.backend().buffer();
        let x = (0..80).rev().find(|x| buffer[(*x, y as u16)].symbol() == "✓").unwrap();
        assert_eq!(buffer[(x, y as u16)].fg, colour);
    }
}

#[test]
fn a_group_shows_who_is_in_it_and_what_became_of_it() {
    let mut desk = Desk::with_list(80, 24, list());
    let (id, title) = tea();
    desk.line("/open tea");
    let group = Target::Group(id);
    desk.history(
        &group,
        vec![
            entry(1, "carol", 90, change(&Change::Created(GroupTitle::new("Tea 🍵").unwrap()))),
            entry(2, "carol", 80, change(&Change::Invited(user("alice")))),
            entry(3, "alice", 70, change(&Change::Joined)),
            entry(9, "carol", 2, text("Who brings the biscuits this time?")),
        ],
        false,
    );
    for line in ["carol made the group “Tea 🍵”", "carol invited you", "you joined", "carol: Who brings"]
    {
        assert!(desk.shows(line), "{line}: {:#?}", desk.rows());
    }
    let query = desk.asked(|question| matches!(question, Question::Group(_)));
    let summary = GroupSummary {
        group: id,
        title: GroupTitle::new("Tea 🍵").unwrap(),
        description: iris_client::GroupDescription::new("every Saturday").unwrap(),
        policy: Policy::MEMBERS_INVITE,
        created_at: Timestamp(NOW),
        members: 3,
        invited: 1,
        role: Some(Role::Member),
        last_seq: Seq(9),
    };
    desk.tell(ClientEvent::Group { query, group: summary });
    assert!(desk.shows("Tea 🍵  3 members"));
    desk.line("/members");
    let query = desk.asked(|question| matches!(question, Question::Roster(_)));
    let item = |name: &str, role| RosterItem { user: user(name), role, since: Seq(1) };
    let items = vec![item("alice", Some(Role::Member)), item("carol", Some(Role::Owner)), item("dave", None)];
    desk.tell(ClientEvent::Roster { query, group: id, items, next: None });
    for line in [
        "every Saturday",
        "policy: members_invite",
        "3 members, 1 invited",
        "carol  owner",
        "alice (you)",
        "dave  invited",
    ] {
        assert!(desk.shows(line), "{line}");
    }
    desk.key(KeyCode::Esc);
    assert!(!desk.shows("every Saturday"));
    desk.tell(ClientEvent::Typing(Typing { conversation: id, user: user("carol"), on: true }));
    assert!(desk.shows("Tea 🍵  carol is writing …"));
    desk.tell(message(title, id, 10, "carol", change(&Change::Removed(user("alice")))));
    assert!(desk.shows("carol removed you") && desk.shows("you are not in it any more"));
}

#[test]
fn help_names_every_command() {
    let mut desk = Desk::new(100, 60);
    desk.line("/help");
    for (name, ..) in super::super::slash::COMMANDS {
        assert!(desk.shows(&format!("/{name}")), "{name}");
    }
    let mut small = Desk::new(80, 24);
    small.line("/help");
    assert!(small.shows("Enter  send") && !small.shows("/quit"));
    (0..5).for_each(|_| small.key(KeyCode::PageDown));
    assert!(small.shows("/quit"), "{:#?}", small.rows());
}
