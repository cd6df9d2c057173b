//! Tokens: asked for at each connection, never kept.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use iris_types::UserId;

use crate::TokenError;

/// Where a connection's token comes from.
#[derive(Clone)]
pub enum TokenSource {
    /// A file that is read at each connection; whoever renews the token replaces it.
    File(PathBuf),
    /// Asked at each connection, on a thread that may block. The error is shown to the application.
    Provider(Arc<dyn Fn() -> Result<String, String> + Send + Sync>),
}

impl TokenSource {
    /// A token of `user`. Blocks.
    pub(crate) fn token(&self, user: &UserId) -> Result<Bytes, TokenError> {
        let text = match self {
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| TokenError::File { path: path.clone(), error })?,
            Self::Provider(provider) => provider().map_err(TokenError::Provider)?,
        };
        let token = text.trim();
        check_user(token, user)?;
        Ok(Bytes::copy_from_slice(token.as_bytes()))
    }
}

/// Shows where it comes from, never what it is.
impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Provider(_) => f.write_str("Provider"),
        }
    }
}

/// The server takes the user from the token alone. With somebody else's token this device would follow the wrong
/// inbox, so that is found out here. Whether the token is valid is for the server to say.
fn check_user(token: &str, user: &UserId) -> Result<(), TokenError> {
    let claims = token.split('.').nth(1).ok_or(TokenError::Malformed)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenError::Malformed)?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).map_err(|_| TokenError::Malformed)?;
    match claims.get("sub").and_then(serde_json::Value::as_str) {
        Some(named) if named == user.as_str() => Ok(()),
        Some(_) => Err(TokenError::OtherUser(user.clone())),
        None => Err(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn token_with(claims: &str) -> String {
        format!("e30.{}.c2ln\n", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_has_to_name_the_user() {
        let alice = UserId::new("alice").unwrap();
        let check = |text: String| TokenSource::Provider(Arc::new(move || Ok(text.clone()))).token(&alice);
        assert!(check(token_with(r#"{"sub":"alice","exp":1}"#)).is_ok_and(|token| token.ends_with(b"c2ln")));
        assert!(matches!(check(token_with(r#"{"sub":"bob"}"#)), Err(TokenError::OtherUser(_))));
        for bad in [token_with("{}"), token_with("no"), "a.!.b".to_owned(), String::new()] {
            assert!(matches!(check(bad), Err(TokenError::Malformed)));
        }
    }

    #[test]
    fn a_file_is_read_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let source = TokenSource::File(dir.path().join("token"));
        let user = UserId::new("alice").unwrap();
        assert!(matches!(source.token(&user), Err(TokenError::File { .. })));
        std::fs::write(dir.path().join("token"), token_with(r#"{"sub":"alice"}"#)).unwrap();
        assert!(source.token(&user).is_ok());
    }

    #[test]
    fn debug_of_a_source_hides_the_token() {
        let source = TokenSource::Provider(Arc::new(|| Ok("secret".to_owned())));
        assert_eq!(format!("{source:?}"), "Provider");
    }
}
