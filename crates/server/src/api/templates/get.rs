use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use windlass_core::template::dot;

use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::template::{TemplateDetail, detail, find, none};
use crate::app::Shared;
use crate::http::observe::with_type;
use crate::http::{Problem, ProblemResponses, etag};
use crate::pages::graph::template::file;

/// Which version, and how it is written.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct TemplateQuery {
    /// Which version; the newest if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub version: Option<String>,
    /// `yaml` and `json` for the template alone, every field under its long name, `dot` for its
    /// picture in Graphviz' language, `svg` for the picture itself. Left out: JSON with all there is
    /// to know.
    #[param(pattern = "^(yaml|json|dot|svg)$")]
    pub format: Option<String>,
}

impl TemplateQuery {
    fn version(&self) -> Result<Option<u32>, Problem> {
        let wanted = || Problem::parameter("version", "a whole number from 1 is expected");
        let Some(text) = &self.version else { return Ok(None) };
        let version = text.parse().ok().filter(|version| *version > 0).ok_or_else(wanted)?;
        Ok(Some(version))
    }
}

/// A template.
#[utoipa::path(
    get, path = "/api/v1/templates/{template}", tag = "templates",
    params(
        ("template" = String, Path, description = "Id or name"),
        TemplateQuery,
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` the client has"),
    ),
    responses(
        (status = 200, description = "The template", content(
            (TemplateDetail = "application/json"), (String = "application/yaml"),
            (String = "text/vnd.graphviz"), (String = "image/svg+xml")
        )),
        (status = 304, description = "The client has this version"),
        ProblemResponses
    )
)]
pub async fn get_template(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<TemplateQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = match query.format.as_deref() {
        None => None,
        Some(word @ ("yaml" | "json" | "dot" | "svg")) => Some(word),
        Some(_) => return Err(Problem::parameter("format", "`yaml`, `json`, `dot` or `svg`")),
    };
    let found = find(&app, caller.project(), &word, query.version()?).await?;
    let tag = etag::etag(found.row.workflow_id, found.row.version);
    let etag = [(header::ETAG, etag::header_value(&tag))];
    if etag::is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    let template = found.template().ok_or_else(|| none(&word))?;
    let response = match format {
        Some("yaml") => with_type("application/yaml", template.to_yaml()),
        Some("dot") => with_type("text/vnd.graphviz; charset=utf-8", dot(template)),
        Some("svg") => {
            let too_large =
                || Problem::parameter("format", "it is too large to be read; take `dot`");
            with_type("image/svg+xml", file(template).ok_or_else(too_large)?)
        }
        Some(_) => Json(template.to_document()).into_response(),
        None => {
            let body = detail(&app, caller.project(), &found, Vec::new()).await?;
            Json(body).into_response()
        }
    };
    Ok((etag, response).into_response())
}
