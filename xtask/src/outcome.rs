//! What became of a step.

use std::process::ExitCode;

/// Counts of one step, or why it did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ran {
        passed: u64,
        failed: u64,
    },
    /// Something is missing; the text names the command that installs it.
    Skipped(String),
}

impl Outcome {
    pub(crate) const PASSED: Self = Self::Ran { passed: 1, failed: 0 };
    pub(crate) const FAILED: Self = Self::Ran { passed: 0, failed: 1 };

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Ran { failed: 0, .. } => ExitCode::SUCCESS,
            Self::Ran { .. } => ExitCode::from(1),
            Self::Skipped(missing) => {
                eprintln!("skipped: {missing}");
                ExitCode::from(2)
            }
        }
    }

    pub(crate) const fn is_failed(&self) -> bool {
        matches!(self, Self::Ran { failed: 1.., .. })
    }

    /// The sum over steps; a failure outweighs a skip, a skip outweighs a pass.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Ran { passed, failed }, Self::Ran { passed: p, failed: f }) => {
                Self::Ran { passed: passed + p, failed: failed + f }
            }
            (failure @ Self::Ran { failed: 1.., .. }, _) | (_, failure @ Self::Ran { failed: 1.., .. }) => {
                failure
            }
            (skipped @ Self::Skipped(_), _) | (_, skipped @ Self::Skipped(_)) => skipped,
        }
    }
}

/// Tests counted in the output of `cargo test`, the sum over lines like
/// `test result: ok. 12 passed; 0 failed; 1 ignored; ...`, and of `node --test`, lines like `# pass 12` and `# fail 0`.
pub(crate) fn counted(output: &str) -> (u64, u64) {
    output.lines().filter_map(counted_line).fold((0, 0), |sum, line| (sum.0 + line.0, sum.1 + line.1))
}

fn counted_line(line: &str) -> Option<(u64, u64)> {
    let node = |word| line.strip_prefix(word).and_then(|count| count.parse().ok());
    if let Some(passed) = node("# pass ") {
        return Some((passed, 0));
    }
    if let Some(failed) = node("# fail ").or_else(|| node("# cancelled ")) {
        return Some((0, failed));
    }
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut parts = counts.split("; ");
    Some((number(parts.next()?, "passed")?, number(parts.next()?, "failed")?))
}

fn number(part: &str, word: &str) -> Option<u64> {
    part.strip_suffix(word)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_over_test_binaries() {
        let output = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\n\
                      noise 9 passed; 9 failed\ntest result: FAILED. 1 passed; 2 failed; 0 ignored\n";
        assert_eq!(counted(output), (4, 2));
    }

    #[test]
    fn counts_of_node_are_taken() {
        let output = "ok 1 - a\n# tests 3\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 0\n";
        assert_eq!(counted(output), (2, 2));
    }

    #[test]
    fn a_failure_outweighs_a_skip_and_a_skip_a_pass() {
        let skipped = || Outcome::Skipped("strace".to_owned());
        assert_eq!(skipped().and(Outcome::FAILED), Outcome::FAILED);
        assert_eq!(Outcome::PASSED.and(skipped()), skipped());
        assert_eq!(Outcome::PASSED.and(Outcome::FAILED), Outcome::Ran { passed: 1, failed: 1 });
    }
}
