/// Whether the process is alive.
#[utoipa::path(
    get, path = "/livez", tag = "operations",
    responses((status = 200, description = "`ok`", body = String))
)]
pub async fn livez() -> &'static str {
    "ok"
}
