//! Workflows by their names as people look for them: `apple`, `Banana`, `cherry`. The store has them
//! in the order of their bytes, so they are sorted here.

use windlass_store::{Store, StoreError, WorkflowRow};

/// Workflows that are sorted. More are listed in the order of the store.
const SORTED_MAX: usize = 5_000;
/// Workflows that are read at once.
const READ: usize = 1_000;

/// What names are sorted by. Those that differ in their case alone stay apart.
fn key(name: &str) -> (String, &str) {
    (name.to_lowercase(), name)
}

/// The names of these workflows.
pub(super) fn of(rows: Vec<WorkflowRow>) -> Vec<String> {
    let mut names: Vec<String> = rows.into_iter().map(|row| row.name).collect();
    names.sort_by(|a, b| key(a).cmp(&key(b)));
    names
}

/// The workflows of a project whose names come after this one, and whether there are more.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn workflows(
    store: &dyn Store,
    project: &str,
    after: Option<&str>,
) -> Result<(Vec<WorkflowRow>, bool), StoreError> {
    let mut rows: Vec<WorkflowRow> = Vec::new();
    loop {
        let last = rows.last().map(|row| row.name.as_str());
        let page = store.workflows(project, last, READ)?;
        rows.extend(page.items);
        if !page.has_more {
            break;
        }
        if rows.len() >= SORTED_MAX {
            let page = store.workflows(project, after, READ)?;
            return Ok((page.items, page.has_more));
        }
    }
    rows.sort_by(|a, b| key(&a.name).cmp(&key(&b.name)));
    if let Some(after) = after {
        rows.retain(|row| key(&row.name) > key(after));
    }
    Ok((rows, false))
}
