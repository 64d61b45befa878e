//! The picture of a template as a file of its own.

use windlass_core::template::Template;

/// The sheet of the pages, so that the picture looks as it does there, dark where that is wanted.
const STYLE: &str = include_str!("../../../../assets/style.css");

/// A template as an SVG file; `None` if it is too large to be read.
pub fn file(template: &Template) -> Option<String> {
    let drawn = super::draw(template, 1, None);
    let inside = drawn.strip_prefix("<svg ")?;
    let (attributes, content) = inside.split_once('>')?;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" style=\"background: var(--card)\" {attributes}>\
         <style><![CDATA[{STYLE}]]></style>{content}\n"
    ))
}
