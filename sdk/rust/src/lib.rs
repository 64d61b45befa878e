//! Client and worker for [Windlass](../../README.md), the durable workflow engine.
//!
//! [`Client`] deploys and runs workflows and follows their runs; [`Worker`] does steps and units of
//! work that a server hands out. Both speak HTTP and know nothing of how the server works.
//!
//! ```no_run
//! # async fn example() -> Result<(), windlass_client::Error> {
//! use std::time::Duration;
//! use windlass_client::{Client, Execute};
//!
//! let client = Client::from_env()?;
//! let run = client.execute("greet", Execute::with(serde_json::json!({ "who": "Ada" }))).await?;
//! let ended = run.wait(Duration::from_secs(30)).await?;
//! println!("{} {:?}", ended.status, ended.output);
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod client;
mod error;
mod model;
mod patience;
mod request;
mod run;
mod sse;
mod stream;
mod worker;

pub use client::{Client, DEFAULT_SERVER};
pub use error::{Error, ErrorItem, Problem};
pub use model::{Approval, Failure, LogLine, Run, Step, Workflow};
pub use request::{Answer, Execute, Request, segment};
pub use run::{Decision, RunHandle};
pub use stream::{EventStream, StreamEvent};
pub use worker::{Child, Fail, LogStream, Stop, Stopper, Submit, Task, Unit, Worker};
