//! The screen as it is drawn. Reads the machine, and says what it found out about the room there was.

mod list;
mod messages;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::app::{App, Drawn, Focus, Link};
use super::panel::Panel;
use super::wrap::{cut, width, wrap};

/// Columns and rows without which nothing can be shown.
const SMALLEST: (u16, u16) = (20, 6);
/// Columns from which on the list stands beside the conversation.
const TWO_PANES: u16 = 60;
/// Lines of what is being written that are shown at once.
const COMPOSE_LINES: usize = 4;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App) -> Drawn {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        frame.render_widget(Paragraph::new("too small"), area);
        return Drawn::default();
    }
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    draw_head(frame, app, head);
    let drawn = if area.width >= TWO_PANES {
        let list_width = (area.width / 3).min(32);
        let [left, line, right] =
            Layout::horizontal([Constraint::Length(list_width), Constraint::Length(1), Constraint::Min(1)])
                .areas(body);
        list::draw(frame, app, left);
        let bar: Vec<Line<'_>> = (0..line.height).map(|_| Line::from("│").dim()).collect();
        frame.render_widget(Paragraph::new(bar), line);
        draw_conversation(frame, app, right)
    } else if app.focus == Focus::List || app.open.is_none() {
        list::draw(frame, app, body);
        Drawn::default()
    } else {
        draw_conversation(frame, app, body)
    };
    draw_foot(frame, app, foot);
    if let Some(panel) = &app.panel {
        draw_panel(frame, panel, body);
    }
    drawn
}

fn draw_head(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let unread = app.unread();
    let left = match unread {
        0 => format!(" {} ", app.me),
        _ => format!(" {} · {unread} unread ", app.me),
    };
    let (state, colour) = match &app.link {
        Link::Connecting => ("connecting …".to_owned(), Color::Yellow),
        Link::Connected => ("● connected".to_owned(), Color::Green),
        Link::Lost(None) => ("○ connection lost; what you write is kept".to_owned(), Color::Yellow),
        Link::Lost(Some(why)) => (format!("○ {why}"), Color::Yellow),
        Link::Stopped(why) => (format!("✗ {why}: not trying again"), Color::Red),
    };
    let room = usize::from(area.width).saturating_sub(width(&left) + 1);
    let state = cut(&state, room);
    let gap = " ".repeat(room.saturating_sub(width(&state)));
    let line =
        Line::from(vec![Span::from(left).bold(), Span::from(gap), Span::from(state).fg(colour), " ".into()]);
    frame.render_widget(Paragraph::new(line).style(Style::new().reversed()), area);
}

fn draw_foot(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let room = usize::from(area.width);
    let line = match &app.notice {
        Some(notice) if notice.is_error => Line::from(cut(&format!(" {}", notice.text), room)).fg(Color::Red),
        Some(notice) => Line::from(cut(&format!(" {}", notice.text), room)),
        None if app.scroll > 0 => {
            Line::from(cut(" ↓ newer messages below: PgDn, Esc", room)).fg(Color::Yellow)
        }
        None => {
            Line::from(cut(" Tab list · PgUp/PgDn scroll · Ctrl-N/P next · /help · Ctrl-C leave", room)).dim()
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_conversation(frame: &mut Frame<'_>, app: &App, area: Rect) -> Drawn {
    let columns = usize::from(area.width).saturating_sub(2).max(1);
    let written = wrap(app.compose.text(), columns);
    let height = written.len().clamp(1, COMPOSE_LINES.min(usize::from(area.height) / 3).max(1));
    let compose_rows = u16::try_from(height).unwrap_or(1);
    let [title, messages, rule, compose] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
        Constraint::Length(compose_rows),
    ])
    .areas(area);
    draw_title(frame, app, title);
    let drawn = messages::draw(frame, app, messages);
    let dashes = "─".repeat(usize::from(rule.width));
    frame.render_widget(Paragraph::new(Line::from(dashes).dim()), rule);
    draw_compose(frame, app, compose, &written, columns);
    drawn
}

/// Who it is, and what is known of them.
fn draw_title(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let Some(thread) = app.thread() else {
        let line = Line::from(" Choose a conversation: Tab for the list, /to USER for somebody new").dim();
        return frame.render_widget(Paragraph::new(line), area);
    };
    let (about, colour) = messages::about(app, thread);
    let name = cut(&thread.title, usize::from(area.width).saturating_sub(2));
    let room = usize::from(area.width).saturating_sub(width(&name) + 3);
    let line = Line::from(vec![
        " ".into(),
        Span::from(name).bold(),
        "  ".into(),
        Span::from(cut(&about, room)).fg(colour),
    ]);
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_compose(frame: &mut Frame<'_>, app: &App, area: Rect, written: &[String], columns: usize) {
    let head = app.compose.text().get(..app.compose.cursor()).unwrap_or_default();
    let before = wrap(head, columns);
    let (mut row, mut column) = (before.len().saturating_sub(1), before.last().map_or(0, |line| width(line)));
    // A word that is too long for its line has gone to the next one, with what is written before the cursor.
    if let Some(line) = written.get(row)
        && width(line) < column
    {
        row += 1;
        column = 0;
    }
    let height = usize::from(area.height);
    let first = (row + 1).saturating_sub(height).min(written.len().saturating_sub(height));
    let is_here = app.focus == Focus::Compose && app.panel.is_none();
    let mark = if is_here { Span::from("> ").bold() } else { Span::from("> ").dim() };
    let lines = written.iter().enumerate().skip(first).take(height).map(|(at, line)| {
        let mark = if at == 0 { mark.clone() } else { Span::from("  ") };
        Line::from(vec![mark, Span::from(line.clone())])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
    if is_here {
        let x = area.x.saturating_add(u16::try_from(2 + column).unwrap_or(u16::MAX));
        let y = area.y.saturating_add(u16::try_from(row.saturating_sub(first)).unwrap_or(u16::MAX));
        let inside =
            Position::new(x.min(area.right().saturating_sub(1)), y.min(area.bottom().saturating_sub(1)));
        frame.set_cursor_position(inside);
    }
}

fn draw_panel(frame: &mut Frame<'_>, panel: &Panel, area: Rect) {
    let widest = panel.lines.iter().map(|line| width(line)).max().unwrap_or(0);
    let columns = (widest + 4).max(width(&panel.title) + 6).min(usize::from(area.width));
    let inner = columns.saturating_sub(4).max(1);
    let lines: Vec<String> = panel.lines.iter().flat_map(|line| wrap(line, inner)).collect();
    let rows = (lines.len() + 2).min(usize::from(area.height));
    let (columns, rows) =
        (u16::try_from(columns).unwrap_or(area.width), u16::try_from(rows).unwrap_or(area.height));
    let place = Rect {
        x: area.x + (area.width - columns.min(area.width)) / 2,
        y: area.y + (area.height - rows.min(area.height)) / 2,
        width: columns.min(area.width),
        height: rows.min(area.height),
    };
    let visible = usize::from(place.height).saturating_sub(2);
    let scroll = panel.scroll.min(lines.len().saturating_sub(visible));
    let more = if lines.len() > visible { " ↑↓ " } else { "" };
    let block = Block::bordered()
        .title(format!(" {} ", cut(&panel.title, inner)))
        .title_bottom(Line::from(format!("{more} Esc closes ")).right_aligned());
    let text: Vec<Line<'_>> =
        lines.into_iter().skip(scroll).take(visible).map(|line| Line::from(format!(" {line}"))).collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(text).block(block), place);
}
