//! The thread that reads what nobody has asked for, to find rot in time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use iris_store_local::Scrub;
use iris_types::Monotonic;

/// Turns the scrub until told to stop; whoever tells unparks the thread.
pub(crate) fn run(mut scrub: Scrub, now: impl Fn() -> Monotonic, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let turn = scrub.turn(now());
        for damage in turn.found {
            tracing::error!(
                file = damage.file,
                run = %damage.run,
                block = damage.block,
                detail = damage.detail,
                "the scrub found damage: copy the data directory, then restore a backup, or stop the server and move \
                 the file aside with `iris admin quarantine`"
            );
        }
        std::thread::park_timeout(Duration::from_millis(turn.next.millis_since(now())));
    }
}
