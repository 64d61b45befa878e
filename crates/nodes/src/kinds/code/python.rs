//! Which Python, and how an attempt gets one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::run::AttemptError;

use super::attempt::{bytes, not_ended, outcome};
use super::forks::{Forks, Key, Order};
use super::{Code, RESULT};
use crate::child;
use crate::context::NodeContext;
use crate::node::fail;
use crate::sandbox::{Enclosure, Sandbox, Task, Wish};

/// The program that runs steps.
pub(super) const PROGRAM: &str = include_str!("fork.py");
/// Where a Python is looked for if nobody names one. One in a home would be out of reach.
const PLACES: &[&str] = &["/usr/local/bin/python3", "/usr/bin/python3", "/bin/python3"];

pub(super) async fn run(code: Code, context: &NodeContext) -> Result<Value, AttemptError> {
    let sandbox = context.shell.sandbox.clone();
    let python = python(&code, &sandbox)?;
    let key = Key { python, has_network: code.network };
    let job = bytes(&json!({ "code": code.code, "arguments": code.input_mapping }))?;
    match Forks::of(&sandbox, &key, context).await? {
        Some(forks) => {
            let limits = code.limits(sandbox.settings());
            let paths = sandbox.allowed(code.paths())?;
            forks.make(Order { job, limits, paths }, context).await
        }
        None => once(&code, &sandbox, &key.python, job, context).await,
    }
}

/// Without a server of forks: a Python for this attempt alone.
async fn once(
    code: &Code,
    sandbox: &Arc<Sandbox>,
    python: &Path,
    job: Vec<u8>,
    context: &NodeContext,
) -> Result<Value, AttemptError> {
    let mut paths = code.paths();
    paths.read.extend(environment(python));
    let wish = Wish {
        task: Task::Program,
        has_network: code.network,
        paths: Some(paths),
        limits: code.limits(sandbox.settings()),
        ..Wish::default()
    };
    let enclosure = Enclosure::begin(sandbox, context, wish).await?;
    let mut command = enclosure.command(sandbox)?;
    command.arg(python).args(["-I", "-c", PROGRAM, "once"]);
    command.env("HOME", enclosure.inner_dir()).env("TMPDIR", enclosure.inner_dir());
    let ended = child::run(command, Some(job), context, Some(&enclosure)).await;
    let ended = ended.map_err(not_ended)?;
    enclosure.check(&ended)?;
    outcome(&ended, enclosure.result(RESULT))
}

/// The directory of the virtual environment that an interpreter belongs to, if it does.
fn environment(python: &Path) -> Option<PathBuf> {
    let root = python.parent()?.parent()?;
    root.join("pyvenv.cfg").exists().then(|| root.to_owned())
}

fn python(code: &Code, sandbox: &Sandbox) -> Result<PathBuf, AttemptError> {
    let settings = sandbox.settings();
    let missing = |place: &str| {
        let message = format!(
            "there is no Python {place}; install Python 3.9 or later, name one in `sandbox.python`, or write the code in JavaScript"
        );
        fail("python_missing", message)
    };
    let Some(named) = &code.python else {
        let found = match &settings.python {
            Some(python) => python.exists().then(|| python.clone()),
            None => PLACES.iter().map(PathBuf::from).find(|place| place.exists()),
        };
        return found.ok_or_else(|| missing("on this host"));
    };
    if !named.exists() {
        return Err(missing(&format!("at `{}`", named.display())));
    }
    // The path is taken as it is: by its name an interpreter finds the environment it belongs to.
    let is_system = named.starts_with("/usr") || named.starts_with("/bin");
    let root = environment(named).or_else(|| named.parent().map(Path::to_owned));
    if let (false, Some(root)) = (is_system, root) {
        sandbox.allowed(crate::sandbox::Paths { read: vec![root], write: Vec::new() })?;
    }
    Ok(named.clone())
}
