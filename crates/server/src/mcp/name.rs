//! What the tool of a workflow is called. MCP allows 64 letters, digits, `_` and `-`; a workflow may
//! be called anything.

use uuid::Uuid;
use windlass_store::WorkflowRow;

/// The longest name of a tool.
const LENGTH_MAX: usize = 64;
/// Before a name that a tool may have as it is.
const PLAIN: &str = "run_";
/// Before a name that had to be changed. No plain one begins like this, so the two never meet.
const CHANGED: &str = "run-";

/// The name of a workflow's tool: `run_` and its name. If that cannot be, `run-`, what is left of the
/// name, and its id, which no other workflow has.
pub(super) fn of(row: &WorkflowRow) -> String {
    let is_plain = row.name.chars().all(is_allowed);
    if is_plain && PLAIN.len() + row.name.len() <= LENGTH_MAX {
        return format!("{PLAIN}{}", row.name);
    }
    let id = row.workflow_id.simple().to_string();
    let room = LENGTH_MAX - CHANGED.len() - 1 - id.len();
    let changed = |c| if is_allowed(c) { c } else { '_' };
    let name: String = row.name.chars().map(changed).take(room).collect();
    format!("{CHANGED}{name}-{id}")
}

/// The name or id of the workflow whose tool may have this name.
pub(super) fn workflow_of(tool: &str) -> Option<String> {
    if let Some(name) = tool.strip_prefix(PLAIN) {
        return Some(name.to_owned());
    }
    let (_, id) = tool.strip_prefix(CHANGED)?.rsplit_once('-')?;
    Uuid::try_parse(id).ok().map(|id| id.to_string())
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use windlass_core::Time;

    use super::*;

    fn row(name: &str, id: u128) -> WorkflowRow {
        WorkflowRow {
            workflow_id: Uuid::from_u128(id),
            project: "default".to_owned(),
            name: name.to_owned(),
            description: None,
            version: 1,
            definition_id: Uuid::from_u128(id),
            created_at: Time::from_micros(0),
            updated_at: Time::from_micros(0),
            pause: None,
        }
    }

    #[test]
    fn a_name_is_kept_if_a_tool_may_have_it() {
        assert_eq!(of(&row("triage_order-2", 1)), "run_triage_order-2");
        assert_eq!(workflow_of("run_triage_order-2").as_deref(), Some("triage_order-2"));
        let longest = "a".repeat(60);
        assert_eq!(of(&row(&longest, 1)), format!("run_{longest}"));
    }

    #[test]
    fn any_other_name_has_the_id_behind_it() {
        let id = Uuid::from_u128(7);
        for name in ["Bestellung prüfen", "a/b", "a\u{1F600}", &"x".repeat(200), &"é".repeat(61)]
        {
            let tool = of(&row(name, 7));
            assert!(tool.len() <= LENGTH_MAX && tool.chars().all(is_allowed), "{tool}");
            assert_eq!(workflow_of(&tool), Some(id.to_string()), "{tool}");
        }
        assert_eq!(
            of(&row("Bestellung prüfen", 7)),
            "run-Bestellung_pr_fen-00000000000000000000000000000007"
        );
        // Names that look alike once they are changed stay apart, and no plain one is like them.
        assert_ne!(of(&row("a b", 1)), of(&row("a_b", 2)));
        assert_ne!(of(&row("a b", 1)), of(&row("a/b", 2)));
        for odd in ["list_workflows", "run", "run-", "run-x", "run-x-y"] {
            assert_eq!(workflow_of(odd), None, "{odd}");
        }
    }
}
