use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::model::Page;
use crate::{Approval, Client, Error, EventStream, LogLine, Request, Run, Step, segment};

const LOOK_AGAIN_FIRST: Duration = Duration::from_millis(20);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// A run, and what can be asked of it.
#[derive(Clone, Debug)]
pub struct RunHandle {
    client: Client,
    id: String,
}

/// Yes or no to what a step asks, and what goes with it.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// What the form asks for.
    pub form: Option<Value>,
    /// What there is to say about it.
    pub comment: Option<String>,
    /// The `hash` of the [`Approval`] that was seen.
    pub hash: Option<String>,
}

impl RunHandle {
    pub(crate) fn new(client: Client, id: String) -> RunHandle {
        RunHandle { client, id }
    }

    /// Its id or external id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The run as it stands.
    ///
    /// # Errors
    ///
    /// If there is none, or the server cannot be reached.
    pub async fn get(&self) -> Result<Run, Error> {
        self.client.fetch(Request::get(self.path(""))).await
    }

    /// Waits until the run is over, however it ends.
    ///
    /// # Errors
    ///
    /// [`Error::NotOver`] if it is not over in time. It goes on then.
    pub async fn wait(&self, time_max: Duration) -> Result<Run, Error> {
        let began = Instant::now();
        let mut pause = LOOK_AGAIN_FIRST;
        loop {
            let run = self.get().await?;
            if run.is_over() {
                return Ok(run);
            }
            let left = time_max.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(Error::NotOver { run: run.id, status: run.status });
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = pause.mul_f64(1.5).min(LOOK_AGAIN_MAX);
        }
    }

    /// What happens in it, until it is over. Begins with a snapshot, or behind the event of a number:
    /// with 0, every event comes.
    pub fn stream(&self, after: Option<u64>) -> EventStream {
        EventStream::new(self.client.clone(), self.clone(), after)
    }

    /// Its steps, in the order in which they came up.
    ///
    /// # Errors
    ///
    /// If the server refuses or cannot be reached.
    pub async fn steps(&self) -> Result<Vec<Step>, Error> {
        self.all(format!("{}?limit=200", self.path("/steps"))).await
    }

    /// Lines behind a number that its steps have written so far; 0 for all.
    ///
    /// # Errors
    ///
    /// If the server refuses or cannot be reached.
    pub async fn logs(&self, after: u64) -> Result<Vec<LogLine>, Error> {
        self.all(format!("{}?limit=1000&after={after}", self.path("/logs"))).await
    }

    /// The same, whole.
    pub(crate) async fn log_values(&self, after: u64) -> Result<Vec<Value>, Error> {
        self.all(format!("{}?limit=1000&after={after}", self.path("/logs"))).await
    }

    /// Sends it a signal. It has it when this returns.
    ///
    /// # Errors
    ///
    /// If the server refuses or cannot be reached.
    pub async fn signal(&self, name: &str, payload: Value) -> Result<Run, Error> {
        let path = self.path(&format!("/signals/{}", segment(name)));
        let request = Request::post(path, &json!({ "payload": payload }));
        self.client.fetch(request.once(&uuid::Uuid::now_v7().to_string())?).await
    }

    /// What one of its steps asks now.
    ///
    /// # Errors
    ///
    /// If it asks nothing, or the server cannot be reached.
    pub async fn approval(&self, step: &str) -> Result<Approval, Error> {
        let path = self.path(&format!("/approvals/{}", segment(step)));
        self.client.fetch(Request::get(path)).await
    }

    /// Says yes to what a step asks, in the name of the key.
    ///
    /// # Errors
    ///
    /// If the server refuses or cannot be reached.
    pub async fn approve(&self, step: &str, decision: Decision) -> Result<Run, Error> {
        self.decide(step, "approve", decision).await
    }

    /// Says no to what a step asks, in the name of the key.
    ///
    /// # Errors
    ///
    /// If the server refuses or cannot be reached.
    pub async fn reject(&self, step: &str, decision: Decision) -> Result<Run, Error> {
        self.decide(step, "reject", decision).await
    }

    /// Cancels it.
    ///
    /// # Errors
    ///
    /// `wrong-state` if it is over.
    pub async fn cancel(&self, reason: Option<&str>) -> Result<Run, Error> {
        let request = Request::post(self.path("/cancel"), &json!({ "reason": reason }));
        // Said again, it would be refused, since the run is cancelled already.
        self.client.fetch(Request { may_repeat: false, ..request }).await
    }

    async fn decide(&self, step: &str, word: &str, with: Decision) -> Result<Run, Error> {
        let Decision { form, comment, hash } = with;
        let body = json!({ "decision": word, "form": form, "comment": comment, "hash": hash });
        let path = self.path(&format!("/approvals/{}", segment(step)));
        // Each may decide once.
        let request = Request { may_repeat: false, ..Request::post(path, &body) };
        self.client.fetch(request).await
    }

    pub(crate) fn path(&self, below: &str) -> String {
        format!("/api/v1/runs/{}{below}", segment(&self.id))
    }

    async fn all<T: DeserializeOwned>(&self, first: String) -> Result<Vec<T>, Error> {
        let mut page: Page<T> = self.client.fetch(Request::get(first.clone())).await?;
        let mut items = std::mem::take(&mut page.items);
        while let Some(cursor) = page.next_cursor {
            // The cursor says it all but how many.
            let base = first.split("&after").next().unwrap_or(&first);
            let path = format!("{base}&cursor={}", segment(&cursor));
            page = self.client.fetch(Request::get(path)).await?;
            items.append(&mut page.items);
        }
        Ok(items)
    }
}
