//! Putting the house together: store, engine, nodes, settings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use windlass_engine::clock::Clock;
use windlass_engine::{DispatchConfig, Engine, EngineConfig};
use windlass_nodes::kinds::shell::{Mark, Reaper, kill_leftovers};
use windlass_nodes::{
    AllowList, ChildGuard, HttpClient, Kept, Sandbox, SandboxSettings, ShellSettings,
};
use windlass_store::{DirectoryLock, MemoryStore, Store};

use crate::access::Gate;
use crate::app::{App, TRIAL_COUNT_MAX, Trial};
use crate::archive;
use crate::config::Config;
use crate::crash::Crash;
use crate::database;
use crate::metrics::Metrics;
use crate::observe::unpack::Room;
use crate::plugins;
use crate::traces::{self, Ends};
use crate::vault::{Ring, Vault};

/// The argument that makes this program stand by and end what a killed server leaves behind.
pub const REAP: &str = "__reap";

/// What the house is put together for.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// Whether this machine itself may be asked by `http` nodes, unless the settings say so.
    pub allows_loopback: bool,
    /// Whether `shell` steps run as the server's user, unless the settings say otherwise.
    pub trusts_shell: bool,
    /// Whether this is `windlass dev`, whose pages can be signed in to without a key.
    pub is_dev: bool,
    /// Whether runs that were left behind go on. Off for commands that only look.
    pub is_active: bool,
    /// Whether nothing is kept.
    pub is_in_memory: bool,
    /// What was read from a file, to be looked at and nothing else: nothing is kept, nothing runs.
    pub file: Option<Arc<MemoryStore>>,
    /// The program that stands by to end children and puts up the boundary around steps; this one if
    /// left out.
    pub program: Option<PathBuf>,
    /// Where the process is to end, for a test of what comes after.
    pub crash: Option<Crash>,
}

/// A house that stands.
#[derive(Debug)]
pub struct House {
    /// What requests have at hand.
    pub app: Arc<App>,
    /// Ends every stream.
    pub go_down: watch::Sender<bool>,
    /// Where attempts work if nothing is kept. It goes with the house.
    _own_dir: Option<tempfile::TempDir>,
    /// The data directory, if the store is elsewhere.
    _lock: Option<DirectoryLock>,
}

/// Opens the store and starts the engine.
///
/// # Errors
///
/// If another process owns the data, or something cannot be opened. The message is for people.
pub fn build(config: Config, purpose: Purpose) -> anyhow::Result<House> {
    // What is wrong with a plugin is said before anything is opened.
    let registry = Arc::new(plugins::registry(&config)?);
    let data = &config.store.data;
    let clock = Clock::new();
    let (mut own_dir, mut lock) = (None, None);
    let is_file = purpose.file.is_some();
    let is_in_memory = purpose.is_in_memory || is_file;
    let session_dir = (!is_in_memory).then(|| data.clone());
    let (store, work_dir): (Arc<dyn Store>, _) = if is_in_memory {
        let directory = tempfile::Builder::new().prefix("windlass-").tempdir()?;
        let work_dir = directory.path().join("work");
        own_dir = Some(directory);
        (purpose.file.clone().unwrap_or_default(), work_dir)
    } else {
        let opened = database::open(&config.store, clock.now())?;
        lock = opened.lock;
        (opened.store, data.canonicalize()?.join("work"))
    };
    let store = match &purpose.crash {
        Some(crash) => crash.in_front_of(store)?,
        None => store,
    };
    let started_at = clock.now();
    let boot_id = windlass_engine::ids::new_id(started_at);
    // The directory is locked: whoever carries its mark was left behind.
    let owner = Mark::new(work_dir.parent().unwrap_or(&work_dir).to_string_lossy(), boot_id);
    if !is_in_memory {
        let count = kill_leftovers(owner.directory());
        if count > 0 {
            tracing::info!(process.count = count, "ended what an earlier server left behind");
        }
    }
    clear(&work_dir);
    let kept = Kept::new(&work_dir);
    forget_what_is_over(&kept, &*store)?;
    std::fs::create_dir_all(&work_dir)
        .with_context(|| format!("cannot make `{}`", work_dir.display()))?;
    let metrics = Arc::new(Metrics::new());
    let ring =
        Ring::load(&config.secrets, session_dir.as_deref()).map_err(|error| anyhow!(error))?;
    let vault = Arc::new(Vault::new(ring, store.clone()));
    let drafts = work_dir.clone();
    let trial = Trial {
        http: Arc::new(http_client(&config, &purpose)?),
        shell: Arc::new(ShellSettings {
            work_dir,
            kept,
            guard: reaper(&purpose, &owner)?,
            owner,
            sandbox: Arc::new(sandbox(&config, &purpose)?),
        }),
        turns: Semaphore::new(TRIAL_COUNT_MAX),
        llm: Arc::new(config.llm.for_nodes()),
        prompts: Arc::new(config.llm.prompts()),
    };
    let (ends, traces) = match is_in_memory {
        // What is only looked at, or tried out, is told to nobody.
        true => (Ends::nowhere(), None),
        false => traces::open()?,
    };
    let (go_down, going_down) = watch::channel(false);
    let kinds = registry.kinds().clone();
    let archive = archive::open(&config, store.clone(), kinds, drafts, going_down.clone())?;
    let archive = archive.map(|archive| metrics.count_archive(archive));
    let engine_config = EngineConfig {
        read_count: 2 * usize::try_from(config.store.reader_count)?,
        store,
        dispatch: DispatchConfig {
            registry: registry.clone(),
            http: trial.http.clone(),
            shell: trial.shell.clone(),
            llm: trial.llm.clone(),
            prompts: trial.prompts.clone(),
            secrets: vault.clone(),
            budgets: config.llm.project_budgets(),
            limits: HashMap::from([
                ("shell".to_owned(), usize::try_from(config.shell.concurrency)?),
                ("code".to_owned(), usize::try_from(config.code.concurrency)?),
                ("http".to_owned(), usize::try_from(config.http.concurrency)?),
                ("llm".to_owned(), usize::try_from(config.llm.concurrency)?),
                ("agent".to_owned(), usize::try_from(config.llm.concurrency)?),
            ]),
        },
        shard_count: shard_count(&config)?,
        is_active: purpose.is_active && !is_file,
        retention: config.retention_rules(),
        archive,
        queues: config.queue_limits(),
        sweep_every: config.sweeper.every.0,
        observer: {
            let metrics = metrics.clone();
            Arc::new(move |published| {
                metrics.observe(published);
                ends.observe(published);
            })
        },
    };
    let engine = Engine::start(engine_config, Handle::current())?;
    let gate = Gate::new(&config, engine.clone(), session_dir.as_deref(), purpose.is_dev)?;
    let gate = if is_file { gate.only_to_look() } else { gate };
    let room = Room::new(config.server.body_bytes_max);
    let app = App {
        engine,
        vault,
        gate,
        config,
        registry,
        known: Default::default(),
        facades: Default::default(),
        trial,
        room,
        metrics,
        boot_id,
        started_at,
        is_file,
        going_down,
    };
    let app = Arc::new(app);
    if let Some(traces) = traces {
        tokio::spawn(traces.tell(app.clone()));
    }
    Ok(House { app, go_down, _own_dir: own_dir, _lock: lock })
}

fn shard_count(config: &Config) -> anyhow::Result<usize> {
    match usize::try_from(config.engine.shard_count)? {
        // A shard has one batch under way at most, so it takes two to keep the disk busy.
        0 => Ok(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))),
        count => Ok(count),
    }
}

fn http_client(config: &Config, purpose: &Purpose) -> anyhow::Result<HttpClient> {
    let mut allowed = AllowList::parse(&config.http.allow).map_err(|error| anyhow!(error))?;
    if config.http.allow_loopback.unwrap_or(purpose.allows_loopback) {
        allowed = allowed.with_loopback();
    }
    HttpClient::new(allowed).map_err(|error| anyhow!("cannot set up TLS: {error}"))
}

fn program(purpose: &Purpose) -> anyhow::Result<PathBuf> {
    match &purpose.program {
        Some(program) => Ok(program.clone()),
        None => std::env::current_exe().context("cannot find this program's own file"),
    }
}

/// The boundary around steps. Hidden from them is what the server keeps, whatever else they may read.
pub fn sandbox(config: &Config, purpose: &Purpose) -> anyhow::Result<Sandbox> {
    let section = &config.sandbox;
    Ok(Sandbox::new(SandboxSettings {
        program: program(purpose)?,
        is_strict: section.strict,
        trusts_shell: section.trusts_shell(purpose.trusts_shell),
        read: section.read.clone(),
        write: section.write.clone(),
        hide: config.store.data.canonicalize().into_iter().collect(),
        memory_max: section.memory_max.0,
        process_count_max: section.process_count_max,
        file_bytes_max: section.file_bytes_max.0,
        first_user: u32::try_from(section.first_user)?,
        python: config.code.python.clone(),
    }))
}

fn reaper(purpose: &Purpose, mark: &Mark) -> anyhow::Result<Arc<dyn ChildGuard>> {
    let program = program(purpose)?;
    let reaper = Reaper::start(&program, REAP, mark)
        .with_context(|| format!("cannot start `{}`", program.display()))?;
    Ok(Arc::new(reaper))
}

/// Removes directories of attempts that a killed server could not remove. Those of steps stay.
fn clear(work_dir: &Path) {
    let entries = std::fs::read_dir(work_dir).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| !Kept::is_kept(&entry.file_name())) {
        let is_directory = entry.file_type().is_ok_and(|of| of.is_dir());
        let removed = if is_directory {
            std::fs::remove_dir_all(entry.path())
        } else {
            std::fs::remove_file(entry.path())
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "old work directories could not be removed");
        }
    }
}

/// Removes directories of steps whose runs have ended while nobody could see to them.
fn forget_what_is_over(kept: &Kept, store: &dyn Store) -> anyhow::Result<()> {
    for run_id in kept.runs() {
        let found = store.overview(run_id, 0)?;
        if found.is_none_or(|found| found.row.status.is_terminal()) {
            kept.remove_run(run_id);
        }
    }
    Ok(())
}
