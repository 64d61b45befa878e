use serde_json::json;

use super::*;

fn holds(text: &str) -> Result<bool, String> {
    let condition = Condition::compile(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    let unit = Unit::with(json!({
        "total": 12, "name": "Ann", "tags": ["a", "b"], "input": 3, "ratio": -2.5, "ok": true,
    }));
    condition.holds(&unit, now()).map_err(|error| error.code.to_owned())
}

#[test]
fn conditions_as_they_were_written_before() {
    let table = [
        "total == 12 and not (name == 'Bob')",
        "name in ('Ann', 'Bob')",
        "name in ('Ann',)",
        "name not in ()",
        "(total, 1) == [12, 1]",
        "ok == True and parent_id == None and not (ok == False)",
        "'True' != 'true'",
        "child_count - finished_child_count == 1 and status == 'ACTIVE'",
        "input == 3",
        "abs(ratio) == 2.5 and abs(-3) == 3",
        "floor(ratio) == -3 and ceil(ratio) == -2 and int(ratio) == -2 and round(ratio) == -3",
        "min(3, 1, 2) == 1 and max([1, 5]) == 5 and max(1, 2, 3, 4) == 4",
        "len(tags) == 2 and len(name) == 3",
        "str(total) == '12' and str(name) == 'Ann' and int('12') == total and float('1.5') == 1.5",
        "all([ok, total > 1]) and any((False, ok)) and not any([])",
        "sum((1, 2, total)) == 15 and pow(2, 10) == 1024 and pow(2, -1) == 0.5 and sqrt(16) == 4",
        "total % 5 == 2 and total / 4 == 3 and -total < 0",
    ];
    for text in table {
        assert_eq!(holds(text), Ok(true), "{text}");
    }
}

#[test]
fn conditions_that_cannot_be_answered() {
    let table = [
        ("gone > 1", "missing-attribute"),
        ("name > 1", "type-mismatch"),
        ("total", "type-mismatch"),
        ("total / 0 > 1", "division-by-zero"),
        ("sqrt(-1) > 0", "bad-arguments"),
        ("int('x') > 0", "bad-arguments"),
        ("float('inf') > 0", "bad-arguments"),
        ("pow(10, 400) > 0", "overflow"),
        ("pow(10, 1000000000) > 0", "overflow"),
        ("pow(0, -1) > 0", "division-by-zero"),
        ("pow(-8, 0.5) > 0", "bad-arguments"),
        ("any([1])", "type-mismatch"),
        ("abs(name) > 1", "type-mismatch"),
    ];
    for (text, code) in table {
        assert_eq!(holds(text), Err(code.to_owned()), "{text}");
    }
}

#[test]
fn everything_a_condition_may_not_have_is_found_at_once() {
    let errors = Condition::compile("a.b > 1 and c[0] == actor_id and now() == 1").unwrap_err();
    let codes: Vec<&str> = errors.iter().map(|error| error.code).collect();
    assert_eq!(codes, ["not-in-a-guard", "not-in-a-guard", "not-in-a-guard", "unknown-function"]);
    let hint = Condition::compile("flor(a) > 1").unwrap_err()[0].hint.clone();
    assert_eq!(hint.as_deref(), Some("did you mean `floor`?"));
    let hint = Condition::compile("lower(a) == 'x'").unwrap_err()[0].hint.clone().unwrap();
    assert!(hint.starts_with("a guard knows abs, all,"), "{hint}");
}
