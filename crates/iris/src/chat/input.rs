//! Lines of the standard input, of bounded length.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

/// Bytes of a line: the longest message with every character escaped, and room around it.
const LINE_BYTES: u64 = 256 * 1_024; // layout
/// Lines read ahead.
const LINES_AHEAD: usize = 64; // layout

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// Longer than the bound, or not UTF-8; skipped.
    Unreadable(&'static str),
}

/// Reads lines in a task of their own, because a read in progress cannot be given up without losing bytes. The
/// channel ends with the input.
#[allow(clippy::disallowed_methods, reason = "ends with the input or with the process")]
pub(super) fn lines() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    tokio::spawn(async move {
        let mut input = BufReader::new(tokio::io::stdin());
        while let Some(line) = read_line(&mut input).await {
            if sender.send(line).await.is_err() {
                return;
            }
        }
    });
    receiver
}

async fn read_line(input: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Option<Line> {
    let mut bytes = Vec::new();
    let read = (&mut *input).take(LINE_BYTES).read_until(b'\n', &mut bytes).await.ok()?;
    if read == 0 {
        return None;
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.len() as u64 == LINE_BYTES {
        skip_line(input).await;
        return Some(Line::Unreadable("a line is too long"));
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => Line::Text(text),
        Err(_) => Line::Unreadable("a line is not UTF-8"),
    })
}

async fn skip_line(input: &mut (impl tokio::io::AsyncBufRead + Unpin)) {
    loop {
        let Ok(buffer) = input.fill_buf().await else { return };
        if buffer.is_empty() {
            return;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |at| at + 1);
        input.consume(length);
        if end.is_some() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_too_long_is_skipped_and_the_next_one_read() {
        let mut bytes = vec![b'x'; 3 * 256 * 1_024];
        bytes.extend(b"\nnext\n\xff\nlast");
        let mut input = BufReader::new(bytes.as_slice());
        assert_eq!(read_line(&mut input).await, Some(Line::Unreadable("a line is too long")));
        assert_eq!(read_line(&mut input).await, Some(Line::Text("next".to_owned())));
        assert_eq!(read_line(&mut input).await, Some(Line::Unreadable("a line is not UTF-8")));
        assert_eq!(read_line(&mut input).await, Some(Line::Text("last".to_owned())));
        assert_eq!(read_line(&mut input).await, None);
    }
}
