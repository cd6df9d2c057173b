//! Tokens: JSON Web Tokens signed with HS256 and nothing else (RFC 7519, RFC 7518 section 3.2).
//!
//! A token names its user (`sub`), its lifetime (`iat`, `exp`, whole seconds, at most 24 hours apart) and itself
//! (`jti`); `nbf` is honoured when present, every other claim is ignored. What a header says about keys (`kid`,
//! `jku`, `jwk`, `x5c`) is never looked at: there is one secret. Revocation is decided by the core.

use std::fmt;

use aws_lc_rs::digest;
use iris_types::limits::{TOKEN_AHEAD_MS_MAX, TOKEN_BYTES_MAX, TOKEN_LIFETIME_S_MAX, TOKEN_SECRET_BYTES_MIN};
use iris_types::request::TokenFacts;
use iris_types::{ErrorCode, Timestamp, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Deserializer, Serialize};

/// Distinct byte values that a secret has at least. 32 random bytes have 30 on average; 8 or fewer do not happen
/// by chance, while "00000000…" and repeated words are refused.
const DISTINCT_BYTES_MIN: usize = 9;

/// The key that tokens are signed with: at least 32 bytes, wiped when dropped, never shown.
#[derive(Clone)]
pub struct TokenSecret {
    verifying: DecodingKey,
    signing: EncodingKey,
}

/// Why bytes will not do as a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    #[error("a token secret has at least {TOKEN_SECRET_BYTES_MIN} bytes, this one has {0}")]
    Short(usize),
    #[error("the token secret repeats itself: use random bytes, for example from `openssl rand -hex 32`")]
    Uniform,
}

/// Why no token is minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    #[error("a token lives 1 to {TOKEN_LIFETIME_S_MAX} seconds, not {0}")]
    Lifetime(u64),
    #[error("the token cannot be signed")]
    Signature,
}

impl TokenSecret {
    /// # Errors
    /// [`WeakSecret`] for fewer than 32 bytes and for bytes that nobody drew at random.
    pub fn new(bytes: &[u8]) -> Result<Self, WeakSecret> {
        if bytes.len() < TOKEN_SECRET_BYTES_MIN {
            return Err(WeakSecret::Short(bytes.len()));
        }
        if distinct_bytes(bytes) < DISTINCT_BYTES_MIN {
            return Err(WeakSecret::Uniform);
        }
        Ok(Self { verifying: DecodingKey::from_secret(bytes), signing: EncodingKey::from_secret(bytes) })
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(..)")
    }
}

/// Signs a token for `user` that is valid from `now` for `seconds`; `jti` has to be unique (random).
///
/// # Errors
/// [`MintError::Lifetime`] unless 1 <= `seconds` <= 86,400.
pub fn mint(
    secret: &TokenSecret,
    user: &UserId,
    now: Timestamp,
    seconds: u64,
    jti: &str,
) -> Result<String, MintError> {
    if seconds == 0 || seconds > TOKEN_LIFETIME_S_MAX {
        return Err(MintError::Lifetime(seconds));
    }
    let iat = now.0 / 1_000;
    let claims = NewClaims { sub: user.as_str(), iat, exp: iat + seconds, jti };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret.signing)
        .map_err(|_| MintError::Signature)
}

/// Checks signature, claims and times.
///
/// # Errors
/// [`ErrorCode::BadToken`], [`ErrorCode::InvalidName`] (of the user), or [`ErrorCode::TokenExpired`], which also
/// means "not valid yet".
pub fn verify(secret: &TokenSecret, token: &[u8], now: Timestamp) -> Result<(UserId, TokenFacts), ErrorCode> {
    let claims = signed_claims(secret, token)?;
    let (user, facts) = claims.facts()?;
    let not_before = claims.nbf.map_or(Timestamp(0), in_millis);
    let too_early = now < not_before || facts.issued_at.millis_since(now) > TOKEN_AHEAD_MS_MAX;
    if too_early || now >= facts.expires_at {
        return Err(ErrorCode::TokenExpired);
    }
    Ok((user, facts))
}

/// What a genuine token says, whatever the time: for revoking it.
///
/// # Errors
/// [`ErrorCode::BadToken`] or [`ErrorCode::InvalidName`].
pub fn facts(secret: &TokenSecret, token: &[u8]) -> Result<(UserId, TokenFacts), ErrorCode> {
    signed_claims(secret, token)?.facts()
}

/// Whom a token names, whether it is genuine or not: for counting failures, and nothing else.
pub(crate) fn claimed_user(token: &[u8]) -> Option<UserId> {
    #[derive(Deserialize)]
    struct Claim {
        sub: String,
    }
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let claim: Claim = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    UserId::new(&claim.sub).ok()
}

#[derive(Serialize)]
struct NewClaims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    iat: u64,
    exp: u64,
    jti: String,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<u64>,
}

impl Claims {
    fn facts(&self) -> Result<(UserId, TokenFacts), ErrorCode> {
        let lifetime = self.exp.checked_sub(self.iat).ok_or(ErrorCode::BadToken)?;
        if lifetime == 0 || lifetime > TOKEN_LIFETIME_S_MAX || self.jti.is_empty() {
            return Err(ErrorCode::BadToken);
        }
        let user = UserId::new(&self.sub).map_err(|_| ErrorCode::InvalidName)?;
        let facts = TokenFacts {
            id: token_id(&self.jti),
            issued_at: in_millis(self.iat),
            expires_at: in_millis(self.exp),
        };
        Ok((user, facts))
    }
}

/// The claims of a token whose header says HS256 and whose signature holds.
fn signed_claims(secret: &TokenSecret, token: &[u8]) -> Result<Claims, ErrorCode> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(ErrorCode::BadToken);
    }
    let data = jsonwebtoken::decode::<Claims>(token, &secret.verifying, &signature_only())
        .map_err(|_| ErrorCode::BadToken)?;
    // RFC 7515 section 4.1.11: an extension that must be understood, and none is.
    if data.header.crit.is_some() {
        return Err(ErrorCode::BadToken);
    }
    Ok(data.claims)
}

/// The library checks algorithm and signature; times are ours, because the clock is an argument.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// An optional claim that is there has to have the right type: `null` is no number.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(deserializer).map(Some)
}

fn token_id(jti: &str) -> [u8; 16] {
    let hash = digest::digest(&digest::SHA256, jti.as_bytes());
    let mut id = [0; 16];
    id.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    id
}

fn in_millis(seconds: u64) -> Timestamp {
    Timestamp(seconds.saturating_mul(1_000))
}

fn distinct_bytes(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
