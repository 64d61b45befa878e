use std::collections::BTreeMap;

/// Where the values of a document stand, by JSON Pointer.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    places: BTreeMap<String, Place>,
}

/// Where one value stands, and where its key does if it has one.
#[derive(Clone, Copy, Debug)]
struct Place {
    key: Option<(u32, u32)>,
    value: (u32, u32),
    text: Text,
}

/// How a scalar's text lies in the source, so that a place inside it can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// In one go from its position on.
    Plain,
    /// The same behind an opening quote.
    Quoted,
    /// On several lines, the first of which starts at its position and gives the indentation.
    Block,
}

impl Positions {
    pub(super) fn set(
        &mut self,
        pointer: String,
        key: Option<(u32, u32)>,
        value: (u32, u32),
        text: Text,
    ) {
        self.places.insert(pointer, Place { key, value, text });
    }

    /// Line and column, from 1, of the value at `pointer`, or of the nearest value around it.
    pub fn of(&self, pointer: &str) -> Option<(u32, u32)> {
        self.nearest(pointer).map(|place| place.value)
    }

    /// Line and column of the key under which the value at `pointer` stands.
    pub fn of_key(&self, pointer: &str) -> Option<(u32, u32)> {
        self.nearest(pointer).map(|place| place.key.unwrap_or(place.value))
    }

    /// Line and column of the character at `offset` (in characters) of the text at `pointer`.
    ///
    /// `text` is that text as it was read. Escapes and folded lines shift columns a little; the
    /// line is right for all but folded text.
    pub fn inside(&self, pointer: &str, text: &str, offset: usize) -> Option<(u32, u32)> {
        let place = self.places.get(pointer)?;
        let before: Vec<char> = text.chars().take(offset).collect();
        let lines = before.iter().filter(|c| **c == '\n').count();
        let column = before.iter().rev().take_while(|c| **c != '\n').count();
        let (lines, column) = (u32::try_from(lines).ok()?, u32::try_from(column).ok()?);
        let (line, start) = place.value;
        Some(match place.text {
            Text::Plain => (line, start + column),
            Text::Quoted => (line, start + 1 + column),
            Text::Block => (line + lines, start + column),
        })
    }

    fn nearest(&self, pointer: &str) -> Option<&Place> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return Some(place);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}
