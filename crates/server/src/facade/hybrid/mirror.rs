//! Runs as files, for what reads the hybrid engine's directory: a `state.json` for each run and
//! `queue-state.json`. They follow the store within half a second and are never read back; what is in
//! them was durable before.

use std::collections::HashMap;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_core::run::{RunStatus, StepStatus};
use windlass_store::{RunFilter, RunRow, Store, StoreError};

use super::state;
use super::{KEPT_PREFIX, id_of};
use crate::app::{App, PROJECT, is_down};

/// How long changes are gathered before they are written.
const GATHER: Duration = Duration::from_millis(300);
/// Runs that are written when the server starts, the newest.
const FIRST_MAX: usize = 1_000;
/// The longest name of a directory.
const NAME_CHARS_MAX: usize = 200;
/// Runs that are looked at in one go.
const PAGE: usize = 500;

/// Where the files are.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    workflows: Option<PathBuf>,
    queue: Option<PathBuf>,
}

/// A step that waits for its turn.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Queued {
    workflow_id: String,
    node_id: String,
}

/// What has been written of runs that are not over: the number of the last event.
#[derive(Debug, Default)]
struct Written {
    open: HashMap<Uuid, u64>,
    /// The newest run that was looked at.
    newest: Option<Uuid>,
}

impl Mirror {
    /// What the settings ask for; nothing if they do not.
    pub(crate) fn of(app: &App) -> Option<Mirror> {
        let section = &app.config.mirror;
        let mirror =
            Mirror { workflows: section.workflows_dir.clone(), queue: section.queue_file.clone() };
        (mirror.workflows.is_some() || mirror.queue.is_some()).then_some(mirror)
    }

    /// Writes for as long as the server lives.
    pub(crate) async fn follow(self, app: Arc<App>) {
        let mut going_down = app.going_down.clone();
        let mut changes = app.engine.feed().changes();
        let mut written = Written::default();
        let mut complaint = String::new();
        loop {
            let (mirror, definitions) = (self.clone(), app.engine.definitions().clone());
            let plan_of = move |definition_id| definitions.plan(definition_id).ok();
            let round = app.engine.read(move |store| {
                let done = mirror.round(store, &plan_of, &mut written);
                Ok((done, written))
            });
            match round.await {
                Ok((done, kept)) => {
                    written = kept;
                    let said = done.err().map(|error| error.to_string()).unwrap_or_default();
                    if !said.is_empty() && said != complaint {
                        tracing::error!(error = %said, "runs cannot be written as files");
                    }
                    complaint = said;
                }
                // The store is away: the next round writes everything anew.
                Err(_) => written = Written::default(),
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = is_down(&mut going_down) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(GATHER) => {}
                () = is_down(&mut going_down) => {}
            }
        }
    }

    /// Writes what has changed.
    fn round(
        &self,
        store: &dyn Store,
        plan_of: &dyn Fn(Uuid) -> Option<Arc<Plan>>,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        let news = new_ones(store, written.newest)?;
        // From now on all that comes up is written, however much it is.
        written.newest = written.newest.or(Some(Uuid::nil()));
        let mut now_open = HashMap::new();
        let mut queue = Vec::new();
        // A run that cannot be read or written does not stand in the way of the others.
        let mut first_trouble = Ok(());
        let open = open(store)?;
        let ended = written.open.keys().filter(|id| open.iter().all(|row| row.run_id != **id));
        let mut others: Vec<RunRow> = Vec::new();
        for run_id in ended {
            others.extend(store.overview(*run_id, 0)?.map(|overview| overview.row));
        }
        others.extend(
            news.into_iter()
                .filter(|row| row.status.is_terminal() && !written.open.contains_key(&row.run_id)),
        );
        for row in open {
            let Some(overview) = store.overview(row.run_id, PAGE)? else { continue };
            let row = overview.row;
            written.newest = written.newest.max(Some(row.run_id));
            let plan = plan_of(row.definition_id);
            if row.status != RunStatus::Paused {
                let waiting = overview.steps.items.iter();
                let waiting = waiting.filter(|step| step.status == StepStatus::Queued);
                queue.extend(waiting.map(|step| Queued {
                    workflow_id: id_of(&row),
                    node_id:
                        plan.as_deref().map_or_else(
                            || step.path.clone(),
                            |plan| state::step_id(plan, &step.path),
                        ),
                }));
            }
            let (run_id, last_seq) = (row.run_id, row.last_seq);
            if written.open.get(&run_id) != Some(&last_seq) {
                let done = self.write(store, &row, plan.as_deref());
                first_trouble = first_trouble.and(done);
            }
            now_open.insert(run_id, last_seq);
        }
        for row in others {
            written.newest = written.newest.max(Some(row.run_id));
            let plan = plan_of(row.definition_id);
            let done = self.write(store, &row, plan.as_deref());
            first_trouble = first_trouble.and(done);
        }
        written.open = now_open;
        match &self.queue {
            Some(file) => {
                let done = replace(file, &queue);
                first_trouble.and(done)
            }
            None => first_trouble,
        }
    }

    fn write(&self, store: &dyn Store, row: &RunRow, plan: Option<&Plan>) -> anyhow::Result<()> {
        let Some(directory) = &self.workflows else { return Ok(()) };
        let state = state::of(store, row.clone(), plan)?;
        let file = directory.join(file_name(&state.id)).join("state.json");
        // What was over when it came in may have come from this very file, which may say more.
        if row.workflow.starts_with(KEPT_PREFIX) && file.exists() {
            return Ok(());
        }
        replace(&file, &state)
    }
}

/// Runs that are not over, the oldest first.
fn open(store: &dyn Store) -> Result<Vec<RunRow>, StoreError> {
    let statuses = RunStatus::ALL.into_iter().filter(|status| !status.is_terminal()).collect();
    let filter = RunFilter { statuses, ..RunFilter::default() };
    let (mut rows, mut before) = (Vec::new(), None);
    loop {
        let page = store.runs(PROJECT, &filter, before, PAGE)?;
        rows.extend(page.items);
        before = page.next;
        if before.is_none() {
            rows.reverse();
            return Ok(rows);
        }
    }
}

/// Runs that came up behind one, the newest first; at the start the newest of all.
fn new_ones(store: &dyn Store, behind: Option<Uuid>) -> Result<Vec<RunRow>, StoreError> {
    let (mut rows, mut before) = (Vec::new(), None);
    loop {
        let page = store.runs(PROJECT, &RunFilter::default(), before, PAGE)?;
        let count = page.items.len();
        let known = rows.len();
        rows.extend(page.items.into_iter().take_while(|row| Some(row.run_id) > behind));
        let is_at_known = rows.len() - known < count;
        before = page.next.filter(|_| !is_at_known);
        if before.is_none() || behind.is_none() && rows.len() >= FIRST_MAX {
            return Ok(rows);
        }
    }
}

/// A name that leads nowhere else. An id that has to be changed for that also gets a number of its own,
/// so that no two runs have one directory.
fn file_name(id: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.len() <= NAME_CHARS_MAX && id.chars().all(is_plain) {
        return id.to_owned();
    }
    let plain = id.chars().map(|c| if is_plain(c) { c } else { '_' });
    let plain: String = plain.take(NAME_CHARS_MAX - 17).collect();
    format!("{plain}-{:016x}", windlass_core::digest(id))
}

/// Writes a file that is there whole or not at all. Whoever the umask lets may read it: it is there for
/// other programs.
fn replace(path: &Path, content: &impl Serialize) -> anyhow::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mode = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(directory)?;
    serde_json::to_writer_pretty(&mut file, content)?;
    file.as_file_mut().flush()?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{NAME_CHARS_MAX, file_name};

    #[test]
    fn ids_lead_nowhere_else() {
        assert!(file_name("../../etc/x").starts_with("______etc_x-"));
        assert_eq!(file_name("0b-c_1"), "0b-c_1");
        let names = ["a.b", "a_b", "a/b"].map(file_name);
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
        let long = |end: char| file_name(&format!("{}{end}", "x".repeat(300)));
        assert!(long('a') != long('b') && long('a').len() == NAME_CHARS_MAX);
    }
}
