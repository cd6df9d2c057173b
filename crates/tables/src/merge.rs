//! Merging runs into one.

use std::cmp::Reverse;

use iris_types::RunName;

use crate::build::RunBuilder;
use crate::cursor::{KeyRange, Merged};
use crate::set::Run;
use crate::{Blocks, BuiltRun, Direction, MergePlan, RunSet, TableError};

/// Merges the plan's runs into one under a new name; of several values of a key only the newest. `None` when no
/// row is left. [`crate::Manifest::replace`] then puts it in their place.
///
/// Only rows to `keep` enter. When it says no to a key's newest value it has to say no to its older ones, too:
/// one in a run outside of the plan comes to light again.
///
/// # Errors
/// [`TableError`] when an input cannot be read; nothing was changed.
pub fn merge(
    set: &RunSet,
    plan: &MergePlan,
    name: RunName,
    keep: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    blocks: &dyn Blocks,
) -> Result<Option<BuiltRun>, TableError> {
    let mut runs: Vec<&Run> = plan.inputs.iter().map(|input| set.run(*input)).collect::<Result<_, _>>()?;
    runs.sort_by_key(|run| Reverse(run.meta.age));
    let age = runs.first().map_or(0, |run| run.meta.age);
    let mut builder = RunBuilder::new(name, plan.table, plan.window, plan.level, age);
    let mut merged = Merged::open(runs.into_iter(), blocks, KeyRange::ALL, Direction::Forward)?;
    let mut take = |row: &crate::cursor::Cursor<'_>| {
        if keep(row.key(), row.value()) {
            builder.push(row.key(), row.value());
        }
    };
    while merged.next(&mut take)?.is_some() {}
    Ok(builder.finish())
}
