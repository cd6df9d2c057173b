//! Manifests: total, and what is read is written back byte by byte.

use iris_tables::Manifest;

use super::runs::some_runs;
use crate::{behaviour, behaviour_of_text};

/// The input is what follows the checksum, which is put right: otherwise nothing would get behind it.
pub(crate) fn run(input: &[u8]) -> u64 {
    let bytes = [&crc32c::crc32c(input).to_be_bytes()[..], input].concat();
    match Manifest::decode(&bytes) {
        Ok(manifest) => {
            assert_eq!(manifest.encode(), bytes, "a manifest is written as it was read");
            behaviour(&[1, manifest.runs().len().min(4) as u64])
        }
        Err(error) => behaviour_of_text(&error.to_string()),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let whole = Manifest::default().change(&[], some_runs().iter().map(|run| run.meta));
    [Manifest::default(), whole].iter().map(|manifest| manifest.encode().split_off(4)).collect()
}
