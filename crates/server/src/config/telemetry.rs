//! The standard variables of OpenTelemetry. They are read where they are used, as everywhere else that
//! has them; no setting of ours is another name for one.

use figment::providers::Env;

/// What a variable says, if it says anything.
pub(crate) fn telemetry(name: &str) -> Option<String> {
    let found = Env::raw().only(&[name]).iter().next();
    let text = found.map(|(_, text)| text.trim().to_owned());
    text.filter(|text| !text.is_empty())
}
