//! Runs of other programs that turn out to be of another workflow than was thought.

use super::waves::Writing;
use super::{Connection, IdText, SqlError, Statement};

static RENAME: Statement = Statement::new(
    "UPDATE run SET workflow_id = $1, workflow = $2, version = $3, definition_id = $4
      WHERE run_id = $5",
);

pub(super) fn write(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let renamed: Vec<_> = runs
        .iter()
        .filter_map(|writing| Some((writing, writing.run.renamed.as_ref()?)))
        .map(|(writing, to)| {
            (writing, to, IdText::of(to.workflow_id), IdText::of(to.definition_id))
        })
        .collect();
    let rows = renamed.iter().map(|(writing, to, workflow_id, definition_id)| {
        [
            workflow_id.value(),
            (&to.workflow).into(),
            to.version.into(),
            definition_id.value(),
            writing.id.value(),
        ]
    });
    connection.execute_many(&RENAME, rows)
}
