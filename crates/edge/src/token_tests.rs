#![allow(clippy::unwrap_used, clippy::expect_used)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const SECRET: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
const IAT: u64 = 1_800_000_000;
const NOW: Timestamp = Timestamp(IAT * 1_000 + 10_000);

fn secret() -> TokenSecret {
    TokenSecret::new(SECRET).unwrap()
}

fn hmac_sha256(message: &str) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET);
    aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

/// A token of these two texts, signed with HS256 whatever the header says.
fn signed(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(&message)))
}

fn good_claims() -> Value {
    json!({"sub": "alice", "iat": IAT, "exp": IAT + 3_600, "jti": "token-1"})
}

/// The good claims with one replaced or, for `null` as a marker, removed.
fn claims_with(name: &str, value: Option<Value>) -> String {
    let mut claims = good_claims();
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    claims.to_string()
}

fn verdict(token: &str) -> Result<String, ErrorCode> {
    verify(&secret(), token.as_bytes(), NOW).map(|(user, _)| user.to_string())
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

#[test]
fn a_good_token_names_its_user_and_its_times() {
    let (user, facts) = verify(&secret(), signed(HS256, &good_claims().to_string()).as_bytes(), NOW).unwrap();
    assert_eq!(user.as_str(), "alice");
    assert_eq!(facts.issued_at, Timestamp(IAT * 1_000));
    assert_eq!(facts.expires_at, Timestamp((IAT + 3_600) * 1_000));
    let hash = digest::digest(&digest::SHA256, b"token-1");
    assert_eq!(facts.id, hash.as_ref()[..16]);
}

#[test]
fn a_minted_token_verifies_until_its_last_second() {
    let user = UserId::new("bob@example.org").unwrap();
    let token = mint(&secret(), &user, NOW, 60, "x").unwrap();
    let at = |millis| verify(&secret(), token.as_bytes(), NOW.plus_millis(millis)).map(|(user, _)| user);
    assert_eq!(at(0), Ok(user.clone()));
    assert_eq!(at(59_999), Ok(user.clone()));
    assert_eq!(at(60_000), Err(ErrorCode::TokenExpired));
    assert_eq!(facts(&secret(), token.as_bytes()).unwrap().0, user);
}

#[test]
fn lifetimes_outside_the_bounds_are_not_minted() {
    let user = UserId::new("bob").unwrap();
    for seconds in [0, 86_401, u64::MAX] {
        assert_eq!(mint(&secret(), &user, NOW, seconds, "x"), Err(MintError::Lifetime(seconds)));
    }
    assert!(mint(&secret(), &user, NOW, 86_400, "x").is_ok());
}

#[test]
fn only_hs256_is_accepted() {
    let claims = good_claims().to_string();
    for alg in ["none", "None", "NONE", "", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA"] {
        let token = signed(&format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#), &claims);
        assert_eq!(verdict(&token), Err(ErrorCode::BadToken), "{alg}");
    }
    let unsigned =
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(&claims));
    assert_eq!(verdict(&unsigned), Err(ErrorCode::BadToken));
    assert_eq!(verdict(&signed(r#"{"typ":"JWT"}"#, &claims)), Err(ErrorCode::BadToken));
}

#[test]
fn what_the_header_says_about_keys_changes_nothing() {
    let claims = good_claims().to_string();
    let header = r#"{"alg":"HS256","kid":"../../dev/null","jku":"https://evil.example/keys"}"#;
    assert_eq!(verdict(&signed(header, &claims)), Ok("alice".to_owned()));
    let crit = r#"{"alg":"HS256","crit":["exp"],"exp":1}"#;
    assert_eq!(verdict(&signed(crit, &claims)), Err(ErrorCode::BadToken));
}

#[test]
fn a_wrong_key_or_a_changed_byte_is_a_bad_token() {
    let other = TokenSecret::new(b"vutsrqponmlkjihgfedcba9876543210").unwrap();
    let token = mint(&other, &UserId::new("alice").unwrap(), NOW, 60, "x").unwrap();
    assert_eq!(verdict(&token), Err(ErrorCode::BadToken));
    let good = signed(HS256, &good_claims().to_string());
    for at in 0..good.len() - 1 {
        // The last character of a part may carry unused bits; the library refuses those too.
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let result = verify(&secret(), &changed, NOW);
        assert_eq!(result.err(), Some(ErrorCode::BadToken), "byte {at}");
    }
}

#[test]
fn each_claim_has_to_be_there_with_its_type() {
    for name in ["sub", "iat", "exp", "jti"] {
        assert_eq!(verdict(&signed(HS256, &claims_with(name, None))), Err(ErrorCode::BadToken), "{name}");
    }
    let wrong = [
        ("sub", json!(7)),
        ("sub", json!(null)),
        ("sub", json!(["alice"])),
        ("iat", json!(IAT.to_string())),
        ("iat", json!(-1)),
        ("iat", json!(1.5)),
        ("exp", json!((IAT + 60).to_string())),
        ("exp", json!(null)),
        ("exp", json!(1e30)),
        ("exp", json!(true)),
        ("jti", json!(1)),
        ("jti", json!("")),
        ("jti", json!({})),
        ("nbf", json!("soon")),
        ("nbf", json!(null)),
        ("exp", json!(IAT - 1)),
        ("exp", json!(IAT)),
    ];
    for (name, value) in wrong {
        let token = signed(HS256, &claims_with(name, Some(value.clone())));
        assert_eq!(verdict(&token), Err(ErrorCode::BadToken), "{name} {value}");
    }
}

#[test]
fn a_claim_given_twice_is_a_bad_token() {
    let claims = format!(r#"{{"sub":"alice","sub":"bob","iat":{IAT},"exp":{},"jti":"x"}}"#, IAT + 60);
    assert_eq!(verdict(&signed(HS256, &claims)), Err(ErrorCode::BadToken));
}

#[test]
fn times_are_exact() {
    let now = NOW.0 / 1_000;
    let check = |iat: u64, exp: u64, expected: Option<ErrorCode>| {
        let claims = json!({"sub": "alice", "iat": iat, "exp": exp, "jti": "x"}).to_string();
        assert_eq!(verdict(&signed(HS256, &claims)).err(), expected, "iat {iat} exp {exp}");
    };
    check(now, now + 86_400, None);
    check(now, now + 86_401, Some(ErrorCode::BadToken));
    check(now - 10, now, Some(ErrorCode::TokenExpired));
    check(now - 10, now + 1, None);
    let ahead = TOKEN_AHEAD_MS_MAX / 1_000;
    check(now + ahead, now + 70, None);
    check(now + ahead + 1, now + 70, Some(ErrorCode::TokenExpired));
    check(u64::MAX - 10, u64::MAX, Some(ErrorCode::TokenExpired));
    for (nbf, expected) in [(now, None), (now + 1, Some(ErrorCode::TokenExpired))] {
        let token = signed(HS256, &claims_with("nbf", Some(json!(nbf))));
        assert_eq!(verdict(&token).err(), expected, "nbf {nbf}");
    }
}

#[test]
fn a_genuine_token_with_an_impossible_user_says_so() {
    for user in ["", "a b", "a/b", &"x".repeat(65), "é"] {
        let token = signed(HS256, &claims_with("sub", Some(json!(user))));
        assert_eq!(verdict(&token), Err(ErrorCode::InvalidName), "{user}");
    }
}

#[test]
fn facts_do_not_depend_on_the_time() {
    let old = json!({"sub": "alice", "iat": 1_000, "exp": 1_060, "jti": "x"}).to_string();
    let token = signed(HS256, &old);
    assert_eq!(verdict(&token), Err(ErrorCode::TokenExpired));
    assert_eq!(facts(&secret(), token.as_bytes()).unwrap().0.as_str(), "alice");
}

#[test]
fn garbage_is_a_bad_token() {
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    let deep = signed(HS256, &"[".repeat(600));
    for garbage in ["", ".", "..", "...", "a.b", "a.b.c.d", "\0.\0.\0", &long, &deep, "e30.e30.e30"] {
        assert_eq!(verdict(garbage), Err(ErrorCode::BadToken), "{} bytes", garbage.len());
    }
    assert_eq!(verify(&secret(), &[0xff; 40], NOW).err(), Some(ErrorCode::BadToken));
    let extended = claims_with("pad", Some(json!("p".repeat(TOKEN_BYTES_MAX))));
    assert_eq!(verdict(&signed(HS256, &extended)), Err(ErrorCode::BadToken));
}

#[test]
fn weak_secrets_are_refused_and_good_ones_never_shown() {
    assert_eq!(TokenSecret::new(b"").err(), Some(WeakSecret::Short(0)));
    assert_eq!(TokenSecret::new(&SECRET[..31]).err(), Some(WeakSecret::Short(31)));
    assert_eq!(TokenSecret::new(&[b'0'; 64]).err(), Some(WeakSecret::Uniform));
    assert_eq!(TokenSecret::new(&b"secret".repeat(8)).err(), Some(WeakSecret::Uniform));
    assert_eq!(TokenSecret::new(&b"changeme".repeat(8)).err(), Some(WeakSecret::Uniform));
    assert_eq!(format!("{:?}", secret()), "TokenSecret(..)");
}
