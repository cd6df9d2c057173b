//! The composition root: the one place that names concrete stores, sockets and clocks.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use iris_core::{Core, CoreConfig, CoreEvent};
use iris_edge::{
    AdmissionLimits, Clock, Edge, EdgeConfig, EdgeInbox, EdgeLink, SystemClock, TlsConfig, TokenSecret,
    WebListener, WebPlace,
};
use iris_protocol::{DrainHint, Versions};
use iris_types::placement::VnodeCount;
use iris_worker::{Rate, WorkerLimits};
use tokio::sync::mpsc;

use crate::admin_socket::AdminSocket;
use crate::config::Config;
use crate::dev::PlainWeb;
use crate::health::{self, Health};
use crate::material::{random, read_private};
use crate::status::{Phase, Status};
use crate::storage::Storage;
use crate::token::HOW_TO_MAKE_A_SECRET;

/// How long clients get to leave when the server drains.
const DRAIN_GRACE: Duration = Duration::from_secs(5);
/// How clients spread their return after a drain.
const DRAIN_HINT: DrainHint = DrainHint { reconnect_after_ms: 200, jitter_ms: 1_000 };
/// How long the core gets to commit and flush when it drains.
const FLUSH_GRACE: Duration = Duration::from_secs(30);

/// Where a server that serves can be reached.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    /// Of the web client, over HTTPS and without TLS.
    pub(crate) https_address: Option<SocketAddr>,
    pub(crate) http_address: Option<SocketAddr>,
    pub(crate) admin_address: SocketAddr,
}

/// Starts everything, calls `serving` once clients are served, and returns after a clean stop. Without TLS nobody is
/// served, unless `plain` is there, which `iris dev` alone can make.
///
/// # Errors
/// What the operator has to mend; nothing was lost.
pub(crate) fn run(
    config: &Config,
    plain: Option<&PlainWeb>,
    serving: impl FnOnce(&Serving) -> Result<()>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config, plain, serving))
}

async fn serve(
    config: &Config,
    plain: Option<&PlainWeb>,
    serving: impl FnOnce(&Serving) -> Result<()>,
) -> Result<()> {
    let connections_max = crate::descriptors::connections_max()?;
    let secret = Arc::new(read_secret(config)?);
    let tls = read_tls(config)?;
    let storage = Storage::open(&config.storage)?;
    let status = Arc::new(Status::new());
    let (reports, mut reported) = mpsc::channel(64);
    let (core, inboxes) = start_core(config, &storage, reports)?;
    let core = StopOnDrop(core);

    let admin_listener = tokio::net::TcpListener::bind(config.admin.listen)
        .await
        .with_context(|| format!("cannot listen on {} (admin.listen)", config.admin.listen))?;
    let admin_address = admin_listener.local_addr()?;
    let edge = Arc::new(std::sync::OnceLock::<Edge>::new());
    let health =
        Health { status: Arc::clone(&status), statistics: crate::stats::source(&core.0, &edge, &storage) };
    #[allow(clippy::disallowed_methods, reason = "the composition root starts its tasks")]
    tokio::spawn(async move { axum::serve(admin_listener, health::router(health)).await });
    let socket = bind_admin_socket(&config.admin.socket)?;
    let admin = AdminSocket { secret: Arc::clone(&secret), core: Arc::clone(&core.0) };
    #[allow(clippy::disallowed_methods, reason = "the composition root starts its tasks")]
    tokio::spawn(admin.serve(socket));

    let mut signals = Signals::new()?;
    tokio::select! {
        biased;
        () = signals.received() => return Ok(()),
        event = reported.recv() => match event {
            Some(CoreEvent::Ready) => {}
            Some(CoreEvent::Stopped(reason)) => bail!("{reason}"),
            Some(CoreEvent::Drained) | None => bail!("the core ended at its start"),
        },
    }
    let web = web_listeners(config, plain);
    let started = start_edge(config, tls, web, (&secret, connections_max), inboxes, &core.0)?;
    let mut web_addresses = started.web_addresses().iter().copied();
    let addresses = Serving {
        address: started.local_address(),
        // In the order of the listeners.
        https_address: config.web.as_ref().and_then(|_| web_addresses.next()),
        http_address: plain.and_then(|_| web_addresses.next()),
        admin_address,
    };
    let edge = edge.get_or_init(|| started);
    // Before maintenance, which may find at once that the disk is nearly full.
    status.enter(Phase::Serving);
    let maintenance = storage.maintain(&core.0, &status, clock_of_the_core())?;
    serving(&addresses)?;

    tokio::select! {
        biased;
        event = reported.recv() => match event {
            Some(CoreEvent::Stopped(reason)) => fail(&reason),
            _ => bail!("the core ended"),
        },
        () = signals.received() => {}
    }
    status.enter(Phase::Draining);
    drain(edge, &core.0, &mut reported, &mut signals).await;
    drop(maintenance);
    drop(core);
    storage.close();
    Ok(())
}

/// Ends the process at once: after a failed flush nothing more may be said to anybody.
fn fail(reason: &iris_worker::StopReason) -> ! {
    tracing::error!(%reason, "stopping at once; a restart takes over what is durable");
    eprintln!("iris: {reason}");
    std::process::exit(1);
}

/// Tells clients to come back later, then commits and flushes what there is. A second signal cuts it short: all
/// that was acknowledged is durable at any time.
async fn drain(
    edge: &Edge,
    core: &Arc<Core>,
    reported: &mut mpsc::Receiver<CoreEvent>,
    signals: &mut Signals,
) {
    edge.drain(DRAIN_HINT, DRAIN_GRACE);
    let work = async {
        // Acknowledgements of what is in flight still reach those clients that wait for them.
        emptied(edge).await;
        core.drain();
        while let Some(event) = reported.recv().await {
            match event {
                CoreEvent::Drained => return,
                CoreEvent::Stopped(reason) => fail(&reason),
                CoreEvent::Ready => {}
            }
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(FLUSH_GRACE, work) => {}
        () = signals.received() => tracing::warn!("second signal: stopping without the last flush"),
    }
}

/// Waits until every client has left, at most the grace that they were given.
async fn emptied(edge: &Edge) {
    let deadline = tokio::time::Instant::now() + DRAIN_GRACE;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    while edge.statistics().connections > 0 && tokio::time::Instant::now() < deadline {
        ticks.tick().await;
    }
}

fn start_core(
    config: &Config,
    storage: &Storage,
    reports: mpsc::Sender<CoreEvent>,
) -> Result<(Arc<Core>, Vec<Arc<EdgeInbox>>)> {
    let loops = match config.server.event_loops {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        loops => loops,
    };
    let inboxes = EdgeInbox::for_loops(u16::try_from(loops).unwrap_or(u16::MAX))?;
    let worker = &config.worker;
    let seeds = (0..worker.workers).map(|_| random::<32>().map(|seed| *seed)).collect::<Result<_>>()?;
    let core = Core::start(CoreConfig {
        vnodes: VnodeCount::new(worker.vnodes).context("worker.vnodes: 1 to 65536")?,
        workers: worker.workers,
        limits: WorkerLimits {
            flush_bytes: worker.flush_bytes,
            flush_interval_ms: worker.flush_interval_ms,
            dirty_bytes_max: worker.dirty_bytes,
            log_tail_bytes_max: worker.log_tail_bytes,
            state_cache_bytes: worker.state_cache_bytes,
            linger_ms: worker.linger_ms,
            group_members_max: config.limits.group_members,
            messages: Rate {
                per_minute: config.limits.messages_per_minute,
                burst: config.limits.messages_burst,
            },
            ..WorkerLimits::default()
        },
        engine: storage.engine(),
        block_cache_bytes: worker.block_cache_bytes,
        seeds,
        clock: clock_of_the_core(),
        edges: inboxes.iter().map(|inbox| Arc::clone(inbox) as Arc<dyn EdgeLink>).collect(),
        report: Arc::new(move |event| {
            // At most two reports per core and one per dead worker: the channel holds them all.
            let _ = reports.try_send(event);
        }),
    })?;
    Ok((core, inboxes))
}

fn clock_of_the_core() -> iris_core::CoreClock {
    let clock = SystemClock::new();
    Arc::new(move || {
        let now = clock.now();
        (now.wall, now.monotonic)
    })
}

/// HTTPS first, then plain HTTP.
fn web_listeners(config: &Config, plain: Option<&PlainWeb>) -> Vec<WebListener> {
    let assets = Arc::new(crate::web::assets());
    let https =
        config.web.as_ref().map(|web| WebPlace::Tls { address: web.listen, origins: web.origins.clone() });
    let places = https.into_iter().chain(plain.map(PlainWeb::place));
    places.map(|place| WebListener { place, assets: Arc::clone(&assets) }).collect()
}

fn start_edge(
    config: &Config,
    tls: TlsConfig,
    web: Vec<WebListener>,
    (secret, connections_max): (&Arc<TokenSecret>, usize),
    inboxes: Vec<Arc<EdgeInbox>>,
    core: &Arc<Core>,
) -> Result<Edge> {
    let versions = config.server.protocol_versions.iter().fold(0, |bits, version| bits | 1 << (version - 1));
    let protocol = iris_protocol::server::ServerConfig { versions: Versions(versions), ..Default::default() };
    let secret = Arc::clone(secret);
    let edge = EdgeConfig {
        address: config.server.listen,
        web,
        inboxes,
        tls,
        token_check: Arc::new(move |token, now| iris_edge::token::verify(&secret, token, now)),
        protocol: Arc::new(protocol),
        clock: Arc::new(SystemClock::new()),
        connections_max,
        admission: AdmissionLimits {
            connections_per_minute: config.limits.connections_per_minute,
            failed_logins_per_hour: config.limits.failed_logins_per_hour,
        },
    };
    Ok(Edge::start(edge, Arc::clone(core) as Arc<dyn iris_edge::CoreLink>)?)
}

fn read_secret(config: &Config) -> Result<TokenSecret> {
    let file = &config.tokens.secret_file;
    let bytes = read_private(file, "token secret", HOW_TO_MAKE_A_SECRET)?;
    TokenSecret::new(&bytes).with_context(|| {
        format!("the token secret {} is too weak\n  make one with: {HOW_TO_MAKE_A_SECRET}", file.display())
    })
}

fn read_tls(config: &Config) -> Result<TlsConfig> {
    const HOW: &str = "get a certificate for the server's name, or try `iris dev`, which makes its own";
    let (certificate, key) = (&config.tls.certificate_file, &config.tls.key_file);
    let chain = std::fs::read(certificate)
        .with_context(|| format!("cannot read the certificate {}\n  {HOW}", certificate.display()))?;
    let private = read_private(key, "private key", HOW)?;
    TlsConfig::from_pem(&chain, &private)
        .with_context(|| format!("cannot use {} and {}", certificate.display(), key.display()))
}

fn bind_admin_socket(path: &Path) -> Result<tokio::net::UnixListener> {
    let listener = crate::socket::bind(path)
        .with_context(|| format!("cannot listen at {} (admin.socket)", path.display()))?;
    listener.set_nonblocking(true)?;
    Ok(tokio::net::UnixListener::from_std(listener)?)
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ends the core's threads on every way out.
struct StopOnDrop(Arc<Core>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
