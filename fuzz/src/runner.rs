//! Runs a target on its corpus, then on mutations of what it has.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use fastrand::Rng;

use crate::memory::allocated_by;
use crate::mutation::{INPUT_BYTES_MAX, mutate};
use crate::{Target, corpus};

/// Inputs kept for further mutation.
const POPULATION_MAX: usize = 4_096;
/// Bytes that one input may make a target allocate in total, besides a share for each byte of it.
const ALLOCATED_BYTES_MAX: usize = 64 << 20;

/// What a run found out.
pub struct Report {
    pub inputs: u64,
    /// Inputs that each showed a behaviour first.
    pub population: Vec<Vec<u8>>,
    pub failure: Option<Failure>,
}

/// An input for which a property does not hold.
pub struct Failure {
    pub input: Vec<u8>,
    pub message: String,
}

/// Runs `target` until `goes_on` says no; the same for the same seed and number of inputs.
///
/// # Errors
/// When the corpus cannot be read.
pub fn run(target: &Target, seed: u64, mut goes_on: impl FnMut(u64) -> bool) -> Result<Report> {
    let mut rng = Rng::with_seed(seed);
    let mut seen = BTreeSet::new();
    let mut report = Report { inputs: 0, population: Vec::new(), failure: None };
    let mut waiting = (target.seeds)();
    waiting.extend(corpus::read(target.name)?);
    waiting.push(Vec::new());
    while goes_on(report.inputs) {
        let input = waiting.pop().unwrap_or_else(|| offspring(&report.population, &mut rng));
        report.inputs += 1;
        match try_one(target, &input) {
            Ok(behaviour) => {
                let is_new = seen.insert(behaviour);
                if is_new && report.population.len() < POPULATION_MAX {
                    report.population.push(input);
                }
            }
            Err(message) => {
                report.failure = Some(Failure { input, message });
                break;
            }
        }
    }
    Ok(report)
}

/// Runs one input.
///
/// # Errors
/// What the target panicked with, or that it allocated too much.
pub fn try_one(target: &Target, input: &[u8]) -> Result<u64, String> {
    let (outcome, bytes) = allocated_by(|| catch_unwind(AssertUnwindSafe(|| (target.run)(input))));
    match outcome {
        Err(panic) => Err(panic_message(panic.as_ref())),
        Ok(_) if bytes > ALLOCATED_BYTES_MAX => {
            Err(format!("allocated {bytes} bytes for {} of input", input.len()))
        }
        Ok(behaviour) => Ok(behaviour),
    }
}

fn offspring(population: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let some = |rng: &mut Rng| population.get(rng.usize(0..population.len().max(1)));
    let mut input = some(rng).cloned().unwrap_or_default();
    let other = some(rng).map(Vec::as_slice).unwrap_or_default();
    mutate(&mut input, other, rng);
    debug_assert!(input.len() <= INPUT_BYTES_MAX);
    input
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour;

    /// Fails on inputs with `!` behind an `a` behind a `b`; each step towards it is a behaviour of its own.
    fn buried(input: &[u8]) -> u64 {
        let b = input.iter().position(|byte| *byte == b'b');
        let a = b.and_then(|b| input.iter().skip(b).position(|byte| *byte == b'a').map(|a| a + b));
        let found = a.is_some_and(|a| input.iter().skip(a).any(|byte| *byte == b'!'));
        assert!(!found, "found");
        behaviour(&[u64::from(b.is_some()), u64::from(a.is_some())])
    }

    fn greedy(input: &[u8]) -> u64 {
        Vec::<u8>::with_capacity(input.len() << 22).capacity() as u64
    }

    fn target(run: fn(&[u8]) -> u64) -> Target {
        Target { name: "none", run, seeds: || vec![b"start".to_vec()] }
    }

    #[test]
    fn a_buried_failure_is_found_by_way_of_behaviours() -> Result<()> {
        let report = run(&target(buried), 1, |inputs| inputs < 200_000)?;
        assert_eq!(report.failure.map(|failure| failure.message), Some("found".to_owned()));
        Ok(())
    }

    #[test]
    fn greed_is_a_failure() {
        let outcome = try_one(&target(greedy), &[0; 17]);
        assert!(matches!(&outcome, Err(message) if message.starts_with("allocated")), "{outcome:?}");
    }

    #[test]
    fn the_same_seed_finds_the_same() -> Result<()> {
        let harmless = |input: &[u8]| behaviour(&[input.len() as u64 % 13]);
        let population =
            |seed| Ok::<_, anyhow::Error>(run(&target(harmless), seed, |inputs| inputs < 500)?.population);
        assert_eq!(population(3)?, population(3)?);
        Ok(())
    }

    #[test]
    fn every_target_passes_its_seeds_and_its_corpus() -> Result<()> {
        for target in crate::targets::ALL {
            let mut inputs = (target.seeds)();
            inputs.extend(corpus::read(target.name)?);
            for input in inputs {
                assert_eq!(try_one(target, &input).err(), None, "{}: {input:02x?}", target.name);
            }
        }
        Ok(())
    }
}
