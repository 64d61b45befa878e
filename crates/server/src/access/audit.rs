//! The audit log: every call that changes something, with who, what, when and to what.

use std::sync::Arc;

use axum::http::header;
use axum::response::Response;
use serde_json::json;
use windlass_engine::Engine;
use windlass_store::AuditEntry;

use super::principal::{Caller, Proof};
use super::table::RUN_CREATE;

/// The longest target that is kept, in characters.
const TARGET_LENGTH_MAX: usize = 500;

/// A record of a call under way. It is written when the call is answered; also when it never is,
/// because its caller hung up.
pub struct Record {
    engine: Arc<Engine>,
    entry: Option<AuditEntry>,
    request_id: String,
}

impl Record {
    /// Of a call that changes something; of any other, nothing.
    ///
    /// While nobody needs a key there is nobody to name either: then creating a run, which is
    /// recorded in its journal, is not written a second time.
    pub fn begin(
        engine: &Arc<Engine>,
        caller: &Caller,
        action: &'static str,
        path: &str,
        request_id: &str,
    ) -> Option<Record> {
        let is_nobody = caller.principal.proof == Proof::Local;
        if action.is_empty() || (is_nobody && action == RUN_CREATE) {
            return None;
        }
        let entry = AuditEntry {
            at: engine.clock().now(),
            project: caller.project().to_owned(),
            principal: caller.name().to_owned(),
            action: action.to_owned(),
            target: path.chars().take(TARGET_LENGTH_MAX).collect(),
            detail: None,
        };
        let request_id = request_id.to_owned();
        Some(Record { engine: engine.clone(), entry: Some(entry), request_id })
    }

    /// Notes what became of it.
    pub fn answered(&mut self, response: &Response) {
        let Some(entry) = &mut self.entry else { return };
        // What was made says more than where it was asked for.
        let makes = entry.action.ends_with(".create") || entry.action.ends_with(".deploy");
        let made = response.headers().get(header::LOCATION).and_then(|at| at.to_str().ok());
        if let Some(made) = made.filter(|_| makes && response.status().is_success()) {
            entry.target = made.chars().take(TARGET_LENGTH_MAX).collect();
        }
        let status = response.status().as_u16();
        entry.detail = Some(json!({ "status": status, "request_id": self.request_id }).to_string());
    }

    /// Writes it, before the answer goes out.
    pub async fn write(mut self) {
        if let Some(entry) = self.entry.take() {
            append(&self.engine, entry).await;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        entry.detail = Some(json!({ "status": null, "request_id": self.request_id }).to_string());
        let engine = self.engine.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { append(&engine, entry).await });
        }
    }
}

/// Appends a record.
pub async fn append(engine: &Arc<Engine>, entry: AuditEntry) {
    let store = engine.store().clone();
    let (action, target) = (entry.action.clone(), entry.target.clone());
    let result = tokio::task::spawn_blocking(move || store.append_audit(&entry)).await;
    let error = match result {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    // What was done is done; that it could not be recorded must not stay unseen.
    tracing::error!(%error, action, target, "a record of the audit log is missing");
}
