//! The messages of the conversation that is open, from the newest one back.

use iris_client::{PresenceState, Seq, Standing, UserId};
use jiff::civil::Date;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::chat::tui::app::{App, Drawn};
use crate::chat::tui::thread::{Pending, Said, Thread, Tick, What};
use crate::chat::tui::wrap::{cut, one_line, printable, width, wrap};

/// Colours of names, chosen by the name.
const COLOURS: [Color; 6] =
    [Color::Cyan, Color::Magenta, Color::Yellow, Color::Blue, Color::LightRed, Color::LightGreen];
/// Columns that the time and a name take at most before what was said is indented less.
const INDENT: usize = 16;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App, area: Rect) -> Drawn {
    let page = usize::from(area.height);
    let Some(thread) = app.thread() else { return Drawn { page, scroll_max: None } };
    let columns = usize::from(area.width);
    let wanted = app.scroll.saturating_add(page);
    let (mut lines, is_whole) = backward(app, thread, columns, wanted);
    let scroll_max = is_whole.then(|| lines.len().saturating_sub(page));
    let scroll = scroll_max.map_or(app.scroll, |most| app.scroll.min(most));
    let shown: Vec<Line<'_>> = lines.drain(..).skip(scroll).take(page).rev().collect();
    // A short conversation stands at the bottom, where it is written.
    let above = page.saturating_sub(shown.len());
    let padded: Vec<Line<'_>> = std::iter::repeat_n(Line::default(), above).chain(shown).collect();
    frame.render_widget(Paragraph::new(padded), area);
    Drawn { page, scroll_max }
}

/// Lines from the newest back, at least as many as wanted if there are; whether the first message is among them.
fn backward<'a>(app: &App, thread: &Thread, columns: usize, wanted: usize) -> (Vec<Line<'a>>, bool) {
    let mut lines = Vec::new();
    let mut day: Option<Date> = None;
    let put = |block: Vec<Line<'a>>, lines: &mut Vec<Line<'a>>| lines.extend(block.into_iter().rev());
    for pending in thread.pending.iter().rev() {
        put(pending_lines(app, pending, columns), &mut lines);
        day = day.or(Some(app.calendar.day(pending.at)));
    }
    for (seq, said) in thread.said.iter().rev() {
        if lines.len() >= wanted {
            return (lines, false);
        }
        let this = app.calendar.day(said.at);
        if let Some(later) = day.filter(|later| *later != this) {
            lines.push(separator(&app.calendar.day_name(later), columns));
        }
        day = Some(this);
        put(said_lines(app, thread, *seq, said, columns), &mut lines);
        if thread.unread_from == Some(*seq) {
            lines.push(separator("unread", columns).fg(Color::Green));
        }
    }
    if let Some(first) = day {
        lines.push(separator(&app.calendar.day_name(first), columns));
    }
    let hint = match (thread.is_loading, thread.has_more, thread.said.is_empty() && thread.pending.is_empty())
    {
        (true, ..) => "loading …",
        (false, true, _) => "older messages: PgUp",
        (false, false, true) if thread.is_loaded => "nothing written yet",
        _ => "",
    };
    if !hint.is_empty() {
        lines.push(centred(hint, columns).dim());
    }
    (lines, true)
}

fn said_lines<'a>(app: &App, thread: &Thread, seq: Seq, said: &Said, columns: usize) -> Vec<Line<'a>> {
    let time = app.calendar.clock(said.at);
    let What::Text(text) = &said.what else {
        let sentence = format!("{time} {}", one_line(&said.sentence(&app.me)));
        return wrap(&sentence, columns.saturating_sub(2))
            .into_iter()
            .map(|line| centred(&line, columns).dim())
            .collect();
    };
    let is_own = said.from == app.me;
    let (sign, colour) = match (is_own, thread.tick(seq)) {
        (false, _) => (String::new(), Color::Reset),
        (true, Tick::Sent) => (" ✓".to_owned(), Color::DarkGray),
        (true, Tick::Counted(have, all)) => (format!(" ✓ {have}/{all}"), Color::DarkGray),
        (true, Tick::Delivered) => (" ✓✓".to_owned(), Color::DarkGray),
        (true, Tick::Read) => (" ✓✓".to_owned(), Color::LightBlue),
    };
    let name = if is_own { "you".to_owned() } else { said.from.to_string() };
    let name_colour = if is_own { Color::Reset } else { colour_of(&said.from) };
    message(&time, &name, name_colour, text, Span::from(sign).fg(colour), columns)
}

fn pending_lines<'a>(app: &App, pending: &Pending, columns: usize) -> Vec<Line<'a>> {
    let sign = match pending.failed {
        Some(refusal) => Span::from(format!(" ✗ {refusal}")).fg(Color::Red),
        None => Span::from(" …").dim(),
    };
    message(&app.calendar.clock(pending.at), "you", Color::Reset, &pending.text, sign, columns)
}

/// Time and name, what was said indented behind them, and how far it is.
fn message<'a>(
    time: &str,
    name: &str,
    name_colour: Color,
    text: &str,
    sign: Span<'a>,
    columns: usize,
) -> Vec<Line<'a>> {
    let name = cut(name, (columns / 2).max(4));
    let indent = (width(time) + width(&name) + 4).min(INDENT).min(columns / 2);
    let first_indent = width(time) + width(&name) + 4;
    let room = columns.saturating_sub(indent + width(&sign.content)).max(1);
    // The first line begins further right than the others if the name is long.
    let filler = "\u{a0}".repeat(first_indent.saturating_sub(indent).min(room.saturating_sub(1)));
    let mut pieces = wrap(&format!("{filler}{}", printable(text)), room);
    let last = pieces.len().saturating_sub(1);
    pieces
        .iter_mut()
        .enumerate()
        .map(|(at, piece)| {
            let mut spans = if at == 0 {
                let piece_text = piece.trim_start_matches('\u{a0}').to_owned();
                vec![
                    Span::from(format!(" {time} ")).dim(),
                    Span::from(format!("{name}: ")).bold().fg(name_colour),
                    Span::from(piece_text),
                ]
            } else {
                vec![Span::from(" ".repeat(indent)), Span::from(std::mem::take(piece))]
            };
            if at == last {
                spans.push(sign.clone());
            }
            Line::from(spans)
        })
        .collect()
}

fn separator<'a>(name: &str, columns: usize) -> Line<'a> {
    let name = cut(name, columns.saturating_sub(6));
    let dashes = "─".repeat(columns.saturating_sub(width(&name) + 2) / 2);
    Line::from(format!("{dashes} {name} {dashes}")).dim()
}

fn centred<'a>(text: &str, columns: usize) -> Line<'a> {
    let gap = columns.saturating_sub(width(text)) / 2;
    Line::from(format!("{}{text}", " ".repeat(gap)))
}

fn colour_of(user: &UserId) -> Color {
    let sum = user
        .as_bytes()
        .iter()
        .fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    COLOURS.get(sum % COLOURS.len()).copied().unwrap_or(Color::Reset)
}

/// What is known of who it is: who writes, who is there, how many.
pub(super) fn about(app: &App, thread: &Thread) -> (String, Color) {
    let writers: Vec<String> = thread.typing.iter().map(ToString::to_string).collect();
    match (&writers[..], thread.other()) {
        ([], None) => match (thread.standing, &thread.group) {
            (Standing::Invited, _) => ("you are invited: /accept or /leave".to_owned(), Color::Green),
            (Standing::Gone, _) => ("you are not in it any more".to_owned(), Color::DarkGray),
            (Standing::Member, Some(group)) => {
                let count = group.members;
                (format!("{count} member{}", if count == 1 { "" } else { "s" }), Color::DarkGray)
            }
            (Standing::Member, None) => (String::new(), Color::DarkGray),
        },
        ([], Some(user)) => match app.presence.get(user) {
            Some(PresenceState::Online) => ("online".to_owned(), Color::Green),
            Some(PresenceState::LastSeen(at)) => {
                (format!("last seen {}", app.calendar.ago(*at)), Color::DarkGray)
            }
            Some(PresenceState::Hidden) | None => (String::new(), Color::DarkGray),
        },
        (_, Some(_)) => ("is writing …".to_owned(), Color::Green),
        ([one], None) => (format!("{one} is writing …"), Color::Green),
        (several, None) => (format!("{} are writing …", several.join(", ")), Color::Green),
    }
}
