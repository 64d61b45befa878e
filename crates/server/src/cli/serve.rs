use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::exit::Usage;
use super::{ConfigArgs, Exit, connect, exit};
use crate::boot::{House, Purpose, build};
use crate::config::{Config, LogFormat, load};
use crate::crash::{Boundary, Crash};
use crate::facade::hybrid::mirror::Mirror;
use crate::http::{listen, router};
use crate::plugins::Children;

/// Runs a server until it is told to end (SIGINT or SIGTERM).
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    crash: CrashArgs,
}

/// For `windlass test`, which starts its servers with it.
#[derive(Debug, Args)]
struct CrashArgs {
    /// Where commits are written down.
    #[arg(long, value_name = "FILE", hide = true)]
    crash_log: Option<PathBuf>,
    /// The commit at which the process ends: `N:before` or `N:after`.
    #[arg(long, value_name = "BOUNDARY", hide = true, requires = "crash_log")]
    crash_at: Option<Boundary>,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let config = load(&self.config.flags())?.config;
        start_log(&config);
        let CrashArgs { crash_log, crash_at: at } = self.crash;
        let crash = crash_log.map(|log| Crash { log, at });
        let purpose = Purpose { is_active: true, crash, ..Purpose::default() };
        let format = config.log.format;
        let server = Server::start(config, purpose).await?;
        server.say_ready(format);
        server.until_told().await;
        Ok(Exit::Ok)
    }
}

/// Starts the log on standard error.
pub(super) fn start_log(config: &Config) {
    let level: Level = config.log.level.parse().unwrap_or(Level::INFO);
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // It would tell of every request several times, with what is in it.
    let quieter = Targets::new().with_default(level).with_target("rmcp", Level::ERROR);
    // That there is a log already, as in tests, is fine.
    let _ = match config.log.format {
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_span_list(false);
            builder.finish().with(quieter).try_init()
        }
        LogFormat::Text => builder.finish().with(quieter).try_init(),
    };
}

/// A server that listens.
pub(super) struct Server {
    pub(super) house: House,
    pub(super) url: String,
    /// The directory that says where the server listens, unless nothing is kept.
    data: Option<PathBuf>,
    serving: tokio::task::JoinHandle<()>,
    children: Children,
}

impl Server {
    /// Opens everything and listens.
    pub(super) async fn start(config: Config, purpose: Purpose) -> anyhow::Result<Server> {
        let (data, listen) = (config.store.data.clone(), config.server.listen);
        let is_file = purpose.file.is_some();
        allow_open_files(config.server.connection_count_max);
        let connections = usize::try_from(config.server.connection_count_max)?;
        // The port first: whoever starts a second server should hear of the first at once.
        let listener =
            listen::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let address: SocketAddr = listener.local_addr()?;
        let house = tokio::task::spawn_blocking(move || build(config, purpose)).await??;
        if house.app.gate.is_exposed && !house.app.gate.has_credentials() {
            let message = format!(
                "others can reach {listen}, and there is no key yet; make one with `windlass key \
                 create --role admin --name NAME --data {}`",
                data.display()
            );
            return Err(Usage(message).into());
        }
        let url = format!("http://{address}");
        let data = (!is_file).then_some(data);
        if let Some(data) = &data {
            connect::write_record(data, &url)
                .with_context(|| format!("cannot write to `{}`", data.display()))?;
            // The settings may have it relative to wherever this was started.
            let place = data.canonicalize().unwrap_or_else(|_| data.clone());
            tracing::info!(data = %place.display(), "the data directory");
        }
        let going_down = house.go_down.subscribe();
        let router = router::router(&house.app);
        let serving = tokio::spawn(listen::serve(listener, router, connections, going_down));
        // Others may be told to reach it by any address; its children are on this machine.
        let own = match address.ip() {
            ip if !ip.is_unspecified() => address,
            IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
            IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        };
        let children = Children::start(&house.app, &format!("http://{own}"));
        if let Some(mirror) = Mirror::of(&house.app) {
            tokio::spawn(mirror.follow(house.app.clone()));
        }
        Ok(Server { house, url, data, serving, children })
    }

    /// Says where it is, in the way the log is written: whoever reads JSON reads nothing else.
    pub(super) fn say_ready(&self, format: LogFormat) {
        match format {
            LogFormat::Json => tracing::info!(url = self.url, "windlass is ready"),
            LogFormat::Text => exit::message(&format!("windlass is ready at {}", self.url)),
        }
    }

    /// Waits for a signal and ends: no new requests, the attempts under way get their grace, a
    /// second signal ends them at once.
    pub(super) async fn until_told(self) {
        let mut ends = Signals::new();
        tokio::select! {
            () = ends.next() => {}
            () = fenced(&self.house) => {
                tracing::error!("another server has taken the data over; this one ends");
            }
        }
        let grace = self.house.app.config.engine.shutdown_grace.0;
        let attempts = self.house.app.engine.health().attempt_count;
        if attempts > 0 {
            tracing::info!(attempt.count = attempts, "waiting for attempts; again to end at once");
        }
        self.house.go_down.send_replace(true);
        tokio::select! {
            _ = async { tokio::join!(self.serving, self.children.ended()) } => {}
            () = ends.next() => {}
        }
        let engine = &self.house.app.engine;
        tokio::select! {
            () = engine.shut_down(grace) => {}
            () = ends.next() => {}
        }
        if let Some(data) = &self.data {
            connect::remove_record(data);
        }
        tracing::info!("ended");
    }
}

/// Besides connections: the database, its readers, steps and what they are connected with.
const OTHER_OPEN_FILES: u64 = 1_024;

/// Every connection is an open file, and systems are content with few unless they are asked.
fn allow_open_files(connections: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = connections.saturating_add(OTHER_OPEN_FILES);
    let possible = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if possible < wanted {
        tracing::warn!(
            wanted,
            possible,
            "the system allows fewer open files than `server.connection_count_max` may need"
        );
    }
    if limit.current.is_some_and(|current| current < possible) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), ..limit });
        if let Err(error) = raised {
            tracing::warn!(%error, "the number of open files cannot be raised");
        }
    }
}

/// The signals that tell a server to end.
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> Signals {
        Signals {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
        }
    }
}

/// Waits until another server has taken the data over.
async fn fenced(house: &House) {
    while !house.app.engine.health().is_fenced {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
