//! The engine on files as this process uses it: opened, encrypted, looked after.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use iris_core::{Core, CoreClock};
use iris_store::Engine;
use iris_store::keys::{DataKey, KeyEpoch, MasterKey};
use iris_store_local::{LocalEngine, RealDisk, Scrub};
use iris_types::RunName;

use crate::config;
use crate::material::{parse_master_key, random, read_private, write_private};
use crate::status::{Phase, Status};

/// Name of the wrapped data key in the data directory.
const KEYS: &str = "keys";
/// How often the durable mark and the next segment are looked after.
const MAINTENANCE: Duration = Duration::from_millis(50);
/// Rounds of maintenance between two looks at the free space.
const ROUNDS_PER_LOOK: u32 = 10;
const HOW_TO_MAKE_A_KEY: &str =
    "head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' > FILE && chmod 600 FILE";

/// An open data directory.
pub(crate) struct Storage {
    local: LocalEngine,
    sealed: Engine,
}

impl Storage {
    pub(crate) fn open(config: &config::Storage) -> Result<Self> {
        let directory = &config.directory;
        let master = master_key(config)?;
        if let Some(parent) = directory.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        // Made by the engine, for its owner alone.
        let disk = RealDisk::open(directory)
            .with_context(|| format!("cannot use the data directory {}", directory.display()))?;
        let mut local = iris_store_local::Config::new(*random::<16>()?);
        local.segment_bytes = config.segment_bytes;
        local.journal_bytes = local.journal_bytes.min(config.segment_bytes);
        if let Some(reserve) = config.reserve_bytes {
            local.reserve_bytes = reserve;
        }
        let local = LocalEngine::open(Arc::new(disk), local)
            .with_context(|| format!("cannot start on {}", directory.display()))?;
        // The lock is held since the store was opened: nobody else makes keys at the same time.
        let key = data_key(directory, &master, &local.engine())?;
        #[allow(clippy::disallowed_methods, reason = "randomness of what is sealed comes from the system")]
        let randomness: iris_store::sealed::Randomness = Arc::new(|bytes: &mut [u8]| {
            // The system's generator does not fail once it works, and it made the keys above.
            if aws_lc_rs::rand::fill(bytes).is_err() {
                tracing::error!("the system gives no randomness");
                std::process::abort();
            }
        });
        let sealed = iris_store::sealed::sealed(local.engine(), &key, randomness)?;
        Ok(Self { local, sealed })
    }

    pub(crate) fn engine(&self) -> Engine {
        self.sealed.clone()
    }

    pub(crate) fn local(&self) -> &LocalEngine {
        &self.local
    }

    /// Starts the threads that keep the mark, the spare segment and the eye on the free space, and that scrub.
    pub(crate) fn maintain(
        &self,
        core: &Arc<Core>,
        status: &Arc<Status>,
        clock: CoreClock,
    ) -> Result<Maintenance> {
        let scrub = Scrub::new(self.local.clone(), RunName(*random::<16>()?));
        let mut maintenance = Maintenance { stop: Arc::default(), threads: Vec::new() };
        let round = Round {
            local: self.local.clone(),
            core: Arc::clone(core),
            status: Arc::clone(status),
            low: false,
        };
        maintenance.start("maintenance", move |stop| round.run(stop))?;
        // Reading may take as long as a disk likes; the mark must not wait for it.
        maintenance.start("scrub", move |stop| crate::scrub::run(scrub, || clock().1, stop))?;
        Ok(maintenance)
    }

    /// The last word to the disk at a clean stop.
    pub(crate) fn close(&self) {
        if let Err(error) = self.local.write_mark() {
            tracing::warn!(%error, "the durable mark could not be written; the next start does without it");
        }
    }
}

/// The threads that look after a store; dropping it ends them.
pub(crate) struct Maintenance {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Maintenance {
    fn start(&mut self, name: &str, run: impl FnOnce(&AtomicBool) + Send + 'static) -> Result<()> {
        let stop = Arc::clone(&self.stop);
        #[allow(clippy::disallowed_methods)] // the binary starts its threads here
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&stop))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        for thread in self.threads.drain(..) {
            // A panic was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

struct Round {
    local: LocalEngine,
    core: Arc<Core>,
    status: Arc<Status>,
    low: bool,
}

impl Round {
    fn run(mut self, stop: &AtomicBool) {
        let mut rounds = 0_u32;
        while !stop.load(Ordering::SeqCst) {
            if let Err(error) = self.local.write_mark().and_then(|()| self.local.prepare_segment().map(drop))
            {
                tracing::debug!(%error, "maintenance of the log");
            }
            if rounds.is_multiple_of(ROUNDS_PER_LOOK) {
                self.look_at_the_room();
            }
            rounds = rounds.wrapping_add(1);
            std::thread::park_timeout(MAINTENANCE);
        }
    }

    /// Safe mode begins when room is low and ends by itself when there is room.
    fn look_at_the_room(&mut self) {
        let low = match self.local.room() {
            Ok(room) => room.low,
            Err(error) => {
                tracing::warn!(%error, "cannot ask for the free space");
                return;
            }
        };
        if low != self.low {
            self.low = low;
            self.core.safe_mode(low);
            self.status.enter(if low { Phase::SafeMode } else { Phase::Serving });
            if low {
                tracing::error!("the disk is nearly full: sends are refused until there is room");
            } else {
                tracing::warn!("the disk has room again: sends are taken");
            }
        }
    }
}

fn master_key(config: &config::Storage) -> Result<MasterKey> {
    let key = match (&config.master_key_file, &config.master_key_environment) {
        (Some(file), _) => {
            let text = read_private(file, "master key", HOW_TO_MAKE_A_KEY)?;
            parse_master_key(&text, &file.display().to_string())?
        }
        (None, Some(name)) => {
            let text = std::env::var(name)
                .with_context(|| format!("the master key is not in the environment variable {name}"))?;
            parse_master_key(text.trim().as_bytes(), &format!("the environment variable {name}"))?
        }
        (None, None) => {
            bail!("storage.master_key_file or storage.master_key_environment has to name the master key")
        }
    };
    Ok(MasterKey::new(*key))
}

/// Reads the data key, or makes one when the directory is new.
fn data_key(directory: &Path, master: &MasterKey, engine: &Engine) -> Result<DataKey> {
    let file = directory.join(KEYS);
    if file.exists() {
        let wrapped = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        return DataKey::unwrap(&wrapped, master)
            .with_context(|| format!("cannot open {} with this master key", file.display()));
    }
    // A log or a run was written with a key; a store without either is new.
    if !engine.logs.list()?.is_empty() || !engine.runs.list()?.is_empty() {
        bail!(
            "{} is missing, and the data beside it cannot be read without it\n  put it back from a backup",
            file.display()
        );
    }
    let key = DataKey::new(*random::<32>()?, KeyEpoch(1));
    write_private(&file, &key.wrap(master, *random::<12>()?)?)?;
    Ok(key)
}
