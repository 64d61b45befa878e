//! Style sheet, script and icon, from inside the binary.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::api::query::Named;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Assets;

/// The address of a file. It changes with the content, so browsers may keep what it leads to.
pub(super) fn address(name: &str) -> String {
    let hash = Assets::get(name).map_or([0; 32], |file| file.metadata.sha256_hash());
    let mark: String = hash[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/assets/{name}?{mark}")
}

pub(super) async fn asset(Named(name): Named<String>) -> Response {
    answer(&name)
}

pub(super) async fn favicon() -> Response {
    answer("icon.svg")
}

fn answer(name: &str) -> Response {
    let Some(file) = Assets::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, content_type(name)),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    let EmbeddedFile { data, .. } = file;
    (headers, data.into_owned()).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
