//! The web client, as it is built into this binary.

use bytes::Bytes;
use iris_protocol::http::{Asset, Assets};

/// Path, content, and the same compressed.
type File = (&'static str, &'static [u8], Option<&'static [u8]>);

/// Made by `build.rs`.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/web_client.rs"));

/// Every file, ready to be served; none is copied.
pub(crate) fn assets() -> Assets {
    Assets::new(FILES.iter().map(|(path, bytes, gzip)| Asset {
        path: (*path).to_owned(),
        bytes: Bytes::from_static(bytes),
        gzip: gzip.map(Bytes::from_static),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_first_page() {
        assert!(FILES.iter().any(|(path, bytes, _)| *path == "index.html" && !bytes.is_empty()));
        assert!(FILES.iter().all(|(path, ..)| !path.starts_with('/') && !path.contains("..")));
    }
}
