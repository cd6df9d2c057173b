//! The engine on a simulated disk, over all lives of the server.

use std::sync::{Arc, Mutex, PoisonError};

use iris_store::keys::{DataKey, KeyEpoch};
use iris_store::{Engine, sealed};
use iris_store_local::simulated::Call;
use iris_store_local::{Config, Disk, DiskError, LocalEngine, SimDisk};

use crate::Options;
use crate::observed::{ObservedLogs, Sightings};

/// The disk and what is kept on it.
pub(crate) struct Storage {
    pub(crate) disk: SimDisk,
    config: Config,
    key: Option<DataKey>,
    doubts_per_cent: u8,
    /// Feeds the nonces of sealed registers.
    nonces: Arc<Mutex<fastrand::Rng>>,
    /// The power is cut when more changes than this were made.
    power_cut_after: Option<u64>,
    is_bounded: bool,
    /// It was, in this life of the server.
    was_bounded: bool,
    /// A call was told to fail since the disk was last restarted: a refused start has an excuse.
    pub(crate) is_faulty: bool,
}

/// A running engine.
pub(crate) struct Opened {
    pub(crate) local: LocalEngine,
    pub(crate) engine: Engine,
    pub(crate) sightings: Sightings,
}

impl Storage {
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut store_id = [0; 16];
        random.fill(&mut store_id);
        let mut key = [0; 32];
        random.fill(&mut key);
        Self {
            disk: SimDisk::new(random.u64(..)),
            config: Config { reserve_bytes: 64 * 1_024, ..Config::small(store_id) },
            key: options.sealed.then(|| DataKey::new(key, KeyEpoch(1))),
            doubts_per_cent: options.doubts_per_cent,
            nonces: Arc::new(Mutex::new(random)),
            power_cut_after: None,
            is_bounded: false,
            was_bounded: false,
            is_faulty: false,
        }
    }

    /// # Errors
    /// The engine's words when it refuses to open.
    pub(crate) fn open(&self, seed: u64) -> Result<Opened, String> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let local = LocalEngine::open(disk, self.config.clone()).map_err(|error| error.to_string())?;
        let engine = self.encrypted(local.engine())?;
        let sightings = Sightings::default();
        let logs = Arc::new(ObservedLogs::new(engine.logs, sightings.clone(), seed, self.doubts_per_cent));
        Ok(Opened { local, engine: Engine { logs, ..engine }, sightings })
    }

    /// Cuts the power in the middle of what the disk does next.
    pub(crate) fn cut_power_soon(&mut self, changes: u64) {
        let number = self.disk.counters().changes + changes;
        self.power_cut_after = Some(number);
        self.disk.cut_power_after(number);
    }

    /// Whether the power is gone: a call has failed for that reason.
    pub(crate) fn is_dead(&self) -> bool {
        self.power_cut_after.is_some_and(|number| self.disk.counters().changes >= number)
    }

    /// Whether the power will be cut by what the disk does next.
    pub(crate) fn power_is_about_to_go(&self) -> bool {
        self.power_cut_after.is_some()
    }

    /// Bounds the disk, or lifts the bound.
    pub(crate) fn set_capacity(&mut self, bytes: Option<u64>) {
        self.is_bounded = bytes.is_some();
        self.was_bounded |= self.is_bounded;
        self.disk.set_capacity(bytes);
    }

    /// Whether something that was done to the disk explains a start that is refused.
    pub(crate) fn excuses_start(&self) -> bool {
        self.is_dead() || self.is_faulty || self.was_bounded
    }

    pub(crate) fn fail_next(&mut self, call: Call) {
        self.is_faulty = true;
        self.disk.fail_next(call, DiskError::Io("EIO".to_owned()));
    }

    /// The process is gone; with `power`, what was not synced is gone, too.
    pub(crate) fn restart(&mut self, power: bool) {
        if power {
            self.disk.crash();
        } else {
            self.disk.kill();
        }
        self.power_cut_after = None;
        self.is_faulty = false;
        self.was_bounded = self.is_bounded;
    }

    /// Files of the disk that hold these bytes.
    pub(crate) fn files_with(&self, needle: &[u8]) -> Vec<String> {
        let holds = |(name, length): &(String, u64)| {
            let mut content = vec![0; usize::try_from(*length).unwrap_or(0)];
            let read = self.disk.open(name).and_then(|file| file.read_at(0, &mut content));
            read.is_ok() && content.windows(needle.len()).any(|window| window == needle)
        };
        self.disk.files().into_iter().filter(holds).map(|(name, _)| name).collect()
    }

    fn encrypted(&self, engine: Engine) -> Result<Engine, String> {
        let Some(key) = &self.key else { return Ok(engine) };
        let nonces = Arc::clone(&self.nonces);
        let fill = move |buffer: &mut [u8]| {
            nonces.lock().unwrap_or_else(PoisonError::into_inner).fill(buffer);
        };
        sealed::sealed(engine, key, Arc::new(fill)).map_err(|error| error.to_string())
    }
}
