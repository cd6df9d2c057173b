//! What the machine has to offer.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use iris_types::limits::DESCRIPTORS_RESERVED;
use rustix::process::{Resource, getrlimit};
use x509_parser::pem::Pem;

use super::{Finding, Places, existing};
use crate::clock::wall;

/// Descriptors below which a server serves few connections.
const DESCRIPTORS_WANTED: u64 = 10_000; // layout
/// Flushes to time.
const FLUSHES: usize = 100; // layout

pub(super) fn machine(places: &Places) -> Vec<Finding> {
    let mut findings = vec![clock(places), flush_latency(&places.data), descriptors()];
    findings.extend(places.listen.iter().map(|listen| port(*listen, places.running)));
    findings.extend([certificate(places), free_space(&places.data)]);
    findings
}

/// Message ids and logins carry clock readings, so a clock that is far off refuses everybody.
fn clock(places: &Places) -> Finding {
    let now = wall();
    let newest = newest_change(&places.data);
    // The build year is a lower bound that needs no network.
    if now.0 < 1_767_225_600_000 {
        return Finding::bad("clock", "before 2026", "set the clock: run an NTP client");
    }
    match newest {
        Some(newest) if newest > std::time::UNIX_EPOCH + Duration::from_millis(now.0 + 60_000) => {
            Finding::bad(
                "clock",
                "earlier than the newest file of the data directory",
                "the clock went back, or the data came from elsewhere: run an NTP client",
            )
        }
        _ => Finding::good("clock", format!("{} ms since 1970, not before the data", now.0)),
    }
}

fn newest_change(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?;
    entries.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok()).max()
}

/// Every acknowledgement waits for one flush.
#[allow(clippy::disallowed_methods)] // measures the world
fn flush_latency(data: &Path) -> Finding {
    let folder = existing(data);
    let path = folder.join(format!(".iris-doctor-{}", std::process::id()));
    let measure = || -> std::io::Result<Vec<Duration>> {
        let mut file = fs::OpenOptions::new().create_new(true).read(true).write(true).open(&path)?;
        file.write_all(&[0; 4_096])?;
        file.sync_all()?;
        let mut times = Vec::with_capacity(FLUSHES);
        for _ in 0..FLUSHES {
            file.seek(SeekFrom::Start(0))?;
            let started = Instant::now();
            file.write_all(&[1; 4_096])?;
            file.sync_data()?;
            times.push(started.elapsed());
        }
        times.sort_unstable();
        Ok(times)
    };
    let times = measure();
    // Best effort: the finding matters more than the file of one page.
    let _ = fs::remove_file(&path);
    let times = match times {
        Ok(times) => times,
        Err(error) => {
            return Finding::bad(
                "flush latency",
                format!("cannot write in {}: {error}", folder.display()),
                "mend the disk or its permissions",
            );
        }
    };
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    let seen = format!("4 KiB in {:?} (P50), {:?} (P99)", at(50), at(99));
    if at(50) > Duration::from_millis(20) {
        Finding::warning(
            "flush latency",
            seen,
            "every acknowledgement waits this long: use a disk with a protected cache",
        )
    } else {
        Finding::good("flush latency", seen)
    }
}

fn descriptors() -> Finding {
    // A server raises its limit to this.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let told = maximum.map_or_else(|| "any number of".to_owned(), |maximum| maximum.to_string());
    let seen = format!(
        "{told} open files; each connection takes one, and {DESCRIPTORS_RESERVED} are kept for other things"
    );
    if maximum.is_some_and(|maximum| maximum < DESCRIPTORS_WANTED) {
        Finding::warning("descriptors", seen, "raise the limit: LimitNOFILE in a systemd unit, or ulimit -n")
    } else {
        Finding::good("descriptors", seen)
    }
}

fn port(listen: SocketAddr, is_running: bool) -> Finding {
    if is_running {
        return Finding::good("port", format!("{listen}: the server is running"));
    }
    match TcpListener::bind(listen) {
        Ok(_) => Finding::good("port", format!("{listen} is free")),
        Err(error) => Finding::bad(
            "port",
            format!("{listen}: {error}"),
            format!("see who has it with: ss -ltnp 'sport = :{}'", listen.port()),
        ),
    }
}

fn certificate(places: &Places) -> Finding {
    let file = places.certificate.display();
    let mut text = Vec::new();
    let read = fs::File::open(&places.certificate).and_then(|mut opened| opened.read_to_end(&mut text));
    if let Err(error) = read {
        return Finding::warning(
            "certificate",
            format!("{file}: {error}"),
            "`iris dev` makes one at its start; `iris serve` needs yours",
        );
    }
    let Some(Ok(pem)) = Pem::iter_from_buffer(&text).next() else {
        return Finding::bad(
            "certificate",
            format!("{file} holds no PEM block"),
            "put the certificate chain there",
        );
    };
    let Ok(certificate) = pem.parse_x509() else {
        return Finding::bad(
            "certificate",
            format!("{file} holds no certificate"),
            "put the certificate chain there",
        );
    };
    let now = i64::try_from(wall().0 / 1_000).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    let days = validity.not_after.timestamp().saturating_sub(now) / 86_400;
    if validity.not_before.timestamp() > now {
        Finding::bad(
            "certificate",
            format!("{file} is not valid yet"),
            "check the clock, or use another certificate",
        )
    } else if validity.not_after.timestamp() <= now {
        Finding::bad("certificate", format!("{file} has expired"), "renew it and restart the server")
    } else if days < 30 {
        Finding::warning("certificate", format!("{file} expires in {days} days"), "renew it")
    } else {
        Finding::good("certificate", format!("{file} is valid for {days} more days"))
    }
}

fn free_space(data: &Path) -> Finding {
    let folder = existing(data);
    let space = match rustix::fs::statvfs(folder) {
        Ok(space) => space,
        Err(error) => {
            return Finding::bad("free space", format!("{}: {error}", folder.display()), "mend the disk");
        }
    };
    let (free, total) = (space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize);
    let reserve = (total / 20).min(iris_types::limits::DISK_RESERVE_BYTES);
    let mib = |bytes: u64| bytes / 1_048_576;
    let seen = format!("{} MiB free of {} MiB in {}", mib(free), mib(total), folder.display());
    if free < reserve {
        Finding::bad("free space", seen, format!("below {} MiB sends are refused: make room", mib(reserve)))
    } else if free < reserve * 4 {
        Finding::warning(
            "free space",
            seen,
            format!("below {} MiB sends are refused: plan for more", mib(reserve)),
        )
    } else {
        Finding::good("free space", seen)
    }
}
