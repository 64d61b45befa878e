//! The inbox: a person takes a task, fills in its form, hands it in.

use super::units::{desk, encoded, led, take, with_desk};
use super::*;

/// A workflow whose middle step is a person's.
const REVIEW: &str = "name: review\nnodes:\n  - id: read\n    type: actor\n    config:\n      role: lawyer\n      title: Read it\n      input: {text: 'a <b> c'}\n      form:\n        type: object\n        properties:\n          risk: {type: string, enum: [low, high]}\n          limit: {type: integer, minimum: 1}\n        required: [risk, limit]\n";

/// The task at the top of the list, as its page's address.
fn first(html: &str) -> String {
    let rest = html.split("href=\"/inbox/").nth(1).unwrap_or_else(|| panic!("no task: {html}"));
    format!("/inbox/{}", rest.split(['?', '"']).next().unwrap())
}

/// Starts a run of a workflow that waits for a person; its id.
async fn waits(server: &Server, workflow: &str) -> String {
    let path = format!("/api/v1/workflows/{workflow}/execute");
    let run = server.post(&path, json!({})).await.body;
    run["id"].as_str().unwrap().to_owned()
}

async fn reviewed() -> (Server, String, String) {
    let server = Server::new();
    server.deploy(REVIEW).await;
    let run = waits(&server, "review").await;
    let task = first(&page(&server, "/inbox").await);
    (server, run, task)
}

fn fence(html: &str) -> String {
    hidden_field(html, "fence")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_takes_a_step_fills_it_in_and_hands_it_in() {
    let (server, run, task) = reviewed().await;
    let html = page(&server, &task).await;
    assert!(html.contains("a &lt;b&gt; c") && html.contains("id=\"claim\""), "{html}");
    assert!(!html.contains("id=\"submit\""), "nobody hands in what is not theirs");
    led(&server, &format!("{task}/claim?as=role%3Alawyer"), "").await;
    let html = page(&server, &task).await;
    assert!(
        html.contains("Yours for 23h59m more") && html.contains("name=\"input.risk\""),
        "{html}"
    );
    let inbox = page(&server, "/inbox").await;
    assert!(inbox.contains("Yours <span class=\"quiet\">1</span>"), "{inbox}");
    let workers = page(&server, "/workers").await;
    assert!(
        workers.contains("<strong>local</strong>"),
        "who holds something is heard of: {workers}"
    );

    let form = format!("fence={}&input.risk=high&input.limit=", fence(&html));
    let few = send_form(&server, &format!("{task}/submit"), &form).await;
    assert_eq!(few.status, 422, "{}", few.body);
    let few = few.body.as_str().unwrap();
    assert!(few.contains("This is not filled in rightly") && few.contains("aria-invalid"), "{few}");
    assert!(few.contains("<option value=\"high\" selected>"), "what was typed is there: {few}");
    let form = format!("fence={}&input.risk=high&input.limit=ten", fence(&html));
    let odd = send_form(&server, &format!("{task}/submit"), &form).await;
    assert!(odd.body.as_str().unwrap().contains("value=\"ten\""), "{}", odd.body);

    let form = format!("fence={}&input.risk=high&input.limit=10", fence(&html));
    let done = led(&server, &format!("{task}/submit?as=role%3Alawyer"), &form).await;
    assert_eq!(done, format!("/inbox?as=role%3Alawyer&done={run}"));
    assert!(page(&server, &done).await.contains("Handed in."));
    let run = at(&server, &format!("/api/v1/runs/{run}"), &["succeeded", "failed"]).await;
    assert_eq!(run["output"], json!({ "risk": "high", "limit": 10 }), "{run}");
    let again = send_form(&server, &format!("{task}/submit"), &form).await;
    let again = (again.status.as_u16(), again.body);
    assert_eq!(again.0, 404, "{}", again.1);
    assert!(again.1.as_str().unwrap().contains("What you have typed"), "{}", again.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_want_a_task_one_is_told_who_was_quicker() {
    let (server, _, task) = reviewed().await;
    let question = json!({ "worker": "<agent>", "roles": ["lawyer"], "wait": "20s" });
    assert_eq!(server.post("/api/v1/tasks/poll", question).await.status, 200);
    let late = send_form(&server, &format!("{task}/claim"), "").await;
    assert_eq!(late.status, 409);
    let html = late.body.as_str().unwrap();
    assert!(html.contains("<code>&lt;agent&gt;</code> has it: they were quicker"), "{html}");
    assert!(!html.contains("id=\"claim\""), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_outlives_the_loss_of_a_task() {
    let (server, run, task) = reviewed().await;
    led(&server, &format!("{task}/claim"), "").await;
    let old = fence(&page(&server, &task).await);
    led(&server, &format!("{task}/keep"), &format!("fence={old}")).await;
    led(&server, &format!("{task}/release"), &format!("fence={old}")).await;
    let form = format!("fence={old}&input.risk=low&input.limit=4");
    let lost = send_form(&server, &format!("{task}/submit"), &form).await;
    assert_eq!(lost.status, 409);
    let html = lost.body.as_str().unwrap();
    assert!(html.contains("nobody has it now") && html.contains("value=\"4\""), "{html}");
    assert!(html.contains("name=\"again\""), "{html}");
    let form = format!("{form}&again=yes");
    led(&server, &format!("{task}/submit"), &form).await;
    at(&server, &format!("/api/v1/runs/{run}"), &["succeeded"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_has_meanwhile_is_shown_and_not_handed_in() {
    let (server, _, task) = reviewed().await;
    led(&server, &format!("{task}/claim"), "").await;
    let old = fence(&page(&server, &task).await);
    led(&server, &format!("{task}/release"), &format!("fence={old}")).await;
    let question = json!({ "worker": "agent", "roles": ["lawyer"], "wait": "20s" });
    assert_eq!(server.post("/api/v1/tasks/poll", question).await.status, 200);
    let form = format!("fence={old}&input.risk=low&input.limit=4");
    let lost = send_form(&server, &format!("{task}/submit"), &form).await;
    let html = lost.body.as_str().unwrap();
    assert!(
        html.contains("<code>agent</code> has it now") && html.contains("value=\"4\""),
        "{html}"
    );
    assert!(!html.contains("id=\"submit\"") && !html.contains("name=\"again\""), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_works_on_a_unit_with_its_attributes_as_fields() {
    let server = with_desk().await;
    let context = r#"{"total": 250, "flagged": true, "note": "one\ntwo", "lines": [1]}"#;
    let desk = desk(&server, "Desk", context).await;
    let html = page(&server, "/inbox").await;
    assert!(html.contains("Splitter") && html.contains("Desk"), "{html}");
    let task = first(&html);
    led(&server, &format!("{task}/claim"), "role=Splitter").await;
    let html = page(&server, &task).await;
    assert!(html.contains(">one\ntwo</textarea>") && html.contains("name=\"reasoning\""), "{html}");
    let form = format!(
        "fence={}&input.total=260&input.flagged=true&input.note=&input.lines={}&more={}&reasoning=why+not",
        fence(&html),
        encoded("[1]"),
        encoded("{"),
    );
    let odd = send_form(&server, &format!("{task}/submit"), &form).await;
    assert_eq!(odd.status, 400);
    let odd = odd.body.as_str().unwrap();
    assert!(odd.contains("value=\"260\"") && odd.contains(">{</textarea>"), "{odd}");
    let form = form.replace("more=%7B", &format!("more={}", encoded(r#"{"seen": true}"#)));
    led(&server, &format!("{task}/submit"), &form).await;
    let unit = page(&server, &task.replace("/inbox/", "/uows/")).await;
    let told = told(&unit);
    assert!(told.contains("wrote note, seen, total"), "and not what stayed as it was: {told}");
    assert!(told.contains("“why not”") && told.contains("local as Splitter"), "{told}");
    assert!(page(&server, &desk).await.contains("<span class=\"quiet\">human</span>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_split_from_the_inbox() {
    let server = with_desk().await;
    let desk = desk(&server, "Desk", r#"{"total": 30, "flagged": false}"#).await;
    let task = first(&page(&server, "/inbox").await);
    led(&server, &format!("{task}/claim"), "").await;
    let parts = encoded(r#"[{"total": 10}, {"total": 20}]"#);
    let fence = fence(&page(&server, &task).await);
    let odd = format!("fence={fence}&input.total=30&children={}", encoded(r#"{"a": 1}"#));
    assert_eq!(send_form(&server, &format!("{task}/submit"), &odd).await.status, 400);
    led(
        &server,
        &format!("{task}/submit"),
        &format!("fence={fence}&input.total=30&children={parts}"),
    )
    .await;
    let html = page(&server, &desk).await;
    assert!(html.contains("<title>Line_Queue: 2 waiting</title>"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_that_says_no_is_told() {
    let server = with_desk().await;
    desk(&server, "Desk", r#"{"total": 0}"#).await;
    let task = first(&page(&server, "/inbox").await);
    let refused = send_form(&server, &format!("{task}/claim"), "").await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    let html = refused.body.as_str().unwrap();
    assert!(
        html.contains("a guardian did not let it pass") && html.contains("<code>Ate</code>"),
        "{html}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_chosen_roles_are_listed_and_only_those_one_may_act_in() {
    let server = with_desk().await;
    server.deploy(REVIEW).await;
    waits(&server, "review").await;
    let desk = desk(&server, "Desk", r#"{"total": 5}"#).await;
    let all = page(&server, "/inbox").await;
    assert!(all.contains("Read it") && all.contains("Requests: unit"), "{all}");
    let few = page(&server, "/inbox?as=role%3Alawyer").await;
    assert!(few.contains("Read it") && !few.contains("Requests: unit"), "{few}");
    assert!(few.contains("value=\"role:lawyer\" checked"), "{few}");
    led(&server, &format!("{desk}/actors"), "actor=robot&role=Splitter&kind=SYSTEM").await;
    let rest = page(&server, "/inbox").await;
    assert!(!rest.contains("Requests: unit"), "the role is the robot's: {rest}");
    take(&server, &desk, "Splitter").await;
    for path in ["/inbox/nobody", "/inbox/00000000-0000-0000-0000-000000000000"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_has_lost_is_a_persons_to_take() {
    let server = Server::with(|config| {
        let often = std::time::Duration::from_millis(100);
        config.sweeper.every = windlass_core::HumanDuration(often);
    });
    server.deploy(REVIEW).await;
    let run = waits(&server, "review").await;
    let question = json!({ "worker": "agent", "roles": ["lawyer"], "wait": "20s", "lease": "1s" });
    let polled = server.post("/api/v1/tasks/poll", question).await;
    assert_eq!(polled.status, 200, "{}", polled.body);
    let task = format!("/inbox/{}", polled.body["tasks"][0]["id"].as_str().unwrap());
    let back = async {
        // Between two attempts there is no task.
        while !server.get(&task).await.body.as_str().unwrap().contains("id=\"claim\"") {
            tokio::task::yield_now().await;
        }
    };
    let back = tokio::time::timeout(std::time::Duration::from_secs(60), back).await;
    assert!(back.is_ok(), "it is never taken back");
    led(&server, &format!("{task}/claim"), "").await;
    let form = format!("fence={}&input.risk=low&input.limit=1", fence(&page(&server, &task).await));
    led(&server, &format!("{task}/submit"), &form).await;
    at(&server, &format!("/api/v1/runs/{run}"), &["succeeded"]).await;
}
