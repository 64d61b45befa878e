//! What people are asked: the list, the form, and what becomes of a filled-in one.

use serde_json::json;

use super::{page, send_form};
use crate::harness::*;

const ASKS: &str = "
name: refund
nodes:
  - id: ask
    type: approval
    config:
      title: Refund <b>7</b>?
      subject: { amount: 7, why: \"broken\\nbadly\" }
      form: { type: object, properties: { note: { type: string, title: Note } }, required: [note] }
      quorum: 1
  - { id: pay, type: noop, needs: [ask], config: { output: \"{{ask.output.form.note}}\" } }
";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_is_listed_shown_and_decided() {
    let server = Server::new();
    server.deploy(ASKS).await;
    assert!(page(&server, "/approvals").await.contains("Nothing waits for a decision"));
    let run = server.post("/api/v1/workflows/refund/execute", json!({})).await.body;
    let id = run["id"].as_str().unwrap().to_owned();
    let list = page(&server, "/approvals").await;
    assert!(list.contains("Refund &lt;b&gt;7&lt;&#x2f;b&gt;?"), "{list}");
    let address = format!("/runs/{id}/approvals/ask");
    let escaped = address.replace('/', "&#x2f;");
    assert!(list.contains(&format!("href=\"{escaped}\"")), "{list}");
    let form = page(&server, &address).await;
    assert!(form.contains("broken\nbadly") && form.contains(">Note"), "{form}");
    let drawer = page(&server, &format!("/runs/{id}?step=ask")).await;
    assert!(drawer.contains(&format!("href=\"{address}\"")) && !drawer.contains("drawer-settle"));

    let empty = send_form(&server, &address, "decision=approve&input.note=&comment=hm").await;
    assert_eq!(empty.status, 422);
    let told = empty.body.as_str().unwrap();
    assert!(told.contains("the field") && told.contains(">hm</textarea>"), "{told}");
    let stale = send_form(&server, &address, "decision=approve&input.note=x&hash=0").await;
    assert_eq!(stale.status, 409);
    let decided = send_form(&server, &address, "decision=approve&input.note=sorry").await;
    assert_eq!((decided.status.as_u16(), decided.header("location")), (303, address.as_str()));
    let after = server.get(&address).await;
    assert_eq!(after.header("location"), format!("/runs/{id}?step=ask"), "{}", after.body);
}
