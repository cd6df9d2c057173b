//! Says hello over a dev server and reads the answer.
//!
//! Start one with `iris dev --dir DIR`, then: `cargo run -p iris-client --example hello -- DIR`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use iris_client::{
    Client, ClientEvent, DeviceId, Event, Events, Options, TokenSource, Trust, UserId, Versions,
};
use serde_json::{Value, json};

/// How long the whole example may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("which directory? hello DIR")?;
    tokio::time::timeout(PATIENCE, hello(Path::new(&dir))).await?
}

async fn hello(dir: &Path) -> Result<(), Box<dyn Error>> {
    let (alice, _alice_events) = Client::connect(options(dir, "example-alice")?).await?;
    let (bob, mut bob_events) = Client::connect(options(dir, "example-bob")?).await?;
    // It is in the local database when this returns, connected or not.
    alice.send_text(&UserId::new("example-bob")?, "Hello, Bob!").await?;
    println!("{}", next_message(&mut bob_events).await?);
    for client in [alice, bob] {
        let left = client.close(PATIENCE).await?.unsettled;
        println!("{left} messages left to send");
    }
    Ok(())
}

/// Waits for a message. The client forgets it when the next event is asked for, or comes again with it.
async fn next_message(events: &mut Events) -> Result<String, Box<dyn Error>> {
    loop {
        match events.next().await.ok_or("the client has stopped")? {
            Event::Machine(ClientEvent::Message { message, .. }) => {
                return Ok(format!("{}: {}", message.from, message.body.as_text().unwrap_or("(not a text)")));
            }
            Event::Machine(ClientEvent::Stopped(refusal)) => return Err(refusal.into()),
            Event::ConnectFailed(error) => eprintln!("{error}; trying again"),
            _ => {}
        }
    }
}

/// What the dev server wrote about itself says where it is and whom to trust.
fn options(dir: &Path, user: &str) -> Result<Options, Box<dyn Error>> {
    let ready: Value = serde_json::from_slice(&std::fs::read(dir.join("ready.json"))?)?;
    let text = |key: &str| ready[key].as_str().map(str::to_owned).ok_or(format!("no {key} in ready.json"));
    let (secret_file, user) = (PathBuf::from(text("secret_file")?), UserId::new(user)?);
    let subject = user.clone();
    Ok(Options {
        server: text("address")?,
        trust: Trust::File(text("ca_file")?.into()),
        token: TokenSource::Provider(Arc::new(move || token(&secret_file, &subject))),
        user: user.clone(),
        device: DeviceId::new("example")?,
        state_dir: dir.join("clients").join(format!("{user}-example")),
        versions: Versions::ALL,
    })
}

/// In production your login service makes the tokens; nobody else has the secret.
#[allow(clippy::disallowed_methods, reason = "a token says when it was made")]
fn token(secret_file: &Path, user: &UserId) -> Result<String, String> {
    let secret = std::fs::read(secret_file).map_err(|error| error.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let id = format!("{user}-{}", now.as_nanos());
    let claims = json!({ "sub": user.as_str(), "iat": now.as_secs(), "exp": now.as_secs() + 600, "jti": id });
    let key = jsonwebtoken::EncodingKey::from_secret(secret.trim_ascii());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).map_err(|error| error.to_string())
}
