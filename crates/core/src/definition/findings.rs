use crate::expr::ExprError;
use crate::finding::{Finding, Severity};
use crate::schema::Violation;
use crate::source::Source;

/// Findings under way: collects them, and gives each its line and column.
pub(crate) struct Findings<'a> {
    source: &'a Source,
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(source: &'a Source) -> Findings<'a> {
        Findings { source, found: Vec::new() }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        let position = self.source.positions.of(&finding.path);
        self.add_at(finding, position);
    }

    /// Adds what a schema has to say about the value at `base`.
    pub(crate) fn add_violation(&mut self, base: &str, violation: &Violation) {
        let path = format!("{base}{}", violation.path);
        let positions = &self.source.positions;
        let (code, position) = if violation.is_unknown_field {
            ("unknown-field", positions.of_key(&path))
        } else {
            ("bad-value", positions.of(&path))
        };
        let finding = Finding::error(code, path, violation.message.clone());
        self.add_at(finding.hint_if(violation.hint.clone()), position);
    }

    /// Adds what is wrong with the expression in the text at `path`.
    pub(crate) fn add_expression(&mut self, path: &str, error: &ExprError) {
        let finding = Finding::error(error.code, path, error.message.clone());
        let finding = finding.hint_if(error.hint.clone());
        let finding = if error.code == "always-false" { finding.as_warning() } else { finding };
        self.add_in_text(finding, error.offset);
    }

    /// Adds what is wrong at character `offset` of the text at the finding's path.
    pub(crate) fn add_in_text(&mut self, finding: Finding, offset: usize) {
        let positions = &self.source.positions;
        let text = self.source.value.pointer(&finding.path).and_then(|value| value.as_str());
        let inside = text.and_then(|text| positions.inside(&finding.path, text, offset));
        let position = inside.or_else(|| positions.of(&finding.path));
        self.add_at(finding, position);
    }

    /// Adds a finding about a field as such, at its key.
    pub(crate) fn add_at_key(&mut self, finding: Finding) {
        let position = self.source.positions.of_key(&finding.path);
        self.add_at(finding, position);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All findings, in the order of the document, each once.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.found.sort_by(|a, b| (a.line, a.column, &a.path).cmp(&(b.line, b.column, &b.path)));
        self.found.dedup_by(|a, b| a.path == b.path && a.message == b.message);
        self.found
    }

    fn add_at(&mut self, finding: Finding, position: Option<(u32, u32)>) {
        let (line, column) = position.unzip();
        self.found.push(Finding { line, column, ..finding });
    }
}
