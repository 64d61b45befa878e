//! Lists of units of work that one index leads through.

use std::fmt::Write as _;

use super::read::all;
use super::units::{COLUMNS, unit};
use super::{Connection, IdText, SqlError, Statement, Value};
use crate::tokens::{UnitFilter, UnitRow};

/// The newest units that a filter shows, behind `after`.
pub(super) fn newest(
    connection: &mut impl Connection,
    project: &str,
    filter: &UnitFilter,
    after: &IdText,
    limit: usize,
) -> Result<Vec<UnitRow>, SqlError> {
    let parent = filter.parent_id.map(IdText::of);
    let (instance, run) = (filter.instance_id.map(IdText::of), filter.run_id.map(IdText::of));
    let conditions = [
        ("parent_id", parent.as_ref().map(IdText::value)),
        ("run_id", run.as_ref().map(IdText::value)),
        ("holder", filter.holder.as_deref().map(Value::from)),
        ("instance_id", instance.as_ref().map(IdText::value)),
        ("status", filter.status.as_deref().map(Value::from)),
        ("project", Some(project.into())),
        ("place", filter.place.as_deref().map(Value::from)),
        ("role", filter.role.as_deref().map(Value::from)),
    ];
    let set: Vec<_> = conditions.into_iter().filter_map(|(name, it)| Some((name, it?))).collect();
    let leading = set.first().map_or("", |(name, _)| *name);
    let mut text = format!("SELECT {COLUMNS} FROM unit WHERE unit_id < $1");
    let mut values = vec![after.value()];
    for (name, value) in set {
        values.push(value);
        // The index by status begins with the project.
        let leads = name == leading || (leading, name) == ("status", "project");
        // A database that does not know how many rows fit takes any index. Of an expression there is
        // none.
        let column = if leads { name.to_owned() } else { format!("{name} || ''") };
        let _ = write!(text, " AND {column} = ${}", values.len());
    }
    values.push(limit.into());
    let _ = write!(text, " ORDER BY unit_id DESC LIMIT ${}", values.len());
    all(connection, &Statement::assembled(text), &values, unit)
}
