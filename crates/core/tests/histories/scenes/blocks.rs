//! Graphs inside of graphs.

use serde_json::json;

use super::Act::{Cancel, Fail, Go, Start, Succeed};
use super::{Scene, scene};

const EACH: &str = "
name: Each
nodes:
  - id: each
    type: map
    config:
      items: \"{{ input }}\"
      concurrency: 2
      body:
        nodes:
          - { id: do, type: work, config: { n: \"{{ item }}\" } }
          - { id: then, type: transform, needs: [do], config: { output: \"{{ [index, do.output] }}\" } }
  - { id: after, type: transform, needs: [each], config: { output: \"{{ len(each.output) }}\" } }
";

const EACH_AGGREGATE: &str = "
name: Each
on_failure: aggregate
nodes:
  - { id: each, type: map, config: { items: \"{{ input }}\", body: { nodes: [{ id: do, type: work }] } } }
";

const PAGES: &str = "
name: Pages
nodes:
  - id: pages
    type: loop
    config:
      initial: 0
      until: item >= 3
      max_iterations: 3
      body:
        nodes:
          - { id: get, type: work, config: { after: \"{{ item }}\" } }
          - { id: sum, type: transform, needs: [get], config: { output: \"{{ item + get.output }}\" } }
";

const GUARD: &str = "
name: Guard
nodes:
  - id: guard
    type: try
    config:
      body:
        nodes:
          - { id: book, type: work, compensate: { type: work, config: { id: \"{{ book.output }}\" } } }
          - { id: pay, type: work, needs: [book] }
      catch:
        - on: [boom]
          body: { nodes: [{ id: instead, type: work, config: { why: \"{{ error.code }}\" } }] }
      finally: { nodes: [{ id: clean, type: work }] }
  - { id: send, type: work, needs: [guard] }
";

const NESTED: &str = "
name: Nested
nodes:
  - { id: base, type: transform, config: { output: 10 } }
  - id: rows
    type: map
    needs: [base]
    config:
      items: [[1, 2], [3]]
      body:
        nodes:
          - { id: row, type: transform, config: { output: \"{{ item }}\" } }
          - id: cells
            type: map
            needs: [row]
            config:
              items: \"{{ row.output }}\"
              body:
                nodes:
                  - { id: cell, type: work, config: { n: \"{{ base.output + item }}\" } }
                output: \"{{ cell.output }}\"
        output: \"{{ cells.output }}\"
  - { id: other, type: work }
output: \"{{ rows.output }}\"
";

pub(super) fn all() -> Vec<Scene> {
    let items = || json!(["a", "b", "c", "d"]);
    vec![
        scene(
            "map_with_concurrency",
            EACH,
            json!(["a", "b", "c"]),
            vec![
                Go,
                Succeed("each[1].do", json!(1)),
                Succeed("each[0].do", json!(0)),
                Succeed("each[2].do", json!(2)),
            ],
        ),
        scene("map_of_nothing", EACH, json!([]), vec![Go]),
        scene(
            "map_under_way",
            EACH,
            items(),
            vec![Go, Start("each[0].do"), Succeed("each[1].do", json!(1))],
        ),
        scene(
            "map_item_failure",
            EACH,
            items(),
            vec![Go, Succeed("each[0].do", json!(0)), Fail("each[1].do", "boom")],
        ),
        scene(
            "map_failures_aggregated",
            EACH_AGGREGATE,
            json!([1, 2, 3]),
            vec![
                Go,
                Fail("each[0].do", "boom"),
                Succeed("each[1].do", json!(1)),
                Fail("each[2].do", "bang"),
            ],
        ),
        scene(
            "nested_map",
            NESTED,
            json!(null),
            vec![
                Go,
                Succeed("rows[1].cells[0].cell", json!("c")),
                Succeed("rows[0].cells[1].cell", json!("b")),
                Succeed("other", json!(0)),
                Succeed("rows[0].cells[0].cell", json!("a")),
            ],
        ),
        scene(
            "nested_map_failure",
            NESTED,
            json!(null),
            vec![Go, Fail("rows[0].cells[1].cell", "boom")],
        ),
        scene(
            "cancel_in_a_nested_map",
            NESTED,
            json!(null),
            vec![Go, Succeed("rows[0].cells[0].cell", json!("a")), Cancel(None)],
        ),
        scene(
            "loop_until",
            PAGES,
            json!(null),
            vec![Go, Succeed("pages[0].get", json!(1)), Succeed("pages[1].get", json!(2))],
        ),
        scene(
            "loop_under_way",
            PAGES,
            json!(null),
            vec![Go, Succeed("pages[0].get", json!(1)), Start("pages[1].get")],
        ),
        scene(
            "loop_without_end",
            PAGES,
            json!(null),
            vec![
                Go,
                Succeed("pages[0].get", json!(0)),
                Succeed("pages[1].get", json!(0)),
                Succeed("pages[2].get", json!(0)),
            ],
        ),
        scene(
            "loop_failure",
            PAGES,
            json!(null),
            vec![Go, Succeed("pages[0].get", json!(1)), Fail("pages[1].get", "boom")],
        ),
        scene(
            "try_succeeds",
            GUARD,
            json!(null),
            vec![
                Go,
                Succeed("guard[0].book", json!(7)),
                Succeed("guard[0].pay", json!(1)),
                Succeed("guard[2].clean", json!(null)),
                Succeed("send", json!(null)),
            ],
        ),
        scene(
            "try_undoes_catches_and_cleans_up",
            GUARD,
            json!(null),
            vec![
                Go,
                Succeed("guard[0].book", json!(7)),
                Fail("guard[0].pay", "boom"),
                Succeed("guard[0].book~undo", json!(null)),
                Succeed("guard[1].instead", json!(2)),
                Succeed("guard[2].clean", json!(null)),
                Succeed("send", json!(null)),
            ],
        ),
        scene(
            "undone_after_a_try",
            GUARD,
            json!(null),
            vec![
                Go,
                Succeed("guard[0].book", json!(7)),
                Succeed("guard[0].pay", json!(1)),
                Succeed("guard[2].clean", json!(null)),
                Fail("send", "bang"),
                Fail("guard[0].book~undo", "bang"),
            ],
        ),
        scene(
            "cancelled_in_a_try",
            GUARD,
            json!(null),
            vec![
                Go,
                Succeed("guard[0].book", json!(7)),
                Cancel(Some("enough")),
                Succeed("guard[0].book~undo", json!(null)),
                Succeed("guard[2].clean", json!(null)),
            ],
        ),
        scene(
            "undoing_under_way",
            GUARD,
            json!(null),
            vec![Go, Succeed("guard[0].book", json!(7)), Fail("guard[0].pay", "boom")],
        ),
    ]
}
