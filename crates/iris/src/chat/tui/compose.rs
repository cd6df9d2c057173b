//! The line that is being written: text, cursor, and what was written before.

use std::collections::VecDeque;

use iris_types::limits::SCREEN_LINES_MAX;
use unicode_segmentation::UnicodeSegmentation;

/// An editor of one text, which may have several lines when it was pasted.
#[derive(Debug, Default)]
pub(super) struct Compose {
    text: String,
    /// A place in the text, between two characters as people see them.
    cursor: usize,
    past: VecDeque<String>,
    /// How far back in the past one is looking, and what was written before that.
    looking: Option<(usize, String)>,
}

impl Compose {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
        self.looking = None;
    }

    /// Gives the text away and remembers it as written.
    pub(super) fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        self.cursor = 0;
        self.looking = None;
        if !text.is_empty() && self.past.back() != Some(&text) {
            self.past.push_back(text.clone());
            if self.past.len() > SCREEN_LINES_MAX {
                self.past.pop_front();
            }
        }
        text
    }

    pub(super) fn insert(&mut self, text: &str) {
        // Control characters would come back as something else on the screen of whoever reads them.
        let kept: String = text.chars().filter(|char| !char.is_control() || *char == '\n').collect();
        self.text.insert_str(self.cursor, &kept);
        self.cursor += kept.len();
    }

    pub(super) fn backspace(&mut self) {
        let before = self.before();
        self.text.replace_range(before..self.cursor, "");
        self.cursor = before;
    }

    pub(super) fn delete(&mut self) {
        let after = self.after();
        self.text.replace_range(self.cursor..after, "");
    }

    pub(super) fn delete_word(&mut self) {
        let head = self.text.get(..self.cursor).unwrap_or_default();
        let words = head.trim_end();
        let start = words.rfind(char::is_whitespace).map_or(0, |at| {
            at + words.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
        });
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.before();
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.after();
    }

    pub(super) const fn home(&mut self) {
        self.cursor = 0;
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    /// One line further back in what was written.
    pub(super) fn earlier(&mut self) {
        let (at, draft) = match &self.looking {
            Some((at, draft)) => (at.saturating_sub(1), draft.clone()),
            None if self.past.is_empty() => return,
            None => (self.past.len() - 1, self.text.clone()),
        };
        self.show(at, draft);
    }

    pub(super) fn later(&mut self) {
        let Some((at, draft)) = self.looking.clone() else { return };
        if at + 1 < self.past.len() {
            self.show(at + 1, draft);
        } else {
            self.set(draft);
        }
    }

    fn show(&mut self, at: usize, draft: String) {
        let Some(text) = self.past.get(at).cloned() else { return };
        self.set(text);
        self.looking = Some((at, draft));
    }

    fn before(&self) -> usize {
        let head = self.text.get(..self.cursor).unwrap_or_default();
        head.grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        let tail = self.text.get(self.cursor..).unwrap_or_default();
        self.cursor + tail.graphemes(true).next().map_or(0, str::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_goes_by_characters_as_people_see_them() {
        let mut compose = Compose::default();
        compose.insert("tea 👩‍👩‍👧 né\u{301}e\u{1b}[2J");
        assert_eq!(compose.text(), "tea 👩‍👩‍👧 né\u{301}e[2J", "without what would drive a terminal");
        (0..4).for_each(|_| compose.backspace());
        compose.backspace();
        assert_eq!(compose.text(), "tea 👩‍👩‍👧 n");
        (0..2).for_each(|_| compose.left());
        compose.backspace();
        assert_eq!((compose.text(), compose.cursor()), ("tea  n", 4));
        compose.delete();
        compose.end();
        compose.insert("ow");
        compose.delete_word();
        assert_eq!(compose.text(), "tea ");
        compose.delete_word();
        assert!(compose.is_empty());
        compose.delete_word();
        compose.backspace();
        compose.delete();
        compose.left();
        compose.right();
        assert!(compose.is_empty());
    }

    #[test]
    fn what_was_written_comes_back_and_the_draft_is_not_lost() {
        let mut compose = Compose::default();
        for text in ["one", "two", "two"] {
            compose.insert(text);
            compose.take();
        }
        compose.insert("dra");
        compose.earlier();
        assert_eq!(compose.text(), "two");
        compose.earlier();
        compose.earlier();
        assert_eq!(compose.text(), "one");
        compose.later();
        compose.later();
        assert_eq!(compose.text(), "dra");
        for number in 0..2 * SCREEN_LINES_MAX {
            compose.set(number.to_string());
            compose.take();
        }
        assert_eq!(compose.past.len(), SCREEN_LINES_MAX);
    }
}
