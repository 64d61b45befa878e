/// Whether the server has started. It listens only once it has, so whoever is answered knows.
#[utoipa::path(
    get, path = "/startupz", tag = "operations",
    responses((status = 200, description = "`ok`", body = String))
)]
pub async fn startupz() -> &'static str {
    "ok"
}
