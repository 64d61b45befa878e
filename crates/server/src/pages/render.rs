//! Templates, and the words and numbers in them.

use std::sync::LazyLock;
use std::time::Duration;

use axum::response::Html;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, HtmlEscape, UndefinedBehavior, Value};
use rust_embed::RustEmbed;
use serde::Serialize;
use windlass_core::Time;

use crate::access::{Caller, Permission, Proof};
use crate::app::App;

#[derive(RustEmbed)]
#[folder = "templates"]
struct Templates;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    // A misspelt name is a bug of ours and must not look like an empty field.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_loader(|name| {
        let Some(file) = Templates::get(name) else { return Ok(None) };
        let text = String::from_utf8(file.data.into_owned());
        text.map(Some).map_err(|_| Error::new(ErrorKind::InvalidOperation, "not UTF-8"))
    });
    environment.add_filter("ticks", |text: String| Value::from_safe_string(ticks(&text)));
    environment.add_filter("segment", |text: String| crate::client::segment(&text));
    environment
        .add_filter("asset", |name: String| Value::from_safe_string(super::assets::address(&name)));
    environment
});

/// A message with what stands between backticks as code.
fn ticks(text: &str) -> String {
    let escaped = HtmlEscape(text).to_string();
    let parts: Vec<&str> = escaped.split('`').collect();
    let last = parts.len() - 1;
    let mut html = String::with_capacity(escaped.len());
    for (number, part) in parts.into_iter().enumerate() {
        match number % 2 {
            1 if number < last => html.push_str(&format!("<code>{part}</code>")),
            // A lone one stands for itself.
            1 => html.push_str(&format!("`{part}")),
            _ => html.push_str(part),
        }
    }
    html
}

/// A template, rendered. One that cannot be is a bug of ours, told in the log.
pub fn render(template: &str, context: impl Serialize) -> String {
    let rendered = ENVIRONMENT
        .get_template(template)
        .and_then(|template| template.render(Value::from(Serde(&context))));
    rendered.unwrap_or_else(|error| {
        tracing::error!(%template, error = %format!("{error:#}"), "a page cannot be rendered");
        debug_assert!(false, "{template}: {error:#}");
        "<p>This part cannot be shown. The server's log says why.</p>".to_owned()
    })
}

/// Whom a page is for: what it may offer, and the token of its forms.
#[derive(Clone, Debug, Serialize)]
pub struct Me {
    /// Who.
    pub name: String,
    /// What they are.
    pub role: &'static str,
    /// The token.
    pub csrf: String,
    /// Whether they have signed in, and so can sign out.
    pub is_session: bool,
    /// Whether they may start, stop and repair runs, and make and hold up instances.
    pub may_operate: bool,
    /// Whether they may change workflows, and say who acts in which role of an instance.
    pub may_edit: bool,
    /// Whether they may decide what waits for an approval.
    pub may_approve: bool,
    /// Whether they may see the audit log.
    pub may_administer: bool,
    /// Whether they may stop everything, and let units pass where a guardian says no.
    pub may_override: bool,
    /// Who has stopped everything, as a sentence.
    pub halted: Option<String>,
}

impl Me {
    /// Of a caller.
    pub fn of(app: &App, caller: &Caller) -> Me {
        let principal = &caller.principal;
        let token = |nonce: &std::sync::Arc<str>| app.gate.sessions.form_token(nonce);
        Me {
            name: principal.name.clone(),
            role: principal.role.as_str(),
            csrf: caller.session.as_ref().map(token).unwrap_or_default(),
            is_session: caller.session.is_some() && principal.proof != Proof::Local,
            may_operate: principal.may(Permission::Operate),
            may_edit: principal.may(Permission::Edit),
            may_approve: principal.may(Permission::Approve),
            // A file of a run has no such log.
            may_administer: principal.may(Permission::Administer) && !app.is_file,
            may_override: principal.may(Permission::Administer),
            halted: app.engine.halted().map(|halt| match halt.reason {
                None => format!("{} has stopped everything.", halt.by),
                Some(reason) => format!("{} has stopped everything: {reason}.", halt.by),
            }),
        }
    }
}

/// Something with whom it is for, as `me`.
#[derive(Serialize)]
pub struct For<'a, C> {
    /// Whom.
    pub me: &'a Me,
    /// What.
    #[serde(flatten)]
    pub context: C,
}

/// A page for somebody.
pub fn page_for(template: &str, me: &Me, context: impl Serialize) -> Html<String> {
    page(template, For { me, context })
}

/// A page for anybody.
pub fn page(template: &str, context: impl Serialize) -> Html<String> {
    Html(render(template, context))
}

/// A time, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// RFC 3339, for programs and for who looks closely.
    pub exact: String,
    /// To the second, in UTC.
    pub short: String,
}

/// A time, for people.
pub fn moment(at: Time) -> Moment {
    let exact = at.to_string();
    let short = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    Moment { exact, short }
}

/// How long something took, in at most two units.
pub fn took(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    match seconds {
        0 if millis == 0 => "< 1 ms".to_owned(),
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// The longest JSON that a page shows whole, in characters.
const SHOWN_MAX: usize = 20_000;

/// JSON, laid out, cut if it is long.
pub fn json(value: &serde_json::Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}\n… the API has the rest", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let table = [
            (Duration::from_micros(7), "< 1 ms"),
            (Duration::from_millis(640), "640 ms"),
            (Duration::from_millis(1_250), "1.2 s"),
            (Duration::from_secs(61), "1 min 1 s"),
            (Duration::from_secs(3_600), "1 h 0 min"),
            (Duration::from_secs(90_000), "1 d 1 h"),
        ];
        for (duration, text) in table {
            assert_eq!(took(duration), text);
        }
    }

    #[test]
    fn code_stands_between_backticks() {
        assert_eq!(ticks("`a<b`: no `c`"), "<code>a&lt;b</code>: no <code>c</code>");
        assert_eq!(ticks("a ` b"), "a ` b");
        assert_eq!(ticks(""), "");
    }

    #[test]
    fn every_template_can_be_read() {
        for name in Templates::iter() {
            ENVIRONMENT.get_template(&name).unwrap();
        }
    }
}
