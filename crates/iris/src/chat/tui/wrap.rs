//! Text made fit for a screen: nothing in it moves the cursor, and no line is wider than its place.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What a stranger wrote, without what would drive a terminal or turn the direction of what follows.
pub(super) fn printable(text: &str) -> String {
    let safe = |char: char| match char {
        '\n' => '\n',
        '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        char if char.is_control() => '\u{fffd}',
        char => char,
    };
    text.chars().map(safe).collect()
}

/// The same on one line.
pub(super) fn one_line(text: &str) -> String {
    printable(text).replace('\n', " ")
}

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Lines of at most `columns` (at least 1), broken between words where that is possible.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split_inclusive(' ') {
            if used > 0 && used + width(word.trim_end()) > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            for character in word.graphemes(true) {
                let needed = width(character);
                // A space that does not fit any more is what the line is broken at.
                if used + needed > columns && character == " " {
                    continue;
                }
                if used + needed > columns && used > 0 {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push_str(character);
                used += needed;
            }
        }
        lines.push(line);
    }
    lines
}

/// The begin of a text, with an ellipsis where it is cut.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.graphemes(true) {
        used += width(character);
        if used + 1 > columns {
            break;
        }
        kept.push_str(character);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_its_place() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one\n\ntwo", 7), ["one", "", "two"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij ", "kl"]);
        assert_eq!(wrap("", 5), [""]);
        let texts =
            ["日本語のテキスト with words", "👩‍👩‍👧 family 👩‍👩‍👧", "a\u{301}e\u{301}i\u{301}", "x    y     z"];
        for text in texts {
            for columns in 2..20 {
                for line in wrap(text, columns) {
                    assert!(width(&line) <= columns, "{line:?} in {columns}");
                }
                assert!(width(&cut(text, columns)) <= columns);
            }
            let _ = (wrap(text, 0), cut(text, 0));
        }
        assert_eq!(cut("abcdef", 4), "abc…");
    }

    #[test]
    fn a_message_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n\u{9b}c\u{202e}d\te"), "a\u{fffd}[2Jb\n\u{fffd}c\u{fffd}d e");
        assert_eq!(one_line("two\nlines"), "two lines");
    }
}
