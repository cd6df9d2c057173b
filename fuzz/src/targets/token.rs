//! Tokens: only the ones that were minted are accepted, for the user and the time they name.

use iris_edge::TokenSecret;
use iris_edge::token::{mint, verify};
use iris_types::{Timestamp, UserId};

use crate::behaviour;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) fn run(input: &[u8]) -> u64 {
    let Ok(secret) = TokenSecret::new(b"0123456789abcdefghijklmnopqrstuv") else { return 0 };
    match verify(&secret, input, NOW) {
        Ok((user, _)) => {
            assert_eq!(user.as_str(), "alice", "a token that nobody minted is accepted");
            1
        }
        Err(code) => behaviour(&[2, code as u64]),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let (Ok(secret), Ok(user)) =
        (TokenSecret::new(b"0123456789abcdefghijklmnopqrstuv"), UserId::new("alice"))
    else {
        return Vec::new();
    };
    let minted = |at: u64| mint(&secret, &user, Timestamp(at), 600, "one").map(String::into_bytes);
    [NOW.0, NOW.0 - 3_600_000, NOW.0 + 3_600_000].into_iter().filter_map(|at| minted(at).ok()).collect()
}
