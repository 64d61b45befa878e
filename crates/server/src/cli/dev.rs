use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use rust_embed::RustEmbed;
use serde_json::{Value, json};
use windlass_core::definition::Graph;
use windlass_engine::shard::Answer;
use windlass_store::Deployed;

use super::serve::{Server, start_log};
use super::{ConfigArgs, Exit, exit};
use crate::api::execute::{new_run, refusal};
use crate::api::workflow::find;
use crate::app::{App, PROJECT};
use crate::boot::Purpose;
use crate::config::{LogFormat, load};
use crate::http::key;

/// Runs a server for trying things out: `http` nodes may ask this machine itself.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    config: ConfigArgs,
    /// Deploys the workflows of `examples/` and runs each once that asks no language model.
    #[arg(long)]
    demo: bool,
}

#[derive(RustEmbed)]
#[folder = "../../examples"]
struct Examples;

impl Dev {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let config = load(&self.config.flags())?.config;
        start_log(&config);
        let purpose = Purpose {
            allows_loopback: true,
            trusts_shell: true,
            is_dev: true,
            is_active: true,
            ..Purpose::default()
        };
        let format = config.log.format;
        let server = Server::start(config, purpose).await?;
        if self.demo {
            for line in demo(&server.house.app).await? {
                match format {
                    LogFormat::Json => tracing::info!("{line}"),
                    LogFormat::Text => exit::message(&line),
                }
            }
        }
        server.say_ready(format);
        server.until_told().await;
        Ok(Exit::Ok)
    }
}

/// Deploys the examples and runs each, but for those that cost somebody money. The key makes it once for each version, so that a restart
/// adds nothing.
async fn demo(app: &Arc<App>) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    // Those in directories need more than a server: the worker of a plugin.
    let mut names: Vec<_> = Examples::iter().filter(|name| !name.contains('/')).collect();
    names.sort();
    for file in names {
        let Some(content) = Examples::get(&file) else { continue };
        let text = String::from_utf8(content.data.into_owned())?;
        let (checked, deployed) = app.engine.deploy(PROJECT, text, None).await?;
        let Some(Deployed::New(row) | Deployed::Same(row)) = deployed else {
            anyhow::bail!("{file}: {:?}", checked.findings);
        };
        let workflow = find(app, PROJECT, &row.name).await?;
        if asks_model(&workflow.plan.graph) {
            let what = "not run: it asks a language model";
            lines.push(format!("{:<20} version {}, {what}", row.name, row.version));
            continue;
        }
        let input = example_input(&workflow.plan.input);
        let request = json!({ "input": input, "labels": {} });
        let mut run = new_run(&workflow, input, BTreeMap::new());
        let demo_key = format!("demo-{}", row.version);
        run.key = Some(key::for_execute(row.workflow_id, demo_key, &request));
        let what = match app.engine.create(PROJECT, run).await {
            Answer::Run(view) => format!("run {}", view.run_id),
            Answer::Existing { run_id, .. } => format!("run {run_id}, from an earlier start"),
            answer => anyhow::bail!("{file}: {}", refusal(answer).detail),
        };
        lines.push(format!("{:<20} version {}, {what}", row.name, row.version));
    }
    Ok(lines)
}

fn asks_model(graph: &Graph) -> bool {
    graph.nodes.iter().any(|node| {
        ["llm", "agent"].contains(&node.kind.name)
            || node.bodies.iter().any(|body| asks_model(&body.graph))
    })
}

/// The first of the `examples` in an input's schema.
fn example_input(schema: &Option<windlass_core::schema::Schema>) -> Value {
    let example = schema.as_ref().and_then(|schema| schema.source().pointer("/examples/0"));
    example.cloned().unwrap_or_else(|| json!({}))
}
