//! The list of conversations.

use iris_client::{Flags, PresenceState, Standing};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::chat::tui::app::{App, Focus};
use crate::chat::tui::thread::Thread;
use crate::chat::tui::wrap::{cut, width};

/// Two rows for each conversation; those around the one that matters are shown.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let order = app.order();
    if order.is_empty() {
        let hint = Line::from(" No conversations yet").dim();
        return frame.render_widget(Paragraph::new(hint), area);
    }
    let has_keys = app.focus == Focus::List;
    let current = if has_keys { app.selected } else { app.open };
    let at = current.and_then(|current| order.iter().position(|id| *id == current)).unwrap_or(0);
    let fitting = usize::from(area.height / 2).max(1);
    let first = (at + 1).saturating_sub(fitting);
    let mut lines = Vec::new();
    for id in order.iter().skip(first).take(fitting) {
        let Some(thread) = app.threads.get(id) else { continue };
        let is_current = current == Some(*id);
        let style = match (is_current, has_keys) {
            (true, true) => Style::new().reversed(),
            (true, false) => Style::new().bg(Color::DarkGray),
            (false, _) => Style::new(),
        };
        lines.push(name_line(app, thread, usize::from(area.width)).style(style));
        lines.push(preview_line(app, thread, usize::from(area.width)).style(style));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn name_line(app: &App, thread: &Thread, columns: usize) -> Line<'static> {
    let time = if thread.last_at.0 > 0 { app.calendar.short(thread.last_at) } else { String::new() };
    let is_online = thread.other().and_then(|user| app.presence.get(user)) == Some(&PresenceState::Online);
    let sign = match (is_online, thread.is_group()) {
        (true, _) => Span::from("● ").fg(Color::Green),
        (false, true) => Span::from("# ").dim(),
        (false, false) => Span::from("  "),
    };
    let mut flags = String::new();
    for (flag, mark) in
        [(Flags::PINNED, "^"), (Flags::MUTED, "~"), (Flags::ARCHIVED, "a"), (Flags::BLOCKED, "x")]
    {
        if thread.flags.has(flag) {
            flags.push_str(mark);
        }
    }
    let right = format!(" {flags}{}{time} ", if flags.is_empty() { "" } else { " " });
    let room = columns.saturating_sub(2 + width(&right));
    let name = cut(&thread.title, room);
    let gap = " ".repeat(room.saturating_sub(width(&name)));
    let name = if thread.unread > 0 { Span::from(name).bold() } else { Span::from(name) };
    Line::from(vec![sign, name, gap.into(), Span::from(right).dim()])
}

fn preview_line(app: &App, thread: &Thread, columns: usize) -> Line<'static> {
    let badge = match thread.unread {
        0 => " ".to_owned(),
        count @ 1..=999 => format!(" {count} "),
        _ => " 999+ ".to_owned(),
    };
    let writer = thread.typing.iter().next();
    let (text, is_live) = match (writer, thread.standing) {
        (Some(_), _) if !thread.is_group() => ("writing …".to_owned(), true),
        (Some(user), _) => (format!("{user} is writing …"), true),
        (None, Standing::Invited) => ("you are invited".to_owned(), true),
        (None, Standing::Gone) => ("you are not in it any more".to_owned(), false),
        (None, Standing::Member) => (preview(app, thread), false),
    };
    let room = columns.saturating_sub(2 + width(&badge));
    let text = cut(&text, room);
    let gap = " ".repeat(room.saturating_sub(width(&text)));
    let text = if is_live { Span::from(text).fg(Color::Green) } else { Span::from(text).dim() };
    let badge = match (thread.unread, thread.flags.has(Flags::MUTED)) {
        (0, _) => Span::from(badge),
        (_, true) => Span::from(badge).dim(),
        (_, false) => Span::from(badge).bold().fg(Color::Black).bg(Color::Green),
    };
    Line::from(vec!["  ".into(), text, gap.into(), badge])
}

/// In a direct conversation it is plain who the other one is.
fn preview(app: &App, thread: &Thread) -> String {
    let of_other = thread.other().map(|user| format!("{user}: "));
    match of_other.and_then(|prefix| thread.preview.strip_prefix(&prefix).map(str::to_owned)) {
        Some(text) if thread.other() != Some(&app.me) => text,
        _ => thread.preview.clone(),
    }
}
