//! The catalogue of refusals: stable numbers, names, and whether trying again helps.

use std::fmt;

macro_rules! catalogue {
    ($($(#[$doc:meta])* $code:literal $variant:ident $name:literal $retry:ident,)*) => {
        /// Why a request was refused. Numbers and names never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum ErrorCode { $($(#[$doc])* $variant = $code,)* }

        impl ErrorCode {
            /// Every code there is, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, as in the protocol document and in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether the same request may succeed later, unchanged or as the code's description says.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => catalogue!(@$retry),)* }
            }

            /// `None` for a number this version does not know.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
    (@retry) => { true };
    (@final) => { false };
}

catalogue! {
    /// A frame or field that breaks its layout.
    100 BadFrame "bad_frame" final,
    /// An opcode this version does not know; the connection lives on.
    101 UnknownOpcode "unknown_opcode" final,
    /// No common protocol version.
    102 UnsupportedVersion "unsupported_version" final,
    /// A frame that the state of the connection does not allow.
    103 WrongState "wrong_state" final,
    /// A deadline for handshake, login, a partial frame or silence passed.
    104 TimedOut "timed_out" retry,
    /// The token is malformed, not HS256, wrongly signed, or misses or mistypes a claim.
    200 BadToken "bad_token" final,
    /// The token's time is over or has not come.
    201 TokenExpired "token_expired" final,
    /// The token, or every token of the user issued so far, was revoked.
    202 TokenRevoked "token_revoked" final,
    /// The login's timestamp is more than 60 s off, or lies before this server's start. The refusal carries the
    /// server's time; log in again with it.
    203 StaleTimestamp "stale_timestamp" retry,
    /// The login's nonce was used before by this user. Log in again with a new one.
    204 NonceReplayed "nonce_replayed" retry,
    /// A newer connection of the same device took over; do not reconnect.
    205 Replaced "replaced" final,
    /// A user or device name breaks the rules for names, or a label those for labels.
    206 InvalidName "invalid_name" final,
    /// The user has as many devices as a user may have, or has revoked as many as are remembered.
    207 TooManyDevices "too_many_devices" final,
    /// The device was revoked by its user: its name is never accepted again.
    208 DeviceRevoked "device_revoked" final,
    /// The user has no device of that name.
    209 UnknownDevice "unknown_device" final,
    /// The body is empty, too long, or text that is not UTF-8.
    300 InvalidBody "invalid_body" final,
    /// The id was used before by this sender in this conversation, with another body.
    301 IdConflict "id_conflict" final,
    /// The id is older than the window in which duplicates are known.
    302 IdTooOld "id_too_old" final,
    /// The id is dated more than 5 minutes ahead. Nothing was committed: a new id may be minted with the
    /// server's time, which the refusal carries.
    303 IdInFuture "id_in_future" retry,
    /// The send names a predecessor that is not committed (yet).
    304 OutOfOrder "out_of_order" retry,
    /// The id is not a UUID version 7.
    305 InvalidId "invalid_id" final,
    /// The cursor or acknowledgement lies ahead of the log.
    400 CursorAhead "cursor_ahead" final,
    /// The user is not a member of the group, or there is no such group.
    401 NotMember "not_member" final,
    /// The group has as many members and invitations as a group may have.
    402 GroupFull "group_full" final,
    /// The user's role, or the group's policy, does not allow it.
    403 NotAllowed "not_allowed" final,
    /// The user that the request is about has no such place in the group.
    404 UnknownMember "unknown_member" final,
    /// The recipient does not take messages of this sender.
    405 NotAccepted "not_accepted" final,
    /// The user has no such conversation, or it has no such message.
    406 UnknownConversation "unknown_conversation" final,
    /// A group's title, description or policy breaks the rules.
    407 InvalidGroup "invalid_group" final,
    /// The server has no room for this now: too much is waiting.
    500 Busy "busy" retry,
    /// The server's disk is nearly full: reads work, sends do not.
    501 StorageFull "storage_full" retry,
    /// Stored data that this needs is damaged; an operator has to look.
    502 DataCorrupt "data_corrupt" final,
    /// The server is stopping; reconnect after the hint.
    503 Draining "draining" retry,
    /// The storage cannot be reached or did not answer; whether a change happened is not known.
    504 Unavailable "unavailable" retry,
    /// The user, or the address, does this more often than it may.
    505 RateLimited "rate_limited" retry,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refusal as it travels: the code and, where trying again helps, how long to wait first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct Refusal {
    pub code: ErrorCode,
    /// 0: the client chooses.
    pub retry_after_ms: u32,
}

impl Refusal {
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, retry_after_ms: 0 }
    }

    #[must_use]
    pub const fn after(code: ErrorCode, retry_after_ms: u32) -> Self {
        Self { code, retry_after_ms }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_read_back() {
        assert!(ErrorCode::ALL.windows(2).all(|pair| (pair[0] as u16) < pair[1] as u16));
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_number(*code as u16), Some(*code));
        }
        assert_eq!(ErrorCode::from_number(0), None);
    }
}
