//! Secrets, keys and certificates in files: made for `iris dev`, demanded for `iris serve`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use zeroize::Zeroizing;

/// The files of a development directory.
#[derive(Clone, Debug)]
pub(crate) struct DevFiles {
    pub(crate) directory: PathBuf,
}

impl DevFiles {
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        let directory = std::path::absolute(directory)
            .with_context(|| format!("cannot resolve {}", directory.display()))?;
        Ok(Self { directory })
    }

    pub(crate) fn ready(&self) -> PathBuf {
        self.directory.join("ready.json")
    }
    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.join("server.pem")
    }
    pub(crate) fn key(&self) -> PathBuf {
        self.directory.join("server.key")
    }
    pub(crate) fn secret(&self) -> PathBuf {
        self.directory.join("tokens.secret")
    }
    pub(crate) fn master_key(&self) -> PathBuf {
        self.directory.join("master.key")
    }
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("admin.sock")
    }
    pub(crate) fn client(&self, user: &str, device: &str) -> PathBuf {
        self.directory.join("clients").join(format!("{user}-{device}"))
    }
    /// Where the server could last be reached; kept while it is down.
    pub(crate) fn last_address(&self) -> PathBuf {
        self.directory.join("address")
    }
    fn authority_key(&self) -> PathBuf {
        self.directory.join("ca.key")
    }

    /// Makes what is missing: authority, secret, master key; and a fresh server certificate. What is there stays.
    pub(crate) fn prepare(&self) -> Result<()> {
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot create {}", self.directory.display()))?;
        if !self.secret().exists() {
            write_private(&self.secret(), hexadecimal(&*random::<32>()?).as_bytes())?;
        }
        if !self.master_key().exists() {
            // A new master key beside existing data would only make the start fail later, with a worse message.
            if self.data().join("keys").exists() {
                bail!(
                    "{} is missing, and the data in {} cannot be read without it: put the file back",
                    self.master_key().display(),
                    self.data().display()
                );
            }
            write_private(&self.master_key(), hexadecimal(&*random::<32>()?).as_bytes())?;
        }
        self.issue_certificate()
    }

    /// A new certificate for each start, from an authority that stays: nobody has to think about its end.
    fn issue_certificate(&self) -> Result<()> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "Iris development authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = if self.authority_key().exists() && self.authority().exists() {
            KeyPair::from_pem(&fs::read_to_string(self.authority_key())?)
                .with_context(|| format!("{} is not a private key", self.authority_key().display()))?
        } else {
            let key = KeyPair::generate()?;
            write_private(&self.authority_key(), key.serialize_pem().as_bytes())?;
            write_new(&self.authority(), authority.self_signed(&key)?.pem().as_bytes(), 0o644)?;
            key
        };
        let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
        for address in ["127.0.0.1", "::1"] {
            server.subject_alt_names.push(SanType::IpAddress(address.parse()?));
        }
        server.distinguished_name.push(DnType::CommonName, "Iris development server");
        let key = KeyPair::generate()?;
        let issuer = Issuer::new(authority, authority_key);
        let certificate = server.signed_by(&key, &issuer)?;
        write_new(&self.certificate(), certificate.pem().as_bytes(), 0o644)?;
        write_private(&self.key(), key.serialize_pem().as_bytes())
    }
}

/// Reads a file that only its owner may read; the text without line ends at its end.
pub(crate) fn read_private(path: &Path, what: &str, how_to_make: &str) -> Result<Zeroizing<Vec<u8>>> {
    let metadata = fs::metadata(path).with_context(|| {
        format!("cannot read the {what} {}\n  make one with: {how_to_make}", path.display())
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!(
            "the {what} {path} can be read by others (mode {mode:04o})\n  run: chmod 600 {path}",
            path = path.display()
        );
    }
    let mut bytes =
        Zeroizing::new(fs::read(path).with_context(|| format!("cannot read the {what} {}", path.display()))?);
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}

/// 32 bytes from 64 hexadecimal digits.
pub(crate) fn parse_master_key(text: &[u8], source: &str) -> Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let digits =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    if text.len() != 64 || text.iter().any(|byte| !byte.is_ascii_hexdigit()) {
        bail!("the master key in {source} is not 64 hexadecimal digits");
    }
    for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digits(pair).with_context(|| format!("the master key in {source} is not hexadecimal"))?;
    }
    if key.iter().all(|byte| *byte == key[0]) {
        bail!(
            "the master key in {source} is one byte repeated; make one with: head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n'"
        );
    }
    Ok(key)
}

/// Random bytes of the operating system.
#[allow(clippy::disallowed_methods, reason = "where this process draws its keys and ids")]
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    aws_lc_rs::rand::fill(&mut *bytes).context("the system gives no randomness")?;
    Ok(bytes)
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    write_new(path, bytes, 0o600)
}

/// Replaces a file in one step, so that nobody reads half of it.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_start_keeps_authority_secret_and_master_key() {
        let folder = tempfile::tempdir().unwrap();
        let files = DevFiles::new(folder.path()).unwrap();
        files.prepare().unwrap();
        let read = |path: PathBuf| fs::read(path).unwrap();
        let before = [files.authority(), files.secret(), files.master_key()].map(read);
        files.prepare().unwrap();
        assert_eq!([files.authority(), files.secret(), files.master_key()].map(read), before);
        for private in [files.secret(), files.master_key(), files.key(), files.authority_key()] {
            assert_eq!(fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_new(&path, b"x", 0o644).unwrap();
        let error = read_private(&path, "token secret", "").unwrap_err().to_string();
        assert!(error.contains("mode 0644") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_master_key_is_64_hexadecimal_digits_and_not_one_byte_repeated() {
        let good: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(parse_master_key(good.as_bytes(), "x").unwrap()[31], 31);
        for bad in ["", "00", &"0".repeat(64), &"z".repeat(64), &format!("+{}", &good[1..])] {
            assert!(parse_master_key(bad.as_bytes(), "x").is_err(), "{bad}");
        }
    }
}
