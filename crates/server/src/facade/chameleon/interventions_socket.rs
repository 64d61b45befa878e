//! `/ws/interventions`: requests to pilots, asked for and told as they come.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::sync::watch::error::RecvError;
use uuid::Uuid;
use windlass_store::StoreError;

use super::interventions::{InterventionBody, find, metrics, pending};
use crate::access::Caller;
use crate::app::{App, Shared, is_down};
use crate::facade::Detail;
use crate::http::paging::{LIMIT, LIMIT_MAX};
use crate::http::socket::{Upgrade, converse};
use crate::http::{Problem, ProblemResponses};

/// Messages that may wait for a slow reader, and questions for their answer.
const WAITING_MAX: usize = 64;
/// How long news are collected.
const COLLECT: Duration = Duration::from_millis(150);

/// What a pilot's program asks.
#[derive(Debug, Deserialize)]
struct Question {
    #[serde(rename = "type")]
    type_: String,
    #[serde(default)]
    payload: Option<Asked>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    pilot_id: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
    request_id: Option<String>,
}

/// Requests to pilots over a WebSocket.
///
/// Questions are `{"type": "subscribe" | "get_pending" | "get_metrics" | "request_detail", "payload":
/// {…}}`, answers `{"success": true, "data": …}` or `{"success": false, "error": {"code", "message"}}`.
/// From `subscribe` on, `{"type": "new_request" | "status_changed", "payload": …}` comes as it happens.
#[utoipa::path(
    get, path = "/ws/interventions", tag = "facades",
    responses((status = 101, description = "Answers and news from now on"), ProblemResponses)
)]
pub async fn ws_interventions(
    State(app): Shared,
    caller: Caller,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    upgrade.answer(move |socket| async move {
        let (sender, messages) = mpsc::channel(WAITING_MAX);
        let (heard, questions) = mpsc::channel(WAITING_MAX);
        let project = caller.project().to_owned();
        let talk = Talk { app: app.clone(), project, sender, known: None };
        let _count = app.metrics.stream();
        tokio::join!(talk.go_on(questions), converse(&app, &caller, socket, messages, heard));
    })
}

/// One pilot's conversation.
struct Talk {
    app: Arc<App>,
    project: String,
    sender: mpsc::Sender<String>,
    /// The requests that wait, as far as they were told of. Nothing, if nobody wants to be told.
    known: Option<BTreeSet<Uuid>>,
}

impl Talk {
    async fn go_on(mut self, mut questions: mpsc::Receiver<String>) {
        let app = self.app.clone();
        let mut changes = app.engine.feed().changes();
        let mut going_down = app.going_down.clone();
        // Something has happened of which nothing was told yet; a question must not make it forgotten.
        let mut is_late = false;
        loop {
            let is_told = self.known.is_some();
            let news = async {
                if !is_told {
                    return std::future::pending().await;
                }
                if !is_late {
                    changes.changed().await?;
                    is_late = true;
                }
                tokio::time::sleep(COLLECT).await;
                Ok::<(), RecvError>(())
            };
            let is_heard = tokio::select! {
                question = questions.recv() => match question {
                    Some(text) => {
                        let answer = self.answer(&text).await;
                        self.tell(answer).await
                    }
                    None => false,
                },
                changed = news => match changed {
                    // That the store is away now is no reason to hang up.
                    Ok(()) => {
                        is_late = false;
                        self.tell_news().await.unwrap_or(true)
                    }
                    Err(_) => false,
                },
                () = is_down(&mut going_down) => false,
            };
            if !is_heard {
                return;
            }
        }
    }

    async fn tell(&self, message: Value) -> bool {
        self.sender.send(message.to_string()).await.is_ok()
    }

    async fn answer(&mut self, text: &str) -> Value {
        let Ok(question) = serde_json::from_str::<Question>(text) else {
            return refused(
                "UNKNOWN_MESSAGE",
                "a JSON object with `type` and `payload` is expected",
            );
        };
        let Question { type_, payload } = question;
        let payload = payload.unwrap_or_default();
        let data = match type_.as_str() {
            "subscribe" => self.subscribe(payload.pilot_id).await,
            "get_pending" => self.pending(payload).await,
            "get_metrics" => {
                let found = metrics(&self.app, &self.project).await;
                found.map(|found| json!(found)).map_err(Detail::from)
            }
            "request_detail" => self.detail(payload.request_id).await,
            _ => {
                let message = format!("there is no message `{type_:.64}`");
                return refused("UNKNOWN_MESSAGE", &message);
            }
        };
        match data {
            Ok(data) => json!({ "success": true, "data": data }),
            Err(Detail(problem)) if problem.code.status >= 500 => {
                refused("SERVER_ERROR", &problem.detail)
            }
            Err(Detail(problem)) => refused(problem.code.code, &problem.detail),
        }
    }

    async fn subscribe(&mut self, pilot_id: Option<String>) -> Result<Value, Detail> {
        // What waits already is not told as new.
        let waiting = self.waiting().await?;
        self.known = Some(waiting.iter().map(|one| one.request_id).collect());
        let message = "news of requests to pilots follow";
        Ok(json!({ "subscribed": true, "pilot_id": pilot_id, "message": message }))
    }

    async fn pending(&self, asked: Asked) -> Result<Value, Detail> {
        let limit = asked.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
        let page = (limit, asked.offset.unwrap_or(0));
        let requests = pending(&self.app, &self.project, page).await?;
        let total = metrics(&self.app, &self.project).await?.pending_interventions;
        let count = requests.len();
        Ok(json!({ "requests": requests, "total": total, "count": count, "limit": limit }))
    }

    async fn detail(&self, word: Option<String>) -> Result<Value, Detail> {
        let request_id = crate::facade::trouble::id("request_id", &word.unwrap_or_default())?;
        let row = find(&self.app, &self.project, request_id).await?;
        Ok(json!(InterventionBody::of(row)))
    }

    async fn waiting(&self) -> Result<Vec<InterventionBody>, StoreError> {
        pending(&self.app, &self.project, (LIMIT_MAX, 0)).await
    }

    /// Tells what has come and what has changed since. Answers whether anybody listens.
    async fn tell_news(&mut self) -> Result<bool, StoreError> {
        let waiting = self.waiting().await?;
        let is_all = waiting.len() < LIMIT_MAX;
        let Some(known) = self.known.take() else { return Ok(true) };
        let now: BTreeSet<Uuid> = waiting.iter().map(|one| one.request_id).collect();
        let mut news = Vec::new();
        for request in waiting.into_iter().filter(|one| !known.contains(&one.request_id)) {
            news.push(json!({ "type": "new_request", "payload": request }));
        }
        // Behind so many that wait, whatever is not among the first may wait still.
        let gone = known.iter().filter(|id| is_all && !now.contains(id));
        for request_id in gone {
            let Ok(row) = find(&self.app, &self.project, *request_id).await else { continue };
            let payload = InterventionBody::of(row);
            news.push(json!({ "type": "status_changed", "payload": payload }));
        }
        self.known = Some(now);
        if !news.is_empty() {
            let found = metrics(&self.app, &self.project).await?;
            let all = pending(&self.app, &self.project, (LIMIT, 0)).await?;
            let (total, count) = (found.pending_interventions, all.len());
            let all = json!({ "requests": all, "total": total, "count": count, "limit": LIMIT });
            news.push(json!({ "type": "pending_requests", "payload": all }));
            news.push(json!({ "type": "metrics_update", "payload": found }));
        }
        for message in news {
            if !self.tell(message).await {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn refused(code: &str, message: &str) -> Value {
    json!({ "success": false, "error": { "code": code, "message": message } })
}
