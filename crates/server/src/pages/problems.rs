//! What a problem's code means: the pages of `docs/problems/`.

use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use serde::Serialize;

use super::error::PageProblem;
use super::render;
use crate::api::query::Named;
use crate::http::problem::{CODES, NO_SUCH_ROUTE, Problem};
use crate::observe;

#[derive(RustEmbed)]
#[folder = "../../docs/problems"]
struct Texts;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    code: &'static str,
    status: u16,
    /// Heading and text of each paragraph.
    paragraphs: Vec<(String, String)>,
}

fn known(code: &str) -> Option<Response> {
    let known = CODES.iter().chain(observe::CODES).find(|known| known.code == code)?;
    let text = Texts::get(&format!("{code}.md"))?;
    let text = String::from_utf8_lossy(&text.data).into_owned();
    let paragraphs = text.split("\n\n").filter_map(|paragraph| {
        // `**What.** …`, as every page has it.
        let (heading, rest) = paragraph.strip_prefix("**")?.split_once(".**")?;
        Some((heading.to_owned(), rest.trim().replace('\n', " ")))
    });
    let context = Context {
        nav: "",
        title: known.title,
        code: known.code,
        status: known.status,
        paragraphs: paragraphs.collect(),
    };
    Some(render::page("problem_kind.html", context).into_response())
}

pub(super) async fn page(Named(code): Named<String>) -> Response {
    match known(&code) {
        Some(response) => response,
        None => {
            let message = format!("no problem has the code `{code:.60}`");
            PageProblem(Problem::new(NO_SUCH_ROUTE, message)).into_response()
        }
    }
}
