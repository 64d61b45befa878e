//! From a document to a draft, under every name that a field goes by.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::{ComponentDraft, Draft, InteractionDraft, RoleDraft};
use super::guardian;
use super::model::{BetaWord, Direction, Interaction, RoleKind, Strategy};
use super::reader::{Broken, Hints, Reader, shown};
use crate::definition::findings::Findings;
use crate::finding::Finding;
use crate::json;
use crate::limits::{
    COMPONENT_COUNT_MAX, GUARDIAN_COUNT_MAX, INTERACTION_COUNT_MAX, ROLE_COUNT_MAX, WAIT_MAX,
};

const SECTIONS: [&str; 4] = ["roles", "interactions", "components", "guardians"];

/// The items of a section, each with its path.
type Items<'v> = Vec<(&'v Value, String)>;

pub(super) fn draft(document: &Value, out: &mut Findings<'_>) -> Draft {
    let Ok(mut top) = Reader::new(document, "", "a template", out) else { return Draft::default() };
    let workflow = top.value(&["workflow"], out);
    let mut workflow = match workflow {
        Some((value, path)) => match Reader::new(value, &path, "`workflow`", out) {
            Ok(reader) => Some(reader),
            Err(Broken) => return Draft::default(),
        },
        None => None,
    };
    let [roles, interactions, components, guardians] =
        SECTIONS.map(|name| section(name, &mut top, workflow.as_mut(), out));
    let draft = match &mut workflow {
        Some(workflow) => head(workflow, out),
        None => head(&mut top, out),
    };
    let mut draft = draft;
    draft.roles = read_roles(roles, out);
    draft.interactions = read_interactions(interactions, out);
    draft.components = read_components(components, &draft, out);
    guardian::read_listed(guardians, &mut draft.components, out);
    let count: usize = draft.components.iter().map(|one| one.guardians.len()).sum();
    too_many("guardians", count, GUARDIAN_COUNT_MAX, out);
    for reader in [Some(top), workflow].into_iter().flatten() {
        let _ = reader.finish(out);
    }
    draft
}

/// What the template says of itself.
fn head(reader: &mut Reader<'_>, out: &mut Findings<'_>) -> Draft {
    let name = reader.name(&["name"], out);
    let name = reader.need(name, "name", "a template has a name: `workflow: {name: …}`", out);
    let version = reader.count(&["version"], 1, u64::from(u32::MAX), out);
    Draft {
        name: name.unwrap_or_default(),
        description: reader.text(&["description"], out).unwrap_or_default(),
        version: version.ok().flatten().and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        ai_context: ai_context(reader, out),
        ..Draft::default()
    }
}

/// A section, which stands at the top or in `workflow`.
fn section<'v>(
    name: &'static str,
    top: &mut Reader<'v>,
    workflow: Option<&mut Reader<'v>>,
    out: &mut Findings<'_>,
) -> Items<'v> {
    let outer = top.list(&[name], out);
    let inner = workflow.map_or(Ok(None), |workflow| workflow.list(&[name], out));
    let is_broken = outer.is_err() || inner.is_err();
    match (outer.ok().flatten(), inner.ok().flatten()) {
        (Some(_), Some(second)) => {
            let message = format!("`{name}` stands at the top and in `workflow`");
            let finding = Finding::error("duplicate-field", format!("/workflow/{name}"), message);
            out.add(finding.hint("put all of them in one place"));
            second
        }
        (Some(items), None) | (None, Some(items)) => items,
        (None, None) => {
            if !is_broken && name != "guardians" {
                let _ =
                    top.need(Ok(None::<()>), name, "list them, at the top or in `workflow`", out);
            }
            Vec::new()
        }
    }
}

fn read_roles(items: Items<'_>, out: &mut Findings<'_>) -> Vec<RoleDraft> {
    too_many("roles", items.len(), ROLE_COUNT_MAX, out);
    let mut names = Names::new("role");
    let mut roles = Vec::new();
    for (index, (item, path)) in items.into_iter().enumerate().take(ROLE_COUNT_MAX) {
        let Ok(mut reader) = Reader::new(item, &path, format!("role {}", index + 1), out) else {
            continue;
        };
        let name = names.read(&mut reader, &["name"], index, out);
        let words: Vec<&str> = RoleKind::WORDS.iter().chain(BetaWord::WORDS).copied().collect();
        let of = |word: &str| {
            let beta = BetaWord::of(word).map(|beta| (RoleKind::Beta, Some(beta)));
            RoleKind::of(word).map(|kind| (kind, None)).or(beta)
        };
        let kind = reader.word(&["role_type", "type"], "unknown-role-type", &words, of, out);
        let kind = reader.need(kind, "role_type", "such as ALPHA or BETA", out);
        let strategy = reader.word(
            &["strategy", "decomposition_strategy"],
            "r5",
            Strategy::WORDS,
            Strategy::of,
            out,
        );
        roles.push(RoleDraft {
            name,
            description: reader.text(&["description"], out).unwrap_or_default(),
            ai_context: ai_context(&mut reader, out),
            kind: kind.ok(),
            strategy: strategy.unwrap_or_default(),
            strategy_is_broken: strategy.is_err(),
            child_workflow_name: reader.name(&["child_workflow_name"], out).unwrap_or_default(),
            path,
        });
        let _ = reader.finish(out);
    }
    roles
}

fn read_interactions(items: Items<'_>, out: &mut Findings<'_>) -> Vec<InteractionDraft> {
    too_many("interactions", items.len(), INTERACTION_COUNT_MAX, out);
    let mut names = Names::new("interaction");
    let mut interactions = Vec::new();
    for (index, (item, path)) in items.into_iter().enumerate().take(INTERACTION_COUNT_MAX) {
        let what = format!("interaction {}", index + 1);
        let Ok(mut reader) = Reader::new(item, &path, what, out) else { continue };
        let name = names.read(&mut reader, &["name"], index, out);
        let limit = reader.count(&["stale_token_limit_seconds"], 1, WAIT_MAX.as_secs(), out);
        let interaction = Interaction {
            name,
            description: reader.text(&["description"], out).unwrap_or_default(),
            ai_context: ai_context(&mut reader, out),
            stale_token_limit_seconds: limit.unwrap_or_default(),
        };
        interactions.push(InteractionDraft { path, interaction });
        let _ = reader.finish(out);
    }
    interactions
}

fn read_components(items: Items<'_>, draft: &Draft, out: &mut Findings<'_>) -> Vec<ComponentDraft> {
    too_many("components", items.len(), COMPONENT_COUNT_MAX, out);
    let roles = places(draft.roles.iter().map(|role| role.name.as_str()));
    let interactions = places(draft.interactions.iter().map(|one| one.interaction.name.as_str()));
    let mut names = Names::new("component");
    let hints = &Hints::default();
    let mut components = Vec::new();
    for (index, (item, path)) in items.into_iter().enumerate().take(COMPONENT_COUNT_MAX) {
        let what = format!("component {}", index + 1);
        let Ok(mut reader) = Reader::new(item, &path, what, out) else { continue };
        let name = names.read(&mut reader, &["name"], index, out);
        let ends = Ends {
            role: "role",
            other: "interaction",
            known: &roles,
            others: &interactions,
            hints,
        };
        let role = ends.read(&mut reader, &["role_name", "role"], out);
        let ends = Ends {
            role: "interaction",
            other: "role",
            known: &interactions,
            others: &roles,
            hints,
        };
        let interaction = ends.read(&mut reader, &["interaction_name", "interaction"], out);
        let direction = reader.word(&["direction"], "r6", Direction::WORDS, Direction::of, out);
        if direction == Ok(None) {
            let message = format!("R6: {} has no direction", reader.what());
            let finding = Finding::error("r6", path.clone(), message);
            out.add(finding.hint("INBOUND, from the interaction to the role, or OUTBOUND"));
        }
        let nested = reader.value(&["guardian"], out);
        let guardians =
            nested.and_then(|(value, path)| guardian::read_nested(value, &path, &name, out));
        components.push(ComponentDraft {
            name,
            description: reader.text(&["description"], out).unwrap_or_default(),
            ai_context: ai_context(&mut reader, out),
            role,
            interaction,
            direction: direction.unwrap_or_default(),
            guardians: guardians.into_iter().collect(),
            path,
        });
        let _ = reader.finish(out);
    }
    components
}

/// What one end of a component may be.
struct Ends<'a> {
    role: &'static str,
    other: &'static str,
    known: &'a BTreeMap<&'a str, usize>,
    others: &'a BTreeMap<&'a str, usize>,
    hints: &'a Hints,
}

impl Ends<'_> {
    fn read(
        &self,
        reader: &mut Reader<'_>,
        names: &[&'static str],
        out: &mut Findings<'_>,
    ) -> Option<usize> {
        let path = names.iter().find(|name| reader.has(name));
        let path = path.map_or_else(String::new, |name| json::pointer(reader.path(), name));
        let got = reader.text(names, out);
        let hint = format!("a component joins a role and an interaction: say which {}", self.role);
        let name = reader.need(got, names[0], &hint, out).ok()?;
        if let Some(index) = self.known.get(name.as_str()) {
            return Some(*index);
        }
        let (wanted, other, what, said) = (self.role, self.other, reader.what(), shown(&name));
        if self.others.contains_key(name.as_str()) {
            let message = format!("{what} has `{said}` as its {wanted}, which is a {other}")
                .replace("a interaction", "an interaction");
            let finding = Finding::error("not-bipartite", path, message);
            out.add(finding.hint("a component joins a role with an interaction, nothing else"));
            return None;
        }
        let message = format!("{what} names the {wanted} `{said}`, which is not there");
        let known = || {
            let mut known: Vec<&str> = self.known.keys().copied().collect();
            known.sort_unstable();
            known.truncate(20);
            (!known.is_empty()).then(|| format!("known: {}", known.join(", ")))
        };
        let hint = self.hints.nearest(&name, self.known.keys().copied()).or_else(known);
        out.add(Finding::error(&format!("unknown-{wanted}"), path, message).hint_if(hint));
        None
    }
}

/// Names that may be there once.
pub(super) struct Names {
    what: &'static str,
    seen: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn new(what: &'static str) -> Names {
        Names { what, seen: BTreeMap::new() }
    }

    /// Reads a part's name, and calls the part by it from now on.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        names: &[&'static str],
        index: usize,
        out: &mut Findings<'_>,
    ) -> String {
        let got = reader.name(names, out);
        let hint = format!("every {} has a name", self.what);
        match reader.need(got, names[0], &hint, out) {
            Ok(name) => {
                reader.call(format!("{} `{name}`", self.what));
                self.add(&name, &json::pointer(reader.path(), names[0]), out);
                name
            }
            // Not a name that anything could refer to.
            Err(Broken) => format!("\u{0}{index}"),
        }
    }

    pub(super) fn add(&mut self, name: &str, path: &str, out: &mut Findings<'_>) {
        if let Some(first) = self.seen.get(name) {
            let message = format!("there are two {}s called `{name}`", self.what);
            let finding = Finding::error("duplicate-name", path.to_owned(), message);
            out.add(finding.hint(format!("the first is at {first}")));
        } else {
            self.seen.insert(name.to_owned(), path.to_owned());
        }
    }
}

/// The first place of every name.
fn places<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut places = BTreeMap::new();
    for (index, name) in names.enumerate() {
        places.entry(name).or_insert(index);
    }
    places
}

fn too_many(section: &str, count: usize, most: usize, out: &mut Findings<'_>) {
    if count > most {
        let message = format!("a template has at most {most} {section}, this one has {count}");
        out.add(Finding::error("too-many", format!("/{section}"), message));
    }
}

pub(super) fn ai_context(reader: &mut Reader<'_>, out: &mut Findings<'_>) -> Value {
    reader.value(&["ai_context"], out).map_or(Value::Null, |(value, _)| value.clone())
}
