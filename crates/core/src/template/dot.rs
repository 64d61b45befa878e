//! A template as a picture in Graphviz' language: roles are circles, interactions hexagons, and
//! guardians double octagons on the pipes they guard.

use std::fmt::Write as _;

use super::model::{Direction, RoleKind, Template};

/// The template in DOT.
pub fn dot(template: &Template) -> String {
    let mut text = format!("digraph {} {{\n  rankdir=LR;\n", quoted(&template.name));
    for (index, role) in template.roles.iter().enumerate() {
        let color = match role.kind {
            RoleKind::Alpha => "green",
            RoleKind::Beta => "blue",
            RoleKind::Omega => "black",
            RoleKind::Epsilon => "orange",
            RoleKind::Tau => "purple",
        };
        let label = quoted(&format!("{}\n{}", role.name, role.word()));
        let _ = writeln!(text, "  r{index} [shape=circle, color={color}, label={label}];");
    }
    for (index, interaction) in template.interactions.iter().enumerate() {
        let label = quoted(&interaction.name);
        let _ = writeln!(text, "  i{index} [shape=hexagon, label={label}];");
    }
    let mut guardians = 0;
    for component in &template.components {
        let (role, interaction) =
            (format!("r{}", component.role), format!("i{}", component.interaction));
        let (mut from, to) = match component.direction {
            Direction::Inbound => (interaction, role),
            Direction::Outbound => (role, interaction),
        };
        let mut label = format!(" [label={}]", quoted(&component.name));
        for guardian in &component.guardians {
            let own = quoted(&format!("{}\n{}", guardian.name, guardian.kind.as_str()));
            let _ = writeln!(text, "  g{guardians} [shape=doubleoctagon, label={own}];");
            let _ = writeln!(text, "  {from} -> g{guardians}{label};");
            from = format!("g{guardians}");
            label.clear();
            guardians += 1;
        }
        let _ = writeln!(text, "  {from} -> {to}{label};");
    }
    text.push_str("}\n");
    text
}

/// A text between quotes, so that nothing in it ends them or begins something else.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
