//! The audit log: every call that changes something, with who, what, when and to what.

use std::sync::Arc;

use axum::http::header;
use axum::response::Response;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use windlass_engine::Engine;
use windlass_store::{AuditEntry, Store};

use super::principal::{Caller, Proof};
use super::table::RUN_CREATE;

/// The longest target that is kept, in characters.
const TARGET_LENGTH_MAX: usize = 500;
/// Records written in one transaction, at most.
const WRITTEN_AT_ONCE: usize = 1_000;
/// Records that may wait to be written. Who calls waits with theirs, so it takes callers that hang up
/// to have so many.
const WAITING_MAX: usize = 10_000;

/// The log as those see it who write to it. Records of calls that end at the same time share a
/// transaction: each costs a sync, which is most of what a small call takes.
#[derive(Clone, Debug)]
pub struct AuditLog(mpsc::Sender<Waiting>);

/// A record on its way, and who waits until it is durable.
type Waiting = (AuditEntry, oneshot::Sender<()>);

impl AuditLog {
    /// The log of a store. Its writer ends with the last who could write to it.
    pub fn new(store: Arc<dyn Store>) -> AuditLog {
        let (log, mut waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while waiting.recv_many(&mut group, WRITTEN_AT_ONCE).await > 0 {
                let (entries, told): (Vec<_>, Vec<oneshot::Sender<()>>) = group.drain(..).unzip();
                let store = store.clone();
                let writing = tokio::task::spawn_blocking(move || write(&*store, &entries));
                if let Err(error) = writing.await {
                    tracing::error!(%error, "records of the audit log are missing");
                }
                for told in told {
                    let _ = told.send(());
                }
            }
        });
        AuditLog(log)
    }

    /// Appends a record, and returns when it is durable.
    pub async fn append(&self, entry: AuditEntry) {
        let (told, written) = oneshot::channel();
        if self.0.send((entry, told)).await.is_ok() {
            let _ = written.await;
        }
    }

    /// Appends a record that nobody waits for.
    fn hand_over(&self, entry: AuditEntry) {
        if let Err(error) = self.0.try_send((entry, oneshot::channel().0)) {
            let (mpsc::error::TrySendError::Full((entry, _))
            | mpsc::error::TrySendError::Closed((entry, _))) = error;
            missing(&entry, "too many wait to be written");
        }
    }
}

/// What one of them cannot be written for need not keep the others out.
fn write(store: &dyn Store, entries: &[AuditEntry]) {
    match store.append_audit(entries) {
        Ok(_) => {}
        Err(error) => match entries {
            [entry] => missing(entry, error),
            several => several.iter().for_each(|entry| write(store, std::slice::from_ref(entry))),
        },
    }
}

/// A path as people read it, however its caller has encoded it: only what would make another path of
/// it, or no text, stays encoded.
fn plain(path: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::CONTROLS.add(b'/').add(b'%').add(b'?').add(b'#');
    let segment = |segment: &str| match percent_encoding::percent_decode_str(segment).decode_utf8()
    {
        Ok(word) => percent_encoding::utf8_percent_encode(&word, &KEPT).to_string(),
        Err(_) => segment.to_owned(),
    };
    let plain = path.split('/').map(segment).collect::<Vec<_>>().join("/");
    plain.chars().take(TARGET_LENGTH_MAX).collect()
}

/// What was done is done; that it could not be recorded must not stay unseen.
fn missing(entry: &AuditEntry, error: impl std::fmt::Display) {
    let AuditEntry { action, target, principal, .. } = entry;
    tracing::error!(%error, action, target, principal, "a record of the audit log is missing");
}

/// A record of a call under way. It is written when the call is answered; also when it never is,
/// because its caller hung up.
pub struct Record {
    log: AuditLog,
    entry: Option<AuditEntry>,
    request_id: String,
}

impl Record {
    /// Of a call that changes something; of any other, nothing.
    ///
    /// While nobody needs a key there is nobody to name either: then creating a run, which is
    /// recorded in its journal, is not written a second time.
    pub fn begin(
        engine: &Engine,
        log: &AuditLog,
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
            target: plain(path),
            detail: None,
        };
        let request_id = request_id.to_owned();
        Some(Record { log: log.clone(), entry: Some(entry), request_id })
    }

    /// Notes what became of it.
    pub fn answered(&mut self, response: &Response) {
        let made = response.headers().get(header::LOCATION).and_then(|at| at.to_str().ok());
        self.ended(response.status().as_u16(), made);
    }

    /// Notes what became of it: the status, and the path of what was made.
    pub fn ended(&mut self, status: u16, made: Option<&str>) {
        let Some(entry) = &mut self.entry else { return };
        // What was made says more than where it was asked for.
        let makes = entry.action.ends_with(".create") || entry.action.ends_with(".deploy");
        if let Some(made) = made.filter(|_| makes && (200..300).contains(&status)) {
            entry.target = plain(made);
        }
        entry.detail = Some(json!({ "status": status, "request_id": self.request_id }).to_string());
    }

    /// Writes it, before the answer goes out.
    pub async fn write(mut self) {
        if let Some(entry) = self.entry.take() {
            self.log.append(entry).await;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        entry.detail = Some(json!({ "status": null, "request_id": self.request_id }).to_string());
        // Nobody waits for it.
        self.log.hand_over(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_target_is_the_same_whoever_has_encoded_it() {
        for path in ["/api/v1/workflows/a-b c", "/api/v1/workflows/a%2Db%20c"] {
            assert_eq!(plain(path), "/api/v1/workflows/a-b c");
        }
        for kept in ["/x/a%2Fb", "/x/100%25", "/x/%0A", "/x/%FF"] {
            assert_eq!(plain(kept), kept);
        }
    }
}
