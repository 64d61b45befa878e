//! One run of the workflow, from the request to the end, with a kill in between or without.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::compare::end_of;
use super::effects::{self, Effects};
use super::prepare::Prepared;
use super::server::Server;
use crate::cli::runs::pages;
use crate::client::{Client, Question, segment};
use crate::crash::Boundary;
use crate::http::key::IDEMPOTENCY_KEY;

/// The same with every repetition of the request, so that it creates one run.
const KEY: &str = "windlass-test";
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How a run went.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// How it ended, without ids and times.
    pub(super) end: Value,
    /// The events of each commit, as `first-last`.
    pub(super) commits: Vec<String>,
    /// What it did to the world.
    pub(super) effects: Effects,
    /// The attempts in which its steps succeeded.
    pub(super) succeeded: BTreeMap<String, u64>,
    /// Whether the server died where it should.
    pub(super) was_killed: bool,
    /// Steps that were settled by hand.
    pub(super) settled: Vec<String>,
    /// What was wrong on the way.
    pub(super) complaints: Vec<String>,
}

/// Tells stories, each in a directory of its own.
pub(super) struct Teller<'a> {
    pub(super) root: PathBuf,
    pub(super) effects: PathBuf,
    pub(super) prepared: &'a Prepared,
    /// Definitions that are deployed besides.
    pub(super) further: Vec<Value>,
    pub(super) input: Value,
    pub(super) patience: Duration,
    pub(super) told: u32,
}

impl Teller<'_> {
    /// Tells one story, with a kill at the boundary. Steps whose outcome nobody knows are settled
    /// as they were in the undisturbed one.
    pub(super) async fn tell(
        &mut self,
        at: Option<Boundary>,
        undisturbed: Option<&Story>,
    ) -> anyhow::Result<Story> {
        self.told += 1;
        let directory = self.root.join(self.told.to_string());
        std::fs::create_dir(&directory)?;
        remove_if_there(&self.effects)?;
        let mut story = Story::default();
        let mut server = Server::start(&directory, at).await?;
        for document in self.further.iter().chain([&self.prepared.document]) {
            server.client.expect(Question::post("/api/v1/workflows", document)).await?;
        }
        let mut promised = None;
        let first = self.live(&mut server, &mut promised, undisturbed, &mut story).await;
        if let Err(error) = first {
            // The server may die before it answers, or while it is asked how far it is.
            if at.is_none() || !server.was_killed().await? {
                return Err(error);
            }
            story.was_killed = true;
            server = Server::start(&directory, None).await?;
            self.live(&mut server, &mut promised, undisturbed, &mut story).await?;
        }
        let run = promised.context("the run has no id")?;
        self.conclude(server, &run, &directory, story).await
    }

    /// Asks for the run, and waits for its end. An error may mean that the server died.
    async fn live(
        &self,
        server: &mut Server,
        promised: &mut Option<String>,
        undisturbed: Option<&Story>,
        story: &mut Story,
    ) -> anyhow::Result<()> {
        let path = format!("/api/v1/workflows/{}/execute", segment(&self.prepared.name));
        let mut question = Question::post(&path, &json!({ "input": self.input }));
        question.headers.push((IDEMPOTENCY_KEY, KEY.to_owned()));
        let run = server.client.expect(question).await?;
        let run = run["id"].as_str().context("the answer is no run")?.to_owned();
        if let Some(promised) = promised.as_ref().filter(|promised| **promised != run) {
            let complaint = format!("{promised} was promised, and its key now stands for {run}");
            story.complaints.push(complaint);
        }
        let run = promised.insert(run);
        let path = format!("/api/v1/runs/{run}");
        let began = Instant::now();
        loop {
            let body = server.client.expect(Question::get(&path)).await?;
            if is_over(&body) {
                return Ok(());
            }
            if body["status"] == "waiting" {
                settle(&server.client, run, undisturbed, story).await?;
            }
            if began.elapsed() > self.patience {
                let status = &body["status"];
                bail!("run {run} is still {status} after {:?}", self.patience);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn conclude(
        &self,
        server: Server,
        run: &str,
        directory: &Path,
        mut story: Story,
    ) -> anyhow::Result<Story> {
        let body = server.client.expect(Question::get(&format!("/api/v1/runs/{run}"))).await?;
        let steps = steps_of(&server.client, run).await?;
        server.kill().await?;
        story.end = end_of(&body, &steps, &story.settled);
        story.succeeded = effects::succeeded(&steps);
        story.effects = effects::read(&self.effects)?;
        let commits = std::fs::read_to_string(directory.join("commits"))?;
        story.commits = commits.lines().map(|line| line.replace(' ', "-")).collect();
        std::fs::remove_dir_all(directory)?;
        Ok(story)
    }
}

fn is_over(run: &Value) -> bool {
    ["succeeded", "failed", "cancelled"].iter().any(|status| run["status"] == *status)
}

async fn steps_of(client: &Client, run: &str) -> anyhow::Result<Vec<Value>> {
    pages::read(client, &format!("/api/v1/runs/{run}/steps?"), u64::from(u32::MAX)).await
}

/// Settles the steps whose outcome nobody knows, as somebody would who has looked.
async fn settle(
    client: &Client,
    run: &str,
    undisturbed: Option<&Story>,
    story: &mut Story,
) -> anyhow::Result<()> {
    for step in steps_of(client, run).await? {
        if step["reason"] != "outcome_unknown" {
            continue;
        }
        let path = step["path"].as_str().unwrap_or_default();
        let known = undisturbed.map(|story| story.end["steps"][path]["output"].clone());
        let mark = json!({ "status": "succeeded", "output": known.unwrap_or_default() });
        let address = format!("/api/v1/runs/{run}/steps/{}/mark", segment(path));
        client.expect(Question::post(&address, &mark)).await?;
        story.settled.push(path.to_owned());
    }
    Ok(())
}

fn remove_if_there(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
