//! The life of one attempt.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use windlass_core::Time;
use windlass_core::definition::Effect;
use windlass_core::run::AttemptError;
use windlass_nodes::llm;
use windlass_nodes::{
    Executor, Journal, LiveSink, LogLine, LogSink, NodeContext, Notes, Outcome, Stop, StopReason,
    Terms, fail, retry,
};
use windlass_store::LogStream;

use super::Dispatcher;
use super::mask::Mask;
use super::meter::Meter;
use super::records::Records;
use super::workflows::OfAttempt;
use super::{cache, live, secrets};
use crate::shard::{AttemptOrder, Report};

/// How long a node may take to end after it was asked to, before it is dropped.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// What the level of the boundary around an attempt is recorded as.
const SANDBOX: &str = "sandbox";
/// Log lines handed over at once, at most.
const LINES_PER_REPORT: usize = 500;

pub(super) async fn make(
    dispatcher: Arc<Dispatcher>,
    order: Arc<AttemptOrder>,
    ask: watch::Sender<Option<StopReason>>,
    stop: Stop,
) {
    let report = match take_turn(&dispatcher, &order, stop.clone()).await {
        Some(_turn) => {
            dispatcher.has_its_turn(&order);
            run(&dispatcher, &order, ask, stop).await
        }
        None => Report::Abandoned,
    };
    dispatcher.report(&order, report);
    dispatcher.forget(&order);
}

/// Waits until the limit of the kind has room. `None` if the attempt is to stop before.
async fn take_turn(
    dispatcher: &Dispatcher,
    order: &AttemptOrder,
    mut stop: Stop,
) -> Option<Option<tokio::sync::OwnedSemaphorePermit>> {
    let Some(limit) = dispatcher.limits.get(&*order.kind) else { return Some(None) };
    tokio::select! {
        permit = limit.clone().acquire_owned() => permit.ok().map(Some),
        _ = stop.asked() => None,
    }
}

async fn run(
    dispatcher: &Arc<Dispatcher>,
    order: &Arc<AttemptOrder>,
    ask: watch::Sender<Option<StopReason>>,
    stop: Stop,
) -> Report {
    let started_at = dispatcher.shared.clock.now();
    if let Some(cache) = &order.cache {
        let store = &dispatcher.shared.store;
        if let Some((run_id, output)) = cache::find(store, &order.project, cache, started_at).await
        {
            return Report::Cached { run_id, output };
        }
    }
    dispatcher.report(order, Report::Started { at: started_at });
    let (config, mask) = match secrets::fill(order, &dispatcher.config.secrets).await {
        Ok(filled) => filled,
        Err(error) => return Report::Ended { started_at, result: Err(error) },
    };
    let (logs, lines) = LogSink::channel();
    let mask = Arc::new(mask.with_keys(&order.kind, &dispatcher.config.llm));
    let forwarder = tokio::spawn(forward(dispatcher.clone(), order.clone(), lines, mask.clone()));
    let (live, events) = LiveSink::channel();
    let shower = live::hand_on(dispatcher.clone(), order.clone(), events, mask.clone());
    let shower = tokio::spawn(shower);
    let records = Arc::new(Records {
        dispatcher: dispatcher.clone(),
        order: order.clone(),
        mask: mask.clone(),
    });
    let meter = llm::Meter::new(Arc::new(Meter::new(records.clone())));
    let notes = Notes::default();
    let context = NodeContext {
        run_id: order.run_id,
        step: order.path.clone(),
        attempt: order.attempt,
        terms: Terms {
            project: order.project.clone(),
            timeout: order.timeout.map(|limit| limit.0),
            may_repeat: order.effect != Effect::Never,
        },
        logs,
        stop: stop.clone(),
        http: dispatcher.config.http.clone(),
        shell: dispatcher.config.shell.clone(),
        notes: notes.clone(),
        journal: Journal::new(
            order.records.iter().map(|one| (one.key.clone(), one.value.clone())).collect(),
            records,
        ),
        live,
        workflows: Arc::new(OfAttempt { shared: dispatcher.shared.clone(), order: order.clone() }),
        meter,
        llm: dispatcher.config.llm.clone(),
        prompts: dispatcher.config.prompts.clone(),
    };
    let result = execute(dispatcher, order, config, context, ask, stop.clone()).await;
    // The sink went with the attempt, so the forwarder comes to its end: the lines are handed over
    // before the end is.
    let _ = forwarder.await;
    let _ = shower.await;
    if is_going_down(stop) {
        return Report::Abandoned;
    }
    if let Some(level) = notes.sandbox_level() {
        let value = Arc::new(Value::from(level));
        dispatcher.report(order, Report::Recorded { key: SANDBOX.to_owned(), value, call: None });
    }
    let result = match result {
        Ok(Outcome::Output(output)) => Ok(Arc::new(mask.value(output))),
        Ok(Outcome::Ask { key, question }) => {
            let ask = Arc::new(mask.value(question));
            return Report::Asks { started_at, key, ask };
        }
        Err(error) => Err(mask.error(error)),
    };
    Report::Ended { started_at, result }
}

fn is_going_down(mut stop: Stop) -> bool {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};
    let asked = std::pin::pin!(stop.asked());
    let mut context = Context::from_waker(Waker::noop());
    matches!(asked.poll(&mut context), Poll::Ready(StopReason::ShuttingDown))
}

async fn execute(
    dispatcher: &Dispatcher,
    order: &AttemptOrder,
    config: Value,
    context: NodeContext,
    ask: watch::Sender<Option<StopReason>>,
    mut stop: Stop,
) -> Result<Outcome, AttemptError> {
    let executor = match dispatcher.config.registry.executor(&order.kind) {
        Some(Executor::Task(executor)) => executor,
        Some(Executor::Inline(run)) => return run(config).map(Outcome::Output),
        None => {
            let message = format!("this server has no executor for the kind `{}`", order.kind);
            return Err(fail("unknown_kind", message));
        }
    };
    // A task of its own, so that a panic is this attempt's and nobody else's.
    let mut attempt = tokio::spawn(executor(config, context));
    let time_is_up = async {
        match order.timeout {
            Some(limit) => tokio::time::sleep(limit.0).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = &mut attempt => return ended.unwrap_or_else(|error| Err(panicked(&error))),
        () = time_is_up => {
            ask.send_if_modified(|asked| {
                let is_new = asked.is_none();
                asked.get_or_insert(StopReason::TimedOut);
                is_new
            });
        }
        _ = stop.asked() => {}
    }
    let reason = stop.asked().await;
    match tokio::time::timeout(STOP_GRACE, &mut attempt).await {
        Ok(ended) => {
            let result = ended.unwrap_or_else(|error| Err(panicked(&error)));
            match (reason, result) {
                // It was done just in time.
                (_, Ok(output)) => Ok(output),
                (StopReason::TimedOut, Err(_)) => Err(timed_out(order)),
                (_, Err(error)) => Err(error),
            }
        }
        Err(_) => {
            attempt.abort();
            Err(timed_out(order))
        }
    }
}

fn timed_out(order: &AttemptOrder) -> AttemptError {
    let limit = order.timeout.map_or_else(String::new, |limit| format!(" of {limit}"));
    retry("timeout", format!("the attempt did not end within its time{limit}"))
}

fn panicked(error: &tokio::task::JoinError) -> AttemptError {
    tracing::error!(%error, "a node has panicked");
    fail("panic", "the node has a fault and has ended; the server's log says where")
}

async fn forward(
    dispatcher: Arc<Dispatcher>,
    order: Arc<AttemptOrder>,
    mut lines: mpsc::Receiver<LogLine>,
    mask: Arc<Mask>,
) {
    let mut batch = Vec::new();
    while lines.recv_many(&mut batch, LINES_PER_REPORT).await > 0 {
        let at = dispatcher.shared.clock.now();
        let lines = batch.drain(..).map(|line| line_of(at, line, &mask)).collect();
        dispatcher.report(&order, Report::Logs { lines });
    }
}

fn line_of(at: Time, line: LogLine, mask: &Mask) -> (Time, LogStream, String) {
    let stream = match line.stream {
        windlass_nodes::LogStream::Stdout => LogStream::Stdout,
        windlass_nodes::LogStream::Stderr => LogStream::Stderr,
        windlass_nodes::LogStream::System => LogStream::System,
    };
    (at, stream, mask.line(line.text))
}
