//! Lists the built files of the web client, so that they are part of the binary: `web/app/dist`, with `x.gz` beside
//! `x` as its compressed variant.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/app/dist").canonicalize()?;
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in files.iter().filter(|file| !is_variant(file)) {
        let name = file.strip_prefix(&folder).map_err(io::Error::other)?.to_string_lossy().into_owned();
        let gzip = compressed(file);
        let variant = if gzip.exists() {
            check(file, &gzip)?;
            format!("Some(include_bytes!({gzip:?}))")
        } else {
            "None".to_owned()
        };
        writeln!(list, "    ({name:?}, include_bytes!({file:?}), {variant}),").map_err(io::Error::other)?;
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR: cargo sets it"))?;
    fs::write(Path::new(&out).join("web_client.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn compressed(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}

fn is_variant(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "gz") && file.with_extension("").exists()
}

/// Whether a file and its variant come from the same build: RFC 1952 ends with the length of what was compressed.
fn check(file: &Path, gzip: &Path) -> io::Result<()> {
    let (plain, packed) = (fs::read(file)?, fs::read(gzip)?);
    let length = packed.last_chunk::<4>().map(|length| u32::from_le_bytes(*length) as usize);
    if packed.starts_with(&[0x1f, 0x8b]) && length == Some(plain.len()) {
        return Ok(());
    }
    Err(io::Error::other(format!("{} is not {} compressed", gzip.display(), file.display())))
}
