//! One event loop.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use iris_cluster::CoreLink;

use crate::control::Control;
use crate::edge::EdgeConfig;

pub(crate) struct EventLoop {
    _listener: OwnedFd,
}

impl EventLoop {
    pub(crate) fn new(
        _number: usize,
        listener: OwnedFd,
        _config: &EdgeConfig,
        _core: Arc<dyn CoreLink>,
        _control: Arc<Control>,
    ) -> io::Result<Self> {
        Ok(Self { _listener: listener })
    }

    pub(crate) fn run(self) -> io::Result<()> {
        Ok(())
    }
}
