//! [`crate::Machine`] under wasm-bindgen. JavaScript's numbers are `f64`: whole, not negative, below 2^53; what is
//! not saturates.

#![allow(unreachable_pub, reason = "what is exported to JavaScript is public")]

use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::COMMANDS;

/// The commands that [`Machine::command`] takes.
#[wasm_bindgen]
#[must_use]
pub fn commands() -> Vec<String> {
    COMMANDS.iter().map(|name| (*name).to_owned()).collect()
}

/// One device of a user.
#[derive(Debug)]
#[wasm_bindgen]
pub struct Machine(crate::Machine);

#[wasm_bindgen]
impl Machine {
    /// Throws a text when a name breaks the rules or the database makes no sense.
    #[wasm_bindgen(constructor)]
    pub fn new(user: &str, device: &str, restored: &str, seed: u64) -> Result<Self, String> {
        crate::Machine::new(user, device, restored, seed).map(Self).map_err(|error| error.to_string())
    }

    pub fn connected(&mut self, token: &str, wall: f64, monotonic: f64) {
        self.0.connected(token, wall as u64, monotonic as u64);
    }

    pub fn received(&mut self, bytes: &[u8], wall: f64, monotonic: f64) {
        self.0.received(bytes, wall as u64, monotonic as u64);
    }

    pub fn disconnected(&mut self, wall: f64, monotonic: f64) {
        self.0.disconnected(wall as u64, monotonic as u64);
    }

    pub fn stored(&mut self, token: f64) {
        self.0.stored(token as u64);
    }

    /// `{"number": N}`, or `{"error": {"name", "message"}}`.
    pub fn command(&mut self, command: &str, wall: f64, monotonic: f64) -> String {
        match self.0.command(command, wall as u64, monotonic as u64) {
            Ok(number) => json!({ "number": number }),
            Err(error) => json!({ "error": { "name": error.name(), "message": error.to_string() } }),
        }
        .to_string()
    }

    #[wasm_bindgen(js_name = handedOver)]
    pub fn handed_over(&mut self, mark: &str) -> Result<(), String> {
        self.0.handed_over(mark).map_err(|error| error.to_string())
    }

    pub fn turn(&mut self, wall: f64, monotonic: f64) -> String {
        self.0.turn(wall as u64, monotonic as u64)
    }

    pub fn transmit(&mut self) -> Vec<u8> {
        self.0.transmit()
    }

    pub fn deadline(&self) -> Option<f64> {
        self.0.deadline().map(|at| at as f64)
    }

    pub fn unsettled(&self) -> usize {
        self.0.unsettled()
    }

    #[wasm_bindgen(js_name = isIdle)]
    pub fn is_idle(&self) -> bool {
        self.0.is_idle()
    }

    #[wasm_bindgen(js_name = isReady)]
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    #[wasm_bindgen(js_name = isStopped)]
    pub fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }
}
