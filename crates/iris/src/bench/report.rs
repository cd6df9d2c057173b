//! The result of a run: JSON for comparing, a table for reading.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

/// Figures by name, in the order in which they were put.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report(Vec<(String, Value)>);

/// Figures that every scenario states; `null` where it measures none.
const KEYS: &[&str] = &[
    "scenario",
    "seconds",
    "connections",
    "body_bytes",
    "acked_per_second",
    "delivered_per_second",
    "send_to_ack_ms",
    "send_to_receive_ms",
    "storage_write_ms",
    "server_cpu_us_per_message",
    "server_bytes_per_connection",
    "kernel_bytes_per_connection",
    "errors",
    "lost",
    "duplicated",
    "reordered",
    "floors",
    "machine",
];

/// The server's own figures: in the file, not in the table.
const DETAILS: &str = "server";

impl Report {
    pub(crate) fn new(scenario: &str) -> Self {
        let mut report = Self(KEYS.iter().map(|key| ((*key).to_owned(), Value::Null)).collect());
        report.put("scenario", scenario);
        report
    }

    pub(crate) fn put(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, place)) => *place = value,
            None => self.0.push((key.to_owned(), value)),
        }
        self
    }

    pub(crate) fn count(&self, key: &str) -> u64 {
        self.get(key).and_then(Value::as_u64).unwrap_or(0)
    }

    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(Value::as_f64)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Prints the table, and writes the file if one is wanted.
    pub(crate) fn publish(&self, json: Option<&Path>) -> Result<()> {
        print!("{}", self.table());
        if let Some(path) = json {
            let map: Map<_, _> = self.0.iter().cloned().collect();
            let text = serde_json::to_string_pretty(&map)? + "\n";
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn table(&self) -> String {
        let shown = self.0.iter().filter(|(name, _)| name != DETAILS);
        let rows = rows(shown.map(|(name, value)| (name.as_str(), value)));
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        rows.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
    }
}

/// Names and values of figures, one row each; those without a value are left out.
pub(crate) fn rows<'f>(figures: impl Iterator<Item = (&'f str, &'f Value)>) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    figures.for_each(|(name, value)| flatten(name, value, &mut rows));
    rows
}

/// One row per figure; the parts of latencies stand in one row.
fn flatten(prefix: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(map) if map.contains_key("p99") => {
            let parts: Vec<_> = map.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect();
            rows.push((prefix.to_owned(), parts.join("  ")));
        }
        Value::Object(map) => {
            for (key, value) in map {
                flatten(&format!("{prefix}.{key}"), value, rows);
            }
        }
        Value::Array(values) => {
            rows.extend(values.iter().map(|value| (prefix.to_owned(), plain(value))));
        }
        value => rows.push((prefix.to_owned(), plain(value))),
    }
}

/// Numbers with as many digits as anybody reads.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or(0.0);
            if number.abs() >= 1_000.0 { format!("{number:.0}") } else { format!("{number:.2}") }
        }
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join("  "),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_promised_key_is_there_and_the_table_shows_what_was_measured() {
        let mut report = Report::new("latency");
        report.put("send_to_ack_ms", json!({"p50": 1.25, "p99": 2_000.4})).put("lost", 0);
        assert!(KEYS.iter().all(|key| report.get(key).is_some()));
        let table = report.table();
        assert!(table.contains("send_to_ack_ms  p50 1.25  p99 2000\n"), "{table}");
        assert!(table.contains("scenario        latency\n") && !table.contains("floors"), "{table}");
    }
}
