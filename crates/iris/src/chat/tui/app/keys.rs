//! Keys.

use iris_client::ConversationId;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::effect::Effect;
use super::super::slash::complete;
use super::{App, Focus};

impl App {
    pub(in super::super) fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        self.notice = None;
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let is_alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char('c' | 'q') if is_control => self.effects.push(Effect::Quit),
            _ if self.panel.is_some() => self.panel_key(key.code),
            KeyCode::Char('n') if is_control => self.step(1),
            KeyCode::Char('p') if is_control => self.step(-1),
            KeyCode::Down if is_alt => self.step(1),
            KeyCode::Up if is_alt => self.step(-1),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_add(self.page.max(2) - 1),
            KeyCode::PageDown => {
                self.scroll = self.scroll.saturating_sub(self.page.max(2) - 1);
                self.mark_read();
            }
            KeyCode::F(1) => self.panel = Some(super::super::panel::Panel::help()),
            code if self.focus == Focus::List => self.list_key(code, is_control || is_alt),
            KeyCode::Char(char) if is_control => self.control_key(char),
            code => self.compose_key(code, is_alt),
        }
    }

    /// Text that came at once.
    pub(in super::super) fn paste(&mut self, text: &str) {
        if self.panel.is_none() {
            self.focus = Focus::Compose;
            self.compose.insert(&text.replace("\r\n", "\n").replace('\r', "\n"));
            self.tell_typing();
        }
    }

    fn panel_key(&mut self, code: KeyCode) {
        let Some(panel) = &mut self.panel else { return };
        let last = panel.lines.len().saturating_sub(1);
        match code {
            KeyCode::Up => panel.scroll = panel.scroll.saturating_sub(1),
            KeyCode::Down => panel.scroll = (panel.scroll + 1).min(last),
            KeyCode::PageUp => panel.scroll = panel.scroll.saturating_sub(10),
            KeyCode::PageDown => panel.scroll = (panel.scroll + 10).min(last),
            _ => {
                self.panel = None;
                self.mark_read();
            }
        }
    }

    fn list_key(&mut self, code: KeyCode, is_modified: bool) {
        match code {
            KeyCode::Up => self.select(-1),
            KeyCode::Down => self.select(1),
            KeyCode::Enter | KeyCode::Right => {
                if let Some(id) = self.selected {
                    self.open_conversation(id);
                }
            }
            KeyCode::Tab | KeyCode::Esc | KeyCode::Left => self.focus = Focus::Compose,
            KeyCode::Char(char) if !is_modified => {
                self.focus = Focus::Compose;
                self.compose_key(KeyCode::Char(char), false);
            }
            _ => {}
        }
    }

    fn control_key(&mut self, char: char) {
        match char {
            'u' => self.compose.clear(),
            'w' => self.compose.delete_word(),
            'a' => self.compose.home(),
            'e' => self.compose.end(),
            'j' => self.compose.insert("\n"),
            _ => return,
        }
        self.tell_typing();
    }

    fn compose_key(&mut self, code: KeyCode, is_alt: bool) {
        match code {
            KeyCode::Enter if is_alt => self.compose.insert("\n"),
            KeyCode::Enter => return self.submit(),
            KeyCode::Char(char) if !is_alt => self.compose.insert(char.encode_utf8(&mut [0; 4])),
            KeyCode::Backspace => self.compose.backspace(),
            KeyCode::Delete => self.compose.delete(),
            KeyCode::Left => return self.compose.left(),
            KeyCode::Right => return self.compose.right(),
            KeyCode::Home => return self.compose.home(),
            KeyCode::End => return self.compose.end(),
            KeyCode::Up => return self.compose.earlier(),
            KeyCode::Down => return self.compose.later(),
            KeyCode::Tab if self.compose.is_empty() => return self.go_to_list(),
            KeyCode::Tab => return self.complete(),
            KeyCode::Esc if self.scroll > 0 => {
                self.scroll = 0;
                return self.mark_read();
            }
            KeyCode::Esc => return self.go_to_list(),
            _ => return,
        }
        self.tell_typing();
    }

    fn go_to_list(&mut self) {
        self.focus = Focus::List;
        self.selected = self.open.or_else(|| self.order().first().copied());
    }

    fn complete(&mut self) {
        let typed: Vec<String> = self.names();
        let Some((text, all)) = complete(self.compose.text(), typed.iter().map(String::as_str)) else {
            return;
        };
        if all.len() > 1 && text == self.compose.text() {
            self.say(all.join("  "));
        }
        self.compose.set(text);
    }

    /// The users that the screen knows.
    fn names(&self) -> Vec<String> {
        let others = self.threads.values().filter_map(|thread| thread.other().map(ToString::to_string));
        let here = self.thread().into_iter().flat_map(|thread| thread.said.values());
        others.chain(here.map(|said| said.from.to_string())).collect()
    }

    fn select(&mut self, by: isize) {
        self.selected = self.neighbour(self.selected, by);
    }

    /// Opens the next conversation of the list, or the one before.
    fn step(&mut self, by: isize) {
        let from = if self.focus == Focus::List { self.selected } else { self.open };
        if let Some(id) = self.neighbour(from, by) {
            self.open_conversation(id);
        }
    }

    fn neighbour(&self, from: Option<ConversationId>, by: isize) -> Option<ConversationId> {
        let order = self.order();
        let at = from.and_then(|from| order.iter().position(|id| *id == from));
        let next = match at {
            Some(at) => at.saturating_add_signed(by).min(order.len().saturating_sub(1)),
            None => 0,
        };
        order.get(next).copied()
    }

    fn tell_typing(&mut self) {
        let Some(target) = self.thread().map(|thread| thread.target.clone()) else { return };
        if self.compose.text().starts_with('/') {
            return;
        }
        self.effects.push(Effect::Typing { target, on: !self.compose.is_empty() });
    }
}
