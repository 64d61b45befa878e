//! Addresses of steps. `fetch` is a node of the definition, `each[3].fetch` the node `fetch` in the
//! body of `each`, in the life of its fourth item. The part before the last dot is the *scope*: the
//! empty path for the run itself, `each[3]` for an item. Where an edge has jumped back, `fetch#2` is
//! the second visit of `fetch`.

/// What is behind the address of a step in that of the step which undoes it.
pub const UNDO: &str = "~undo";

/// The scope a step lives in.
pub fn scope_of(step: &str) -> &str {
    step.rfind('.').map_or("", |dot| &step[..dot])
}

/// The id of the node a step is a life of.
pub fn node_of(step: &str) -> &str {
    without_visit(step.rfind('.').map_or(step, |dot| &step[dot + 1..]))
}

/// A segment without the number of the visit: of `fetch#2` it is `fetch`.
pub fn without_visit(segment: &str) -> &str {
    segment.split_once('#').map_or(segment, |(node, _)| node)
}

/// The segment of a node at its visit number `visit`, from 1: `fetch`, `fetch#2`.
pub fn visit(node: &str, visit: u32) -> String {
    if visit < 2 { node.to_owned() } else { format!("{node}#{visit}") }
}

/// The address of `node` in `scope`.
pub fn join(scope: &str, node: &str) -> String {
    if scope.is_empty() { node.to_owned() } else { format!("{scope}.{node}") }
}

/// The scope of item `index` of the block at `step`.
pub fn item_scope(step: &str, index: u32) -> String {
    format!("{step}[{index}]")
}

/// Whether the step at `path` lies in `place`: the run (empty), a body's scope, or a block's step.
pub fn is_inside(path: &str, place: &str) -> bool {
    place.is_empty() || path.strip_prefix(place).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// The block an item's scope belongs to, and the item's number; `None` for the run itself.
pub fn block_of(scope: &str) -> Option<(&str, u32)> {
    let inside = scope.strip_suffix(']')?;
    let bracket = inside.rfind('[')?;
    Some((&scope[..bracket], inside[bracket + 1..].parse().ok()?))
}

/// The scope `up` blocks further out.
pub fn outwards(scope: &str, up: u8) -> &str {
    (0..up).fold(scope, |scope, _| block_of(scope).map_or("", |(step, _)| scope_of(step)))
}

/// The address of a step's node in the definition: its path without the numbers of items and
/// visits.
pub fn address_of(step: &str) -> String {
    let mut address = String::with_capacity(step.len());
    for segment in step.split('.') {
        if !address.is_empty() {
            address.push('.');
        }
        let node = segment.split_once('[').map_or(segment, |(node, _)| node);
        // What undoes a node is told apart from it.
        let undo = if segment.ends_with(UNDO) { UNDO } else { "" };
        let node = without_visit(node.strip_suffix(UNDO).unwrap_or(node));
        address.push_str(node);
        address.push_str(undo);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_put_together() {
        assert_eq!(scope_of("each[3].fetch"), "each[3]");
        assert_eq!(node_of("each[3].fetch"), "fetch");
        assert_eq!((scope_of("fetch"), node_of("fetch")), ("", "fetch"));
        assert_eq!(join("each[3]", "fetch"), "each[3].fetch");
        assert_eq!(join("", "fetch"), "fetch");
        assert_eq!(item_scope("a[1].b", 2), "a[1].b[2]");
        assert_eq!(block_of("a[1].b[2]"), Some(("a[1].b", 2)));
        assert_eq!(address_of("a[1].b[20].c"), "a.b.c");
        assert_eq!((address_of("a"), address_of("a[3]")), ("a".into(), "a".into()));
        assert_eq!(address_of("a#2[1].b~undo"), "a.b~undo");
        assert_eq!((address_of("a#3~undo"), node_of("x[1].b#4")), ("a~undo".into(), "b"));
        assert_eq!((visit("a", 1), visit("a", 2)), ("a".into(), "a#2".into()));
        assert_eq!(block_of(""), None);
        assert_eq!(outwards("a[1].b[2]", 1), "a[1]");
        assert_eq!(outwards("a[1].b[2]", 2), "");
    }
}
