//! `DIRECTIONAL_FILTER`: says which ways are open to a unit by the value of one attribute.
//! `{routing_key, routes}` never rejects: without a route no way is open, and the unit is a case for
//! EPSILON when its role is done. `{attribute, routes, default_route}` rejects then.
//!
//! With an interaction policy and nothing else, it only carries the policy.

use serde_json::Value;

use super::{Verdict, field, key_of, part};
use crate::definition::findings::Findings;
use crate::template::reader::{Broken, Reader};
use crate::template::subject::Subject;

/// Which ways are open.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectionalFilter {
    /// `None` if it only carries a policy.
    pub routes: Option<Routes>,
}

/// Ways by the value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    /// The attribute.
    pub attribute: String,
    /// Values as texts, and the interactions each leads to.
    pub table: Vec<(String, Vec<String>)>,
    /// Where the rest leads.
    pub otherwise: Option<Vec<String>>,
    /// Whether a unit without a route is rejected.
    pub rejects: bool,
}

pub(super) fn compile(
    config: &mut Reader<'_>,
    has_policy: bool,
    out: &mut Findings<'_>,
) -> Result<DirectionalFilter, Broken> {
    let is_any = ["routing_key", "attribute", "routes", "default_route"];
    if has_policy && !is_any.iter().any(|name| config.has(name)) {
        return Ok(DirectionalFilter { routes: None });
    }
    let rejects = config.has("attribute") || config.has("default_route");
    let name = if rejects { "attribute" } else { "routing_key" };
    let hint = "say the attribute whose value chooses a way, or give it an `interaction_policy`";
    let attribute = config.name(&[name], out);
    let attribute = config.need(attribute, name, hint, out);
    let routes = config.value(&["routes"], out);
    let routes = config.need(Ok(routes), "routes", "such as `{EXPRESS: Fast_Queue}`", out);
    let table = routes.and_then(|(value, path)| table(config, value, &path, out));
    let otherwise = if rejects {
        let value = config.value(&["default_route"], out);
        value.map(|(value, path)| names(config, value, &path, "default_route", out)).transpose()
    } else {
        Ok(None)
    };
    let routes = Routes { attribute: attribute?, table: table?, otherwise: otherwise?, rejects };
    Ok(DirectionalFilter { routes: Some(routes) })
}

fn table(
    config: &Reader<'_>,
    value: &Value,
    path: &str,
    out: &mut Findings<'_>,
) -> Result<Vec<(String, Vec<String>)>, Broken> {
    let Value::Object(fields) = value else {
        return Err(config.wrong(path, "routes", "an object", value, out));
    };
    let mut table = Vec::with_capacity(fields.len());
    let mut is_broken = false;
    for (key, value) in fields {
        match names(config, value, &part(path, &[key]), key, out) {
            Ok(names) => table.push((key.clone(), names)),
            Err(Broken) => is_broken = true,
        }
    }
    if is_broken { Err(Broken) } else { Ok(table) }
}

/// One name or a list of them.
fn names(
    config: &Reader<'_>,
    value: &Value,
    path: &str,
    name: &str,
    out: &mut Findings<'_>,
) -> Result<Vec<String>, Broken> {
    let items = match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let names = items.into_iter().map(|item| item.as_str().map(str::to_owned));
    names
        .collect::<Option<_>>()
        .ok_or_else(|| config.wrong(path, name, "an interaction or a list of them", value, out))
}

impl DirectionalFilter {
    /// The interactions that are open to a unit, by name. `None` if it closes none.
    pub fn allowed(&self, subject: &dyn Subject) -> Option<Vec<String>> {
        let routes = self.routes.as_ref()?;
        Some(routes.of(subject).map(<[String]>::to_vec).unwrap_or_default())
    }

    pub(super) fn judge(&self, subject: &dyn Subject) -> Verdict {
        let Some(routes) = self.routes.as_ref().filter(|routes| routes.rejects) else {
            return Verdict::Pass;
        };
        match routes.of(subject) {
            Some(names) if !names.is_empty() => Verdict::Pass,
            Some(_) => Verdict::reject(format!("`{}` has a route to nowhere", routes.attribute)),
            None => match field(subject, &routes.attribute) {
                Err(reject) => reject,
                Ok(_) => {
                    Verdict::reject(format!("no route for the value of `{}`", routes.attribute))
                }
            },
        }
    }

    pub(super) fn targets(&self) -> Vec<(String, &str)> {
        let Some(routes) = &self.routes else { return Vec::new() };
        let table = routes.table.iter().map(|(key, names)| (part("/routes", &[key]), names));
        let rest = routes.otherwise.iter().map(|names| ("/default_route".to_owned(), names));
        table
            .chain(rest)
            .flat_map(|(path, names)| names.iter().map(move |name| (path.clone(), name.as_str())))
            .collect()
    }
}

impl Routes {
    fn of(&self, subject: &dyn Subject) -> Option<&[String]> {
        let key = field(subject, &self.attribute).ok().and_then(|value| key_of(&value));
        let found = key.and_then(|key| self.table.iter().find(|(known, _)| *known == key));
        found.map(|(_, names)| names).or(self.otherwise.as_ref()).map(Vec::as_slice)
    }
}
