//! Requests to pilots, and what they do with units that are stuck.

use super::units::{complete, desk, led, take, with_desk};
use super::*;

/// The request at the top of the list.
fn request_of(html: &str) -> String {
    let rest = html.split("id=\"request-").nth(1).unwrap_or_else(|| panic!("no request: {html}"));
    rest.split('"').next().unwrap().to_owned()
}

async fn stopped(server: &Server) -> (String, serde_json::Value) {
    let desk = desk(server, "Desk", r#"{"total": 12}"#).await;
    let task = take(server, &desk, "Splitter").await;
    let kill = format!("{desk}/kill-switch");
    for form in ["reason=fire", "reason=&confirm=yes"] {
        assert_eq!(send_form(server, &kill, form).await.status, 400, "{form}");
    }
    led(server, &kill, "reason=fire&confirm=yes").await;
    (desk, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_approved_with_a_reason() {
    let server = with_desk().await;
    assert!(page(&server, "/interventions").await.contains("Nothing waits for a pilot"));
    let (desk, task) = stopped(&server).await;
    let html = page(&server, "/interventions").await;
    assert!(html.contains("“fire”") && html.contains("critical"), "{html}");
    let request = request_of(&html);
    let approve = format!("/interventions/{request}/approve");
    let silent = send_form(&server, &approve, "reason=").await;
    assert_eq!(silent.status, 400);
    assert!(silent.body.as_str().unwrap().contains("say why"), "{}", silent.body);
    led(&server, &approve, "reason=put+out").await;
    let html = page(&server, "/interventions?status=approved").await;
    assert!(html.contains("approved by local") && html.contains("“put out”"), "{html}");
    assert!(told(&html).contains("Approved\n1"), "{html}");
    let twice = send_form(&server, &approve, "reason=again").await;
    assert_eq!(twice.status, 409);
    assert!(
        twice.body.as_str().unwrap().contains("answered already: approved by"),
        "{}",
        twice.body
    );
    // It goes on: somebody takes it again.
    let again = take(&server, &desk, "Splitter").await;
    assert_eq!(again["id"], task["id"]);
    complete(&server, &again, json!({ "flagged": false })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_rejected_and_the_unit_goes_to_who_mends() {
    let server = with_desk().await;
    let (desk, task) = stopped(&server).await;
    let request = request_of(&page(&server, "/interventions").await);
    led(&server, &format!("/interventions/{request}/reject"), "reason=burnt").await;
    assert!(page(&server, &desk).await.contains("<title>Ate: 1 failed</title>"));
    let html = page(&server, &format!("/uows/{}", task["id"].as_str().unwrap())).await;
    assert!(html.contains("“burnt”"), "{html}");
    let none = send_form(&server, "/interventions/nobody/approve", "reason=x").await;
    assert_eq!(none.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_offers_what_fits_where_it_stands() {
    let server = with_desk().await;
    let (_, task) = stopped(&server).await;
    let unit = format!("/uows/{}", task["id"].as_str().unwrap());
    let html = page(&server, &unit).await;
    for act in ["resume", "waive", "cancel"] {
        assert!(html.contains(&format!("action=\"{unit}/{act}\"")), "{act}: {html}");
    }
    assert!(!html.contains(&format!("{unit}/clarify")), "{html}");
    assert_eq!(send_form(&server, &format!("{unit}/clarify"), "text=x").await.status, 409);
    assert_eq!(send_form(&server, &format!("{unit}/cancel"), "reason=").await.status, 400);
    let odd = send_form(&server, &format!("{unit}/waive"), "rule=nobody&reason=x").await;
    assert_eq!(odd.status, 422);
    led(&server, &format!("{unit}/waive"), "rule=split_in_guardian&reason=I+know+them").await;
    let told = told(&page(&server, &unit).await);
    assert!(told.contains("split_in_guardian\nwaived") || told.contains("waived"), "{told}");
    assert!(told.contains("“I know them”"), "{told}");
    assert_eq!(send_form(&server, &format!("{unit}/resume"), "").await.status, 409);
}
