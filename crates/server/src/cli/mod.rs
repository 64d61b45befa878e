//! The command line, one file per command. Data goes to standard output, messages to standard
//! error.
//!
//! To add a command: one file with its arguments and `run`, one line in [`Command`].

mod approval;
mod audit;
mod bench;
mod check;
mod completions;
mod config;
mod connect;
mod db;
mod dev;
mod doctor;
mod event;
mod exit;
mod halt;
mod input;
mod instance;
mod key;
mod mcp;
mod open;
mod openapi;
mod output;
mod progress;
mod prompt;
mod queue;
mod run;
mod runs;
mod secret;
mod serve;
mod template;
mod test;
mod uow;
mod worker;
mod workflow;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub(crate) use connect::Connect;
pub(crate) use exit::{Exit, Usage};
pub(crate) use output::Format;

/// Threads for work that blocks, which is reading from the store more than anything: the store lets in a
/// few at a time, so more threads would only hold memory.
const BLOCKING_THREAD_COUNT_MAX: usize = 64;

/// Runs workflows durably and lets people watch them.
#[derive(Debug, Parser)]
#[command(
    name = "windlass",
    version,
    max_term_width = 100,
    after_help = "Exit status: 0 it went well, 1 the run failed or was cancelled, or the \
                  doctor found something, 2 usage, 3 the \
                  check found errors, 4 not found, 5 the key is missing or may not do this, 6 conflict, 7 no server or store to be used, 130 \
                  interrupted."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(serve::Serve),
    Run(run::Run),
    Check(check::Check),
    Test(test::Test),
    #[command(subcommand)]
    Workflow(workflow::Workflow),
    #[command(subcommand)]
    Runs(runs::Runs),
    Template(template::Template),
    #[command(subcommand)]
    Instance(instance::Instance),
    #[command(subcommand)]
    Uow(uow::Uow),
    #[command(subcommand)]
    Queue(queue::Queue),
    #[command(subcommand)]
    Approval(approval::Approval),
    #[command(subcommand)]
    Event(event::Event),
    #[command(subcommand)]
    Prompt(prompt::Prompt),
    Open(open::Open),
    Mcp(mcp::Mcp),
    Worker(worker::Worker),
    Halt(halt::Halt),
    #[command(subcommand)]
    Key(key::Key),
    #[command(subcommand)]
    Secret(secret::Secret),
    #[command(subcommand)]
    Audit(audit::Audit),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    #[command(subcommand)]
    Db(db::Db),
    Doctor(doctor::Doctor),
    Bench(bench::Bench),
    Openapi(openapi::Openapi),
    Completions(completions::Completions),
    /// Stands by for a server and ends its children if it is killed.
    #[command(name = crate::boot::REAP, hide = true)]
    Reap,
}

/// Where the settings are.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigArgs {
    /// A file with settings. Left out: `windlass.toml`, if there is one.
    #[arg(long, value_name = "FILE", env = "WINDLASS_CONFIG")]
    config: Option<std::path::PathBuf>,
    /// Where to listen. An address that others can reach needs a key first.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<std::path::PathBuf>,
    /// The Postgres database (`postgres://user@host/name`). Left out: SQLite, in the data directory.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl ConfigArgs {
    fn flags(&self) -> crate::config::Flags {
        crate::config::Flags {
            config: self.config.clone(),
            listen: self.listen.clone(),
            data: self.data.clone(),
            database: self.database.clone(),
        }
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // Before anything else: nothing of this process is to be around a step but the boundary.
    if arguments.next().is_some_and(|first| first == windlass_nodes::sandbox::ENTER) {
        return windlass_nodes::sandbox::enter(arguments);
    }
    let cli = Cli::parse();
    if matches!(cli.command, Command::Reap) {
        windlass_nodes::kinds::shell::reap(std::io::stdin().lock());
        return ExitCode::SUCCESS;
    }
    // Commands that only look have no use for a second worker.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREAD_COUNT_MAX)
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(dispatch(cli.command));
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            exit::report(&error);
            Exit::of(&error).into()
        }
    }
}

async fn dispatch(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Dev(command) => command.run().await,
        Command::Serve(command) => command.run().await,
        Command::Run(command) => command.run().await,
        Command::Check(command) => command.run().await,
        Command::Test(command) => command.run().await,
        Command::Workflow(command) => command.run().await,
        Command::Runs(command) => command.run().await,
        Command::Template(command) => command.run().await,
        Command::Instance(command) => command.run().await,
        Command::Uow(command) => command.run().await,
        Command::Queue(command) => command.run().await,
        Command::Approval(command) => command.run().await,
        Command::Event(command) => command.run().await,
        Command::Prompt(command) => command.run().await,
        Command::Secret(command) => command.run().await,
        Command::Open(command) => command.run().await,
        Command::Mcp(command) => command.run().await,
        Command::Worker(command) => command.run().await,
        Command::Halt(command) => command.run().await,
        Command::Key(command) => command.run().await,
        Command::Audit(command) => command.run().await,
        Command::Config(command) => command.run(),
        Command::Db(command) => command.run().await,
        Command::Doctor(command) => command.run().await,
        Command::Bench(command) => command.run().await,
        Command::Openapi(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Reap => Ok(Exit::Ok),
    }
}
