mod archive;
mod create;
mod list;
mod pause;
mod resume;
mod show;

use clap::Subcommand;
use serde_json::json;

use super::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Instances: copies of templates that units of work move through.
#[derive(Debug, Subcommand)]
pub(crate) enum Instance {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Archive(archive::Archive),
}

impl Instance {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Instance::Create(command) => command.run().await,
            Instance::List(command) => command.run().await,
            Instance::Show(command) => command.run().await,
            Instance::Pause(command) => command.run().await,
            Instance::Resume(command) => command.run().await,
            Instance::Archive(command) => command.run().await,
        }
    }
}

/// Says where an instance stands from now on.
async fn set(
    connect: &Connect,
    instance: &str,
    verb: &str,
    reason: Option<String>,
) -> anyhow::Result<Exit> {
    let client = connect.client().await?;
    let path = format!("/api/v1/instances/{}/{verb}", segment(instance));
    let now = client.expect(Question::post(&path, &json!({ "reason": reason }))).await?;
    exit::message(&format!("`{instance}` is {}", now["status"].as_str().unwrap_or_default()));
    Ok(Exit::Ok)
}
