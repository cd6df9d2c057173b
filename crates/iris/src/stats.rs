//! `/stats`: what a server has counted, for benches and for people.

use std::sync::{Arc, OnceLock};

use iris_core::Core;
use iris_edge::Edge;
use iris_worker::{Histogram, Statistics};
use serde_json::{Value, json};

use crate::storage::Storage;
use iris_store_local::LocalEngine;

/// A function that gives the figures as of now.
pub(crate) fn source(
    core: &Arc<Core>,
    edge: &Arc<OnceLock<Edge>>,
    storage: &Storage,
) -> Arc<dyn Fn() -> Value + Send + Sync> {
    let (core, edge, local) = (Arc::clone(core), Arc::clone(edge), storage.local().clone());
    Arc::new(move || {
        let workers = core.statistics();
        json!({
            "worker": worker(&sum(&workers)),
            "edge": edge.get().map(|edge| edge_figures(&edge.statistics())),
            "store": store_figures(&local),
        })
    })
}

fn sum(workers: &[Statistics]) -> Statistics {
    let mut sum = Statistics::default();
    for one in workers {
        let counters = [
            (&mut sum.sends, one.sends),
            (&mut sum.duplicates, one.duplicates),
            (&mut sum.rate_limited, one.rate_limited),
            (&mut sum.refusals, one.refusals),
            (&mut sum.inbox_entries, one.inbox_entries),
            (&mut sum.forwards, one.forwards),
            (&mut sum.shortcuts, one.shortcuts),
            (&mut sum.chunks, one.chunks),
            (&mut sum.chunk_bytes, one.chunk_bytes),
            (&mut sum.flushes, one.flushes),
            (&mut sum.runs, one.runs),
            (&mut sum.merges, one.merges),
            (&mut sum.loads, one.loads),
            (&mut sum.evictions, one.evictions),
            (&mut sum.dirty_bytes, one.dirty_bytes),
            (&mut sum.state_bytes, one.state_bytes),
            (&mut sum.sessions, one.sessions),
            (&mut sum.waiting, one.waiting),
            (&mut sum.index_bytes, one.index_bytes),
            (&mut sum.log_tail_bytes, one.log_tail_bytes),
        ];
        for (total, part) in counters {
            *total += part;
        }
        sum.storage_write.add(&one.storage_write);
    }
    sum
}

fn worker(figures: &Statistics) -> Value {
    json!({
        "sends": figures.sends,
        "duplicates": figures.duplicates,
        "rate_limited": figures.rate_limited,
        "refusals": figures.refusals,
        "inbox_entries": figures.inbox_entries,
        "forwards": figures.forwards,
        "shortcuts": figures.shortcuts,
        "chunks": figures.chunks,
        "chunk_bytes": figures.chunk_bytes,
        "flushes": figures.flushes,
        "runs": figures.runs,
        "merges": figures.merges,
        "loads": figures.loads,
        "evictions": figures.evictions,
        "dirty_bytes": figures.dirty_bytes,
        "state_bytes": figures.state_bytes,
        "sessions": figures.sessions,
        "waiting": figures.waiting,
        "index_bytes": figures.index_bytes,
        "log_tail_bytes": figures.log_tail_bytes,
        "storage_write_ms": percentiles(&figures.storage_write),
    })
}

fn percentiles(histogram: &Histogram) -> Value {
    json!({
        "count": histogram.count(),
        "p50": histogram.percentile_ms(0.5),
        "p99": histogram.percentile_ms(0.99),
        "p999": histogram.percentile_ms(0.999),
        "max": histogram.max_ms(),
    })
}

fn edge_figures(figures: &iris_edge::Statistics) -> Value {
    json!({
        "connections": figures.connections,
        "handshakes_in_flight": figures.handshakes_in_flight,
        "sessions": figures.sessions,
        "accepted": figures.accepted,
        "handshakes_done": figures.handshakes_done,
        "handshakes_failed": figures.handshakes_failed,
        "bytes_received": figures.bytes_received,
        "bytes_sent": figures.bytes_sent,
        "records_received": figures.records_received,
        "records_sent": figures.records_sent,
        "writes": figures.writes,
        "submitted": figures.submitted,
        "refused_busy": figures.refused_busy,
        "rate_limited": figures.rate_limited,
        "websockets": figures.websockets,
        "turns": figures.turns,
        "event_loop_cpu_us": figures.event_loop_cpu_us,
    })
}

/// Free space, and what the scrub has seen since the start.
fn store_figures(local: &LocalEngine) -> Value {
    let room = local.room().ok();
    let scrubbed = local.scrubbed();
    json!({
        "free_bytes": room.map(|room| room.free_bytes),
        "reserve_bytes": room.map(|room| room.reserve_bytes),
        "scrub_blocks_read": scrubbed.blocks_read,
        "scrub_runs_damaged": scrubbed.runs_damaged,
    })
}
