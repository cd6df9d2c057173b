//! What an idle session costs on the heap of its event loop. A process of its own, for the allocator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use iris_cluster::{CoreLink, ToCore};
use iris_protocol::Versions;
use iris_protocol::client::ClientEvent;

use support::client::{Stream, TlsClient, tls_config};
use support::web::{DOORS, WebStream};
use support::{Client, FakeCore, World};

/// Bytes of an idle session on the heap of the edge: connection, keys, machine, names. The kernel's 5,000 and the
/// core's state come on top; all of it has to stay under 10,000.
const IDLE_SESSION_BYTES_MAX: i64 = 1_800;
/// What a WebSocket adds: its reader, and no buffer.
const WEBSOCKET_BYTES_MAX: i64 = 200;
const SESSIONS: usize = 200;

/// Counts what is allocated on the event loop's thread.
struct Counting;

static BYTES: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn count(bytes: i64) {
    if IS_COUNTED.try_with(Cell::get).unwrap_or(false) {
        BYTES.fetch_add(bytes, Ordering::SeqCst);
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(unsafe_code)]
// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as of the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Counts the allocations of its caller's thread except its own.
struct CountedCore(Arc<FakeCore>);

impl CoreLink for CountedCore {
    fn submit(&self, batch: &mut Vec<ToCore>) {
        IS_COUNTED.with(|is_counted| is_counted.set(false));
        // A fresh vector, so that what the fake core frees was not counted either.
        let mut copy = batch.clone();
        self.0.submit(&mut copy);
        IS_COUNTED.with(|is_counted| is_counted.set(true));
        batch.clear();
    }
}

/// Bytes of one of [`SESSIONS`] idle sessions over streams that `open` opens.
fn idle_session_bytes<S: Stream>(world: &World, open: impl Fn() -> S) -> i64 {
    let login = |number: usize| {
        let user = format!("user-{number:06}");
        let mut client = Client::over(open(), &world.token(&user, 3_600), Versions::ALL);
        client.wait_until_ready();
        client.sync_to_the_end(iris_types::Offset::ZERO);
        client.send(1, "nobody", &[7; 200]);
        client.flush();
        client.wait(|event| matches!(event, ClientEvent::Sent { .. }));
        client
    };
    let idle_bytes = || {
        // Two rounds of the sweep, so that unused ciphers are forgotten.
        for _ in 0..4 {
            let turns = world.edge.statistics().turns;
            world.advance(2_000);
            world.wait_for("swept", |statistics| statistics.turns > turns + 1);
        }
        BYTES.load(Ordering::SeqCst)
    };
    let mut clients: Vec<_> = (0..20).map(login).collect();
    let before = idle_bytes();
    clients.extend((20..20 + SESSIONS).map(login));
    (idle_bytes() - before) / SESSIONS as i64
}

/// One test, because there is one counter.
#[test]
fn an_idle_session_is_small() {
    let world = World::web_behind(|core| Arc::new(CountedCore(core)));
    let config = tls_config(&world, rustls::crypto::aws_lc_rs::default_provider());
    let native = idle_session_bytes(&world, || TlsClient::with(&world, config.clone()));
    let [https, http] = DOORS.map(|door| idle_session_bytes(&world, || WebStream::open(&world, door)));
    println!("bytes per idle session: {native} over TLS, {https} in a WebSocket over TLS, {http} without");
    for each in [native, https, http] {
        assert!(each > 200, "{each} bytes: the counting is broken");
    }
    assert!(native <= IDLE_SESSION_BYTES_MAX, "{native} bytes per idle session");
    let browser = https.max(http);
    assert!(browser <= native + WEBSOCKET_BYTES_MAX, "{browser} bytes per idle session in a WebSocket");
}
