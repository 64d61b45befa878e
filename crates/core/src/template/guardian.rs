//! Guardians and their policies, as they stand in a document.

use serde_json::{Map, Value};

use super::conditions;
use super::draft::{ComponentDraft, GuardianDraft};
use super::guardians;
use super::model::GuardianKind;
use super::policy::{Branch, Policy, When};
use super::read::{Names, ai_context};
use super::reader::{Broken, Hints, Reader, shown};
use crate::definition::findings::Findings;
use crate::finding::Finding;
use crate::json;
use crate::limits::{GUARDIAN_COUNT_MAX, POLICY_BRANCH_COUNT_MAX};

/// A guardian that stands in its component.
pub(super) fn read_nested(
    value: &Value,
    path: &str,
    component: &str,
    out: &mut Findings<'_>,
) -> Option<GuardianDraft> {
    let mut reader = Reader::new(value, path, "a guardian", out).ok()?;
    let given = reader.name(&["name"], out);
    let name = given.ok().flatten().unwrap_or_else(|| format!("{component}_guardian"));
    reader.call(format!("guardian `{name}`"));
    Some(read(reader, name, out))
}

/// Guardians that stand in their own section, each put on its component. Those in components come
/// first, also when names are compared.
pub(super) fn read_listed(
    items: Vec<(&Value, String)>,
    components: &mut [ComponentDraft],
    out: &mut Findings<'_>,
) {
    let mut names = Names::new("guardian");
    let hints = Hints::default();
    for component in components.iter() {
        for guardian in &component.guardians {
            names.add(&guardian.name, &json::pointer(&component.path, "guardian"), out);
        }
    }
    for (index, (item, path)) in items.into_iter().enumerate().take(GUARDIAN_COUNT_MAX) {
        let what = format!("guardian {}", index + 1);
        let Ok(mut reader) = Reader::new(item, &path, what, out) else { continue };
        let name = names.read(&mut reader, &["name"], index, out);
        let place = component_of(&mut reader, components, &hints, out);
        let guardian = read(reader, name, out);
        if let Some(place) = place {
            components[place].guardians.push(guardian);
        }
    }
}

fn component_of(
    reader: &mut Reader<'_>,
    components: &[ComponentDraft],
    hints: &Hints,
    out: &mut Findings<'_>,
) -> Option<usize> {
    let aliases = ["component_name", "component"];
    let path = aliases.iter().find(|name| reader.has(name));
    let path = path.map_or_else(String::new, |name| json::pointer(reader.path(), name));
    let got = reader.text(&aliases, out);
    let hint = "say the component that it stands on";
    let name = reader.need(got, aliases[0], hint, out).ok()?;
    let place = components.iter().position(|component| component.name == name);
    if place.is_none() {
        let message =
            format!("{} stands on `{}`, which is no component", reader.what(), shown(&name));
        let hint = hints.nearest(&name, components.iter().map(|one| one.name.as_str()));
        out.add(Finding::error("unknown-component", path, message).hint_if(hint));
    }
    place
}

fn read(mut reader: Reader<'_>, name: String, out: &mut Findings<'_>) -> GuardianDraft {
    let aliases = ["guardian_type", "type"];
    let (words, of) = (GuardianKind::WORDS, GuardianKind::of);
    let kind = reader.word(&aliases, "unknown-guardian-type", words, of, out);
    let hint = format!("one of {}", words.join(", "));
    let kind = reader.need(kind, aliases[0], &hint, out).ok();
    let given = reader.value(&["config", "attributes"], out);
    let empty = Value::Object(Map::new());
    let (config, config_path) = given.unwrap_or_else(|| (&empty, reader.path().to_owned()));
    let what = format!("the config of {}", reader.what());
    let mut draft = GuardianDraft {
        name,
        description: reader.text(&["description"], out).unwrap_or_default(),
        ai_context: ai_context(&mut reader, out),
        kind,
        config: config.clone(),
        config_path: config_path.clone(),
        gate: None,
        policy: None,
        has_policy: false,
    };
    if let Ok(mut config) = Reader::new(config, &config_path, what, out) {
        let written = config.value(&["interaction_policy"], out);
        draft.has_policy = written.is_some();
        let what = format!("the policy of {}", reader.what());
        draft.policy = written.and_then(|(value, path)| policy(value, &path, &what, out).ok());
        if let Some(kind) = kind {
            draft.gate = guardians::compile(kind, config, draft.has_policy, out).ok();
        }
    }
    let _ = reader.finish(out);
    draft
}

fn policy(value: &Value, path: &str, what: &str, out: &mut Findings<'_>) -> Result<Policy, Broken> {
    let mut reader = Reader::new(value, path, what, out)?;
    let items = reader.list(&["branches"], out);
    let items = reader.need(items, "branches", "`branches: [{condition: …}]`", out);
    let rest = reader.finish(out);
    let items = items?;
    if items.is_empty() || items.len() > POLICY_BRANCH_COUNT_MAX {
        let message =
            format!("{what} has 1 to {POLICY_BRANCH_COUNT_MAX} branches, not {}", items.len());
        out.add(Finding::error("bad-policy", json::pointer(path, "branches"), message));
        return Err(Broken);
    }
    let mut branches = Vec::new();
    let mut is_broken = rest.is_err();
    for (index, (item, path)) in items.into_iter().enumerate() {
        let what = format!("branch {} of {what}", index + 1);
        match Reader::new(item, &path, what, out).and_then(|reader| branch(reader, out)) {
            Ok(branch) => branches.push(branch),
            Err(Broken) => is_broken = true,
        }
    }
    if is_broken { Err(Broken) } else { Ok(Policy { branches }) }
}

fn branch(mut reader: Reader<'_>, out: &mut Findings<'_>) -> Result<Branch, Broken> {
    let condition = conditions::read(&mut reader, "r11", out);
    let default = reader.bool(&["default"], out).map(|flag| flag == Some(true));
    let on_error = reader.bool(&["on_error"], out).map(|flag| flag == Some(true));
    let next_interaction = reader.name(&["next_interaction"], out);
    let action = reader.name(&["action"], out);
    let payload = reader.value(&["payload"], out).map_or(Value::Null, |(value, _)| value.clone());
    let (path, what) = (reader.path().to_owned(), reader.what().to_owned());
    let rest = reader.finish(out);
    let when = match (condition?, default?, on_error?) {
        (Some(condition), false, false) => When::Condition(condition),
        (None, true, false) => When::Default,
        (None, false, true) => When::OnError,
        _ => {
            let message =
                format!("{what} has one of `condition`, `default: true` and `on_error: true`");
            out.add(Finding::error("bad-policy", path, message));
            return Err(Broken);
        }
    };
    rest?;
    Ok(Branch { when, next_interaction: next_interaction?, action: action?, payload })
}
