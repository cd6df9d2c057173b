//! The null peer: plain TCP that sends back what it gets. What the kernel alone costs at the same rate.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use serde_json::{Value, json};

use super::clock::Stopwatch;
use super::process;
use super::schedule::Schedule;
use super::tally::Latency;

/// Both ends are in this process, so the descriptors are shared.
const CONNECTIONS_MAX: usize = 2_000;
const SECONDS: f64 = 3.0;
const EVENTS_PER_TURN: usize = 1_024;

/// Echoes at a rate over so many connections: latency from the intended time, and processor time of both ends.
pub(crate) fn measure(body_bytes: usize, rate: f64, connections: usize) -> Result<Value> {
    let (mut caller, peers) = connect(connections.clamp(1, CONNECTIONS_MAX))?;
    let stop = Arc::new(AtomicBool::new(false));
    let peer = {
        let stop = Arc::clone(&stop);
        #[allow(clippy::disallowed_methods, reason = "the null peer has a thread, as a server has a process")]
        std::thread::spawn(move || answer(peers, &stop))
    };
    let result = caller.run(body_bytes, rate);
    stop.store(true, Ordering::SeqCst);
    peer.join().map_err(|_| anyhow!("the null peer panicked"))?.context("the null peer failed")?;
    result
}

/// Both ends of so many connections.
fn connect(connections: usize) -> Result<(Caller, Vec<TcpStream>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (epoll, address) = (epoll::create(CreateFlags::CLOEXEC)?, listener.local_addr()?);
    let (mut streams, mut peers) = (Vec::with_capacity(connections), Vec::with_capacity(connections));
    for number in 0..connections {
        streams.push(register(&epoll, TcpStream::connect(address)?, number)?);
        peers.push(listener.accept()?.0);
    }
    let on_their_way = vec![Default::default(); connections];
    Ok((Caller { epoll, streams, on_their_way, missed: 0 }, peers))
}

/// Sends back whatever comes, until told to stop.
fn answer(peers: Vec<TcpStream>, stop: &AtomicBool) -> Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let numbered = peers.into_iter().enumerate();
    let mut streams =
        numbered.map(|(number, peer)| register(&epoll, peer, number)).collect::<Result<Vec<_>>>()?;
    let (mut events, mut buffer) = (Vec::with_capacity(EVENTS_PER_TURN), vec![0; 64 * 1_024]);
    while !stop.load(Ordering::SeqCst) {
        wait(&epoll, &mut events, 10_000)?;
        for event in &events {
            let Some(stream) = stream_of(&mut streams, event) else { continue };
            let length = read(stream, &mut buffer)?;
            // The generator keeps little on its way: a full socket does not happen.
            stream.write_all(buffer.get(..length).unwrap_or_default())?;
        }
    }
    Ok(())
}

/// The other side: sends on schedule, and times what comes back.
struct Caller {
    epoll: std::os::fd::OwnedFd,
    streams: Vec<TcpStream>,
    /// Per connection: intended times on their way, and bytes of the next echo that have arrived.
    on_their_way: Vec<(std::collections::VecDeque<u64>, usize)>,
    /// Sends for which the socket had no room.
    missed: u64,
}

impl Caller {
    fn run(&mut self, body_bytes: usize, rate: f64) -> Result<Value> {
        let (mut latency, body) = (Latency::new()?, vec![b'.'; body_bytes]);
        let mut events = Vec::with_capacity(EVENTS_PER_TURN);
        let mut buffer = vec![0; 64 * 1_024];
        let cpu_before_us = process::cpu_us(std::process::id())?;
        let clock = Stopwatch::start();
        let mut schedule = Schedule::new(rate, 0);
        let mut next = 0;
        while clock.seconds() < SECONDS {
            while let Some(intended_us) = schedule.due(clock.micros()) {
                next = (next + 1) % self.streams.len();
                self.send(next, &body, intended_us)?;
            }
            wait(&self.epoll, &mut events, schedule.wait_us(clock.micros()))?;
            for event in &events {
                self.take(event, body_bytes, &mut buffer, &clock, &mut latency)?;
            }
        }
        let cpu_us = process::cpu_us(std::process::id())?.saturating_sub(cpu_before_us);
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let echoes = latency.count() as f64;
        Ok(json!({
            "connections": self.streams.len(),
            "per_second": echoes / clock.seconds(),
            "missed": self.missed,
            "round_trip_ms": latency.json(),
            "cpu_us_per_echo_both_ends": cpu_us as f64 / echoes.max(1.0),
        }))
    }

    fn send(&mut self, number: usize, body: &[u8], intended_us: u64) -> Result<()> {
        let (Some(stream), Some(state)) = (self.streams.get_mut(number), self.on_their_way.get_mut(number))
        else {
            return Ok(());
        };
        match stream.write(body) {
            Ok(length) if length == body.len() => state.0.push_back(intended_us),
            // The peer is behind by a socket buffer: the rate is more than it can do.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.missed += 1,
            Ok(_) => bail!("half a message was written to the null peer"),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn take(
        &mut self,
        event: &Event,
        body_bytes: usize,
        buffer: &mut [u8],
        clock: &Stopwatch,
        latency: &mut Latency,
    ) -> Result<()> {
        let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
        let (Some(stream), Some(state)) = (self.streams.get_mut(number), self.on_their_way.get_mut(number))
        else {
            return Ok(());
        };
        state.1 += read(stream, buffer)?;
        while state.1 >= body_bytes {
            state.1 -= body_bytes;
            if let Some(intended_us) = state.0.pop_front() {
                latency.record_us(clock.micros().saturating_sub(intended_us));
            }
        }
        Ok(())
    }
}

fn register(epoll: &std::os::fd::OwnedFd, stream: TcpStream, number: usize) -> Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    epoll::add(epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
    Ok(stream)
}

fn stream_of<'s>(streams: &'s mut [TcpStream], event: &Event) -> Option<&'s mut TcpStream> {
    streams.get_mut(usize::try_from(event.data.u64()).ok()?)
}

/// 0 when nothing is there (any more).
fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match stream.read(buffer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

fn wait(epoll: &std::os::fd::OwnedFd, events: &mut Vec<Event>, wait_us: u64) -> Result<()> {
    events.clear();
    let nanoseconds = i64::try_from(wait_us.min(999_999) * 1_000).unwrap_or(0);
    let timeout = Timespec { tv_sec: 0, tv_nsec: nanoseconds };
    match epoll::wait(epoll, rustix::buffer::spare_capacity(events), Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_come_back() -> Result<()> {
        let floor = measure(200, 1_000.0, 10)?;
        assert!(floor["per_second"].as_f64().is_some_and(|rate| rate > 500.0), "{floor}");
        assert!(floor["round_trip_ms"]["p50"].is_number(), "{floor}");
        Ok(())
    }
}
