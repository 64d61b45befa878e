//! `windlass worker`: the kinds that come with Windlass, done on another machine.
//!
//! [`attempt`] makes one attempt, [`records`] keeps what it records, [`deed`] is what is done for a
//! role.

mod attempt;
mod deed;
mod records;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_client::{Fail, Task};
use windlass_core::HumanDuration;

use super::exit::Usage;
use super::{Exit, exit, serve};
use crate::app::App;
use crate::boot::{Purpose, build};
use crate::client::refusal;
use crate::config::{Flags, Secret, load, reported_to};
use attempt::Attempt;
use deed::Deed;

/// Does steps of other machines on this one, with the kinds that come with Windlass, until it is told
/// to end (SIGINT or SIGTERM).
///
/// A step of the kind `worker` says which kind is to be done here (`shell`, `code`, `http`, `llm`,
/// `agent` or `noop`) and with what config. Providers of models, the boundary around programs and
/// all else are set here, by `windlass.toml` and the environment of this machine. Told to end, it asks
/// for no more steps, lets those under way end, and gives the rest back; a second signal does that at
/// once.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 it was told to end and has drained, 2 usage, or the server \
                        does not know such work, 5 the key is missing or may not work, 7 it could \
                        not be set up. A server that cannot be reached is waited for."
)]
pub(crate) struct Worker {
    /// The server that has the work. Left out: that of `WINDLASS_URL`, else `http://127.0.0.1:8000`.
    #[arg(long, value_name = "URL", env = "WINDLASS_SERVER")]
    server: Option<String>,
    /// The key to show, with the role `worker`.
    #[arg(long, value_name = "KEY", env = "WINDLASS_API_KEY", hide_env_values = true)]
    api_key: Option<Secret>,
    /// A queue of steps of the kind `worker`. May be repeated.
    #[arg(long = "queue", value_name = "QUEUE", required_unless_present = "roles")]
    queues: Vec<String>,
    /// A role for which to do steps of the kind `actor`, by `--do`. May be repeated.
    #[arg(long = "role", value_name = "ROLE", requires = "deed")]
    roles: Vec<String>,
    /// What is done for the roles: a file in YAML or JSON with `type` and `config` of a node, in whose
    /// expressions `input` is the config of the step.
    #[arg(long = "do", value_name = "FILE", requires = "roles")]
    deed: Option<PathBuf>,
    /// How many steps to do at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// What it calls itself. No two workers may have the same name. Left out: one of its own.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long a step is its own without a heartbeat, `1s` to `1h`. Three are sent in each.
    #[arg(long, value_name = "TIME", default_value = "1m")]
    lease: HumanDuration,
    /// How long steps under way may take to end when it is told to end.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    drain: HumanDuration,
    /// A file with settings. Left out: `windlass.toml`, if there is one.
    #[arg(long, value_name = "FILE", env = "WINDLASS_CONFIG")]
    config: Option<PathBuf>,
}

/// What a step of the kind `worker` has as its config, as far as it concerns us.
#[derive(Deserialize)]
struct Order {
    kind: String,
    #[serde(default)]
    config: Value,
}

impl Worker {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let bounds = Duration::from_secs(1)..=Duration::from_secs(3_600);
        if !bounds.contains(&self.lease.0) {
            return Err(Usage("a lease lasts for `1s` to `1h`".to_owned()).into());
        }
        let usage = |error: windlass_client::Error| Usage(error.to_string());
        let server = self.server.or_else(reported_to);
        let server = server.unwrap_or_else(|| windlass_client::DEFAULT_SERVER.to_owned());
        let client = windlass_client::Client::new(&server).map_err(usage)?;
        let client = client.with_key(self.api_key.as_ref().map(Secret::reveal));
        let flags = Flags { config: self.config, ..Flags::default() };
        let mut config = load(&flags)?.config;
        // Kinds of plugins have workers of their own.
        config.plugins.clear();
        serve::start_log(&config);
        // Attempts get what they would get of a server. Nothing of it is kept.
        let purpose = Purpose { is_in_memory: true, ..Purpose::default() };
        let house = tokio::task::spawn_blocking(move || build(config, purpose)).await??;
        let app = &house.app;

        let mut worker = windlass_client::Worker::new(client)
            .concurrency(self.concurrency.into())
            .lease(self.lease.0)
            .drain(self.drain.0);
        if let Some(name) = self.name {
            worker = worker.named(name);
        }
        for queue in self.queues {
            let app = app.clone();
            worker = worker.queue(queue, move |task| of_order(app.clone(), task));
        }
        if let Some(file) = &self.deed {
            let deed = Arc::new(Deed::read(app, file)?);
            for role in self.roles {
                let (app, deed) = (app.clone(), deed.clone());
                worker = worker.role(role, move |task| {
                    let (app, deed) = (app.clone(), deed.clone());
                    async move { deed.make(&app, task).await }
                });
            }
        }
        exit::message(&format!("windlass works for {server}"));
        let result = worker.run().await;
        app.engine.shut_down(Duration::ZERO).await;
        result.map_err(refusal)?;
        Ok(Exit::Ok)
    }
}

/// Does what a step of the kind `worker` asks for.
async fn of_order(app: Arc<App>, task: Task) -> Result<Value, Fail> {
    let order: Result<Order, _> = serde_json::from_value(task.config.clone());
    let Order { kind, config } = order.map_err(|error| {
        Fail::fatal("bad_config", format!("the step does not say what is to be done: {error}"))
    })?;
    let config = if config.is_null() { json!({}) } else { config };
    Attempt { kind, config, secrets: Vec::new() }.make(&app, task).await
}
