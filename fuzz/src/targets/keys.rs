//! Wrapped data keys: only the file that was written opens.

use iris_store::keys::{DataKey, KeyEpoch, MasterKey};

use crate::behaviour_of_text;

pub(crate) fn run(input: &[u8]) -> u64 {
    let master = MasterKey::new([9; 32]);
    match DataKey::unwrap(input, &master) {
        Ok(_) => {
            assert_eq!(Some(input), written().first().map(Vec::as_slice), "a file that nobody wrote opens");
            1
        }
        Err(error) => behaviour_of_text(&error.to_string()),
    }
}

fn written() -> Vec<Vec<u8>> {
    let key = DataKey::new([7; 32], KeyEpoch(1));
    key.wrap(&MasterKey::new([9; 32]), [5; 12]).map(|file| file.to_vec()).into_iter().collect()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    written()
}
