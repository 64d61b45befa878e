//! A worker for the kind `factorize`.
//!
//! Started by the server it finds `WINDLASS_SERVER` and `WINDLASS_WORKER_TOKEN` in its environment.
//! From outside, set both yourself: the address, and a key with the role `worker`.

mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use server::{Refusal, Server};

const LEASE: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let server = Arc::new(Server::from_environment());
    let worker = format!("rust-{}", std::process::id());
    let question = json!({
        "worker": worker, "kinds": ["factorize"], "wait": "30s", "lease": "30s",
    });
    loop {
        let found = match server.post("/api/v1/tasks/poll", &question) {
            Ok(found) => found,
            Err(Refusal::Refused(code)) => anyhow::bail!("the server gives us no work: {code}"),
            Err(Refusal::Unreachable(message)) => {
                eprintln!("cannot ask for work: {message}");
                std::thread::sleep(Duration::from_secs(1));
                continue;
            }
        };
        for task in found["tasks"].as_array().into_iter().flatten() {
            work(&server, &worker, task);
        }
    }
}

/// Makes one attempt, while a thread of its own gives signs of life.
fn work(server: &Arc<Server>, worker: &str, task: &Value) {
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().unwrap_or_default());
    let hold = json!({ "worker": worker, "fence": task["fence"] });
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let (done, is_done) = mpsc::channel::<()>();
    let beating = {
        let (server, path, hold) = (server.clone(), path.clone(), hold.clone());
        let is_cancelled = is_cancelled.clone();
        std::thread::spawn(move || {
            while is_done.recv_timeout(LEASE / 3) == Err(RecvTimeoutError::Timeout) {
                let stop = match server.post(&format!("{path}/heartbeat"), &hold) {
                    Ok(beat) => beat["cancel"] == true,
                    Err(Refusal::Refused(_)) => true,
                    Err(Refusal::Unreachable(_)) => false,
                };
                is_cancelled.fetch_or(stop, Ordering::Relaxed);
            }
        })
    };
    let result = match task["config"]["number"].as_u64() {
        Some(number) => factors(number, &is_cancelled),
        None => Err("`number` is no whole number".to_owned()),
    };
    drop(done);
    let _ = beating.join();
    if is_cancelled.load(Ordering::Relaxed) {
        return;
    }
    let mut body = hold;
    let verb = match result {
        Ok(factors) => {
            body["output"] = json!({ "factors": factors });
            "complete"
        }
        Err(message) => {
            body["message"] = Value::from(message);
            body["retryable"] = Value::from(false);
            "fail"
        }
    };
    say(server, &format!("{path}/{verb}"), &body);
}

/// Ends a task. What could not be delivered is said again: it counts once.
fn say(server: &Server, path: &str, body: &Value) {
    let began = Instant::now();
    loop {
        match server.post(path, body) {
            Ok(_) => return,
            // It was lost, or nobody wants it any more.
            Err(Refusal::Refused(code)) => return eprintln!("{path} was refused: {code}"),
            Err(Refusal::Unreachable(message)) if began.elapsed() > LEASE => {
                return eprintln!("{path} cannot be said: {message}");
            }
            Err(Refusal::Unreachable(_)) => std::thread::sleep(Duration::from_secs(1)),
        }
    }
}

fn factors(mut number: u64, is_cancelled: &AtomicBool) -> Result<Vec<u64>, String> {
    let (mut found, mut candidate) = (Vec::new(), 2);
    while candidate * candidate <= number {
        if candidate % 1_048_576 == 1 && is_cancelled.load(Ordering::Relaxed) {
            return Err("cancelled".to_owned());
        }
        while number.is_multiple_of(candidate) {
            found.push(candidate);
            number /= candidate;
        }
        candidate += if candidate == 2 { 1 } else { 2 };
    }
    if number > 1 {
        found.push(number);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fall_into_primes() {
        let of = |number| factors(number, &AtomicBool::new(false)).unwrap();
        for (number, wanted) in [(1, vec![]), (2, vec![2]), (60, vec![2, 2, 3, 5]), (97, vec![97])]
        {
            assert_eq!(of(number), wanted);
        }
        let is_cancelled = AtomicBool::new(true);
        assert!(factors(9_007_199_254_740_881, &is_cancelled).is_err());
    }
}
