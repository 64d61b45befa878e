/// Answers `pong`.
#[utoipa::path(
    get, path = "/ping", tag = "operations",
    responses((status = 200, description = "`pong`", body = String))
)]
pub async fn ping() -> &'static str {
    "pong"
}
