//! `windlass run FILE`: one workflow, once, without a server.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use uuid::Uuid;
use windlass_core::limits::DEFINITION_BYTES_MAX;
use windlass_engine::shard::{Answer, Command};
use windlass_store::{Deployed, Overview, WorkflowRow};

use super::exit::{Usage, message};
use super::test::MISSING;
use super::{Exit, input, output, progress};
use crate::api::execute::{new_run, refusal};
use crate::api::run::{find as find_run, read};
use crate::api::workflow::find;
use crate::app::{App, PROJECT};
use crate::boot::{House, Purpose, build};
use crate::client::Refusal;
use crate::config::{Flags, load};
use crate::http::problem::{self, Problem};

/// Runs a workflow once, in this process. Prints its output as JSON.
///
/// Step states go to standard error. Exits with 0 if it succeeded, 1 if it failed or was cancelled,
/// 2 on wrong usage, 3 if the definition has errors.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The definition, in YAML or JSON.
    #[arg(value_name = "FILE", required_unless_present = "resume", conflicts_with = "resume")]
    file: Option<PathBuf>,
    /// The input: `key=value`, `@FILE`, or `-` for standard input. May be given several times.
    #[arg(short, long, value_name = "PART", conflicts_with = "resume")]
    input: Vec<String>,
    /// Further definitions that it needs, such as those of its sub-runs. May be given several times.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    with: Vec<PathBuf>,
    /// Keeps the state in this directory, so that the run survives the end of this process.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Keeps the state in this Postgres database (`postgres://user@host/name`).
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Goes on with a run that an earlier process could not end. Needs `--data` or `--database`.
    #[arg(long, value_name = "RUN")]
    resume: Option<String>,
    /// Says nothing but what went wrong.
    #[arg(short, long)]
    quiet: bool,
}

impl Run {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let text = self.file.as_deref().map(read_definition).transpose()?;
        let house = self.house().await?;
        let result = self.drive(&house, text).await;
        house.go_down.send_replace(true);
        house.app.engine.shut_down(std::time::Duration::ZERO).await;
        result
    }

    /// Where the run is kept, for people: without a password.
    fn place(&self) -> Option<String> {
        let database = self.database.as_deref().map(windlass_store::masked);
        database.or_else(|| self.data.as_ref().map(|data| data.display().to_string()))
    }

    async fn house(&self) -> anyhow::Result<House> {
        let (data, database) = (self.data.clone(), self.database.clone());
        let config = load(&Flags { data, database, ..Flags::default() })?.config;
        let is_in_memory = self.data.is_none() && self.database.is_none();
        if is_in_memory && self.resume.is_some() {
            return Err(Usage("`--resume` needs `--data` or `--database`".to_owned()).into());
        }
        // Other runs of the directory are not this command's business.
        let purpose = Purpose {
            allows_loopback: true,
            trusts_shell: true,
            is_in_memory,
            ..Purpose::default()
        };
        tokio::task::spawn_blocking(move || build(config, purpose)).await?
    }

    async fn drive(&self, house: &House, text: Option<String>) -> anyhow::Result<Exit> {
        let app = &house.app;
        // What is said of a run begins before the run does.
        let (run_id, left) = match (&self.resume, text) {
            (Some(word), _) => self.resumed(house, word).await?,
            (None, Some(text)) => match self.created(house, text).await? {
                Some(run_id) => (run_id, None),
                None => return Ok(Exit::CheckFailed),
            },
            (None, None) => return Err(Usage("a file is needed".to_owned()).into()),
        };
        if let Some(place) = self.place().filter(|_| !self.quiet) {
            message(&format!("run {run_id}, kept in `{place}`"));
        }
        let ended = tokio::select! {
            ended = progress::follow(app.clone(), run_id, left, self.quiet) => ended.map(|()| true),
            _ = tokio::signal::ctrl_c() => Ok(false),
        }?;
        if !ended {
            let name = if self.database.is_some() { "database" } else { "data" };
            if let Some(place) = self.place() {
                message(&format!("go on with `windlass run --resume {run_id} --{name} {place}`"));
            }
            return Ok(Exit::Interrupted);
        }
        let run = read(app, PROJECT, &run_id.to_string()).await.map_err(refused)?;
        if let Some(error) = &run.error {
            message(&format!("failed: {error}"));
            if MISSING.contains(&error.code.as_str()) {
                message("    hint: give the file of what is missing by `--with`");
            }
        }
        if run.status == "cancelled" {
            message("cancelled");
        }
        if run.status == "succeeded" {
            output::json(&run.output.unwrap_or_default());
        }
        Ok(Exit::of_status(run.status))
    }

    async fn created(&self, house: &House, text: String) -> anyhow::Result<Option<Uuid>> {
        let app = &house.app;
        let input = input::read(&self.input)?;
        for file in &self.with {
            if deployed(app, file, read_definition(file)?).await?.is_none() {
                return Ok(None);
            }
        }
        let file = self.file.as_deref().unwrap_or_else(|| Path::new("-"));
        let Some(row) = deployed(app, file, text).await? else { return Ok(None) };
        let workflow = find(app, PROJECT, &row.name).await.map_err(refused)?;
        let run = new_run(&workflow, input, Default::default());
        match app.engine.create(PROJECT, run).await {
            Answer::Run(view) => Ok(Some(view.run_id)),
            answer => Err(refused(refusal(answer))),
        }
    }

    /// Lets a run go on, and says how it stood before.
    async fn resumed(&self, house: &House, word: &str) -> anyhow::Result<(Uuid, Option<Overview>)> {
        let engine = &house.app.engine;
        let run_id = find_run(&house.app, PROJECT, word).await.map_err(refused)?.run_id;
        let left = engine.read(move |store| store.overview(run_id, 0)).await?;
        if left.as_ref().is_some_and(|left| left.row.status.is_terminal()) {
            return Ok((run_id, left));
        }
        match engine.command(run_id, Command::Wake).await {
            Answer::Run(_) => Ok((run_id, left)),
            answer => Err(refused(refusal(answer))),
        }
    }
}

/// A problem of the API as an error of the command line: it has the same exit status.
fn refused(problem: Problem) -> anyhow::Error {
    Refusal(problem.body()).into()
}

/// Deploys a definition. `None` if it has errors; what was found is told.
async fn deployed(app: &App, file: &Path, text: String) -> anyhow::Result<Option<WorkflowRow>> {
    let (checked, deployed) = app.engine.deploy(PROJECT, text, None).await?;
    for finding in &checked.findings {
        message(&format!("{}:{finding}", file.display()));
    }
    Ok(match deployed {
        Some(Deployed::New(row) | Deployed::Same(row)) => Some(row),
        _ => None,
    })
}

/// The text of a definition.
///
/// # Errors
///
/// If it cannot be read, or is too large to be one.
pub(super) fn read_definition(file: &Path) -> anyhow::Result<String> {
    let name = file.display();
    let refused_by_system =
        |error: std::io::Error| Usage(format!("`{name}` cannot be read: {error}"));
    let source: Box<dyn Read> = match file == Path::new("-") {
        true => Box::new(std::io::stdin()),
        false => Box::new(std::fs::File::open(file).map_err(refused_by_system)?),
    };
    // One byte more than is allowed is enough to know.
    let mut bytes = Vec::new();
    let most = u64::try_from(DEFINITION_BYTES_MAX)?.saturating_add(1);
    source.take(most).read_to_end(&mut bytes).map_err(refused_by_system)?;
    if bytes.len() > DEFINITION_BYTES_MAX {
        let message = format!("`{name}` has more than {DEFINITION_BYTES_MAX} bytes");
        return Err(refused(Problem::new(problem::BODY_TOO_LARGE, message)));
    }
    String::from_utf8(bytes).map_err(|_| Usage(format!("`{name}` is not UTF-8")).into())
}
