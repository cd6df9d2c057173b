//! Directory entries: who owns a vnode, from where on its log counts, and what its runs are. No user is named.
//!
//! Register `vnode/NNNNN`. Layout: version 2 (1), epoch 8, log 16, start 8, forgotten 8, manifest ([`Manifest::encode`], which
//! carries its own checksum).

use bytes::{BufMut, Bytes, BytesMut};
use iris_tables::Manifest;
use iris_types::{Epoch, LogId, Position, Timestamp, VnodeId};
use iris_vnode::codec::{Malformed, Reader};

/// What every directory key begins with.
pub(crate) const PREFIX: &str = "vnode/";

const VERSION: u8 = 2;

/// One vnode's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) epoch: Epoch,
    pub(crate) log: LogId,
    /// Chunks of the log up to here are in the runs.
    pub(crate) start: Position,
    /// Message ids dated before this may have been used: their dedup rows are gone.
    pub(crate) forgotten: Timestamp,
    pub(crate) manifest: Manifest,
}

pub(crate) fn key(vnode: VnodeId) -> String {
    format!("{PREFIX}{:05}", vnode.0)
}

pub(crate) fn vnode_of(key: &str) -> Option<VnodeId> {
    key.strip_prefix(PREFIX)?.parse().ok().map(VnodeId)
}

impl Entry {
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_u8(VERSION);
        bytes.put_u64(self.epoch.0);
        bytes.put_slice(&self.log.0);
        bytes.put_u64(self.start.0);
        bytes.put_u64(self.forgotten.0);
        bytes.put_slice(&self.manifest.encode());
        bytes.freeze()
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let what = "directory entry";
        let mut reader = Reader::new(bytes, what);
        if reader.u8()? != VERSION {
            return Err(Malformed("directory entry's version"));
        }
        let (epoch, log, start) = (reader.epoch()?, LogId(reader.array()?), reader.position()?);
        let forgotten = reader.timestamp()?;
        let manifest = Manifest::decode(&reader.rest()).map_err(|_| Malformed("manifest"))?;
        Ok(Self { epoch, log, start, forgotten, manifest })
    }
}
