use std::sync::Arc;

use serde_json::Value;
use windlass_core::kinds::Kind;
use windlass_core::run::AttemptError;

use super::board::Board;
use super::place::Turn;
use super::task::{Origin, Over};
use crate::child::stopped;
use crate::context::{LogStream, NodeContext, StopReason};
use crate::node::{Outcome, fail, retry};

/// Puts an attempt on the board, and waits for whoever makes it.
pub(crate) async fn run(
    board: Arc<Board>,
    kind: Arc<Kind>,
    config: Value,
    context: NodeContext,
) -> Result<Outcome, AttemptError> {
    let mut stop = context.stop.clone();
    let (logs, may_repeat) = (context.logs.clone(), context.terms.may_repeat);
    let origin = Origin {
        kind: Arc::from(kind.name),
        project: context.terms.project.clone(),
        run_id: context.run_id,
        step: context.step.clone(),
        attempt: context.attempt,
    };
    let mut place = board.put(kind, origin, config, context.logs, &context.terms);
    loop {
        let turn = tokio::select! {
            biased;
            turn = place.turn() => turn,
            reason = stop.asked() => {
                place.leave(match reason {
                    StopReason::Cancelled => Over::Cancelled,
                    StopReason::TimedOut => Over::TimedOut,
                    StopReason::ShuttingDown => Over::GoingDown,
                });
                return Err(stopped(reason));
            }
        };
        let worker = match turn {
            Turn::Ended(result) => return result.map(Outcome::Output),
            Turn::LeaseOver { worker } => worker,
        };
        let message = format!("nothing was heard of the worker `{worker}` before its lease ended");
        if !may_repeat {
            place.leave(Over::Lost);
            let message = format!("{message}; nobody knows whether it has done the step's work");
            return Err(fail("worker_lost", message));
        }
        if !place.put_back() {
            place.leave(Over::Lost);
            return Err(retry("worker_lost", format!("{message}, nor of those before it")));
        }
        logs.line(LogStream::System, format!("{message}; another one may take the step")).await;
    }
}
