//! Templates, instances, units of work and queues from a shell.

use crate::{EXAMPLES, ok, text, windlass};

#[test]
fn a_unit_of_work_is_added_and_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let file = format!("{EXAMPLES}/templates/refund_desk.yaml");
    let run = |line: &str| ok(at, &line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(ok(at, &["template", "import", &file]), "Refund_Desk: version 1\n");
    assert!(run("template list").contains("Refund_Desk  1"));
    assert!(run("template show Refund_Desk").starts_with("workflow:"));
    assert!(run("template graph Refund_Desk").starts_with("digraph \"Refund_Desk\""));
    run("template export Refund_Desk -f again.yml");
    assert_eq!(run("template import again.yml"), "Refund_Desk: version 2\n");
    let made = run("instance create Refund_Desk --name Desk --setting zombie=pending");
    assert!(made.ends_with(" Desk\n"), "{made}");
    assert!(run("instance list").contains("Refund_Desk 2  active"));
    let added = run("uow add Desk -a total=360 -a customer=c-1 --priority -3");
    let id = added.split(' ').next().unwrap();
    assert!(added.ends_with(" pending at Requests\n"), "{added}");
    assert!(run("uow list --instance Desk --place Requests").contains(id));
    let shown = run(&format!("uow show {id}"));
    assert!(shown.contains("waits at `Requests` for an actor as Splitter"), "{shown}");
    assert!(shown.contains("customer   1        local  c-1"), "{shown}");
    assert!(run(&format!("uow history {id}")).contains("created"));
    let queues = run("queue list");
    assert!(queues.contains("/Refund_Desk/Requests  1        0"), "{queues}");
    let name = queues.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(run(&format!("queue show {name}")).contains(id));
    let shown = run("instance show Desk");
    assert!(shown.contains("Refund_Desk  Requests  pending  1"), "{shown}");
    run("instance pause Desk --reason lunch");
    let refused = windlass(at, &["uow", "add", "Desk"]);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).starts_with("error[instance-inactive]"));
    run("instance resume Desk");
    run("instance archive Desk");
    assert_eq!(windlass(at, &["instance", "resume", "Desk"]).status.code(), Some(6));
    run("template delete Refund_Desk");
    assert_eq!(windlass(at, &["template", "show", "Refund_Desk"]).status.code(), Some(4));
    assert!(run("instance show Desk").contains("Splitter"), "it has its own copy");
}

#[test]
fn the_flags_of_the_seed_work() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let file = format!("{EXAMPLES}/templates/refund_desk.yaml");
    ok(at, &["template", "-i", "-f", &file]);
    assert!(ok(at, &["template", "-l"]).contains("Refund_Desk"));
    ok(at, &["template", "-w", "Refund_Desk", "-e"]);
    let exported = std::fs::read_to_string(at.join("workflow_Refund_Desk.yml")).unwrap();
    let sections = ["workflow:", "roles:", "interactions:", "components:", "guardians:"];
    let places = sections
        .map(|section| exported.find(&format!("\n{section}")).or_else(|| exported.find(section)));
    assert!(places.is_sorted() && places[0] == Some(0), "{exported}");
    ok(at, &["template", "-w", "Refund_Desk", "--graph"]);
    assert!(
        std::fs::read_to_string(at.join("workflow_Refund_Desk.dot"))
            .unwrap()
            .starts_with("digraph")
    );
    ok(at, &["template", "-w", "Refund_Desk", "-e", "-f", "mine.yml"]);
    ok(at, &["template", "-i", "-f", "mine.yml"]);
    ok(at, &["template", "-w", "Refund_Desk", "-d"]);
    for arguments in [["-w", "Refund_Desk", "-d"], ["-w", "Refund_Desk", "-e"]] {
        let absent = windlass(at, &[&["template"], &arguments[..]].concat());
        assert_eq!(absent.status.code(), Some(1), "{}", text(&absent.stderr));
    }
    for arguments in [&["template", "-e"][..], &["template", "-i"], &["template", "-w", "x"]] {
        assert_eq!(windlass(at, arguments).status.code(), Some(2), "{arguments:?}");
    }
    std::fs::write(at.join("broken.yml"), exported.replace("role_type: TAU", "role_type: ALPHA"))
        .unwrap();
    let broken = windlass(at, &["template", "import", "broken.yml"]);
    assert_eq!(broken.status.code(), Some(3), "{}", text(&broken.stderr));
}
