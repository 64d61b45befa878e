use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

/// The address of a Postgres database, which may have a password in it. Shown and written out, the
/// password is masked.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The address with its password, for the driver.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn check(&self) -> Option<String> {
        let is_known = ["postgres://", "postgresql://"].iter().any(|it| self.0.starts_with(it));
        (!is_known).then(|| {
            format!(
                "`{self}` is no address of a database; it begins with `postgres://`. For SQLite \
                 name the directory in `store.data`"
            )
        })
    }
}

impl From<String> for DatabaseUrl {
    fn from(text: String) -> DatabaseUrl {
        DatabaseUrl(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&windlass_store::masked(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The data directory that `sqlite:///PATH` means, if the text is of that kind. A path to a file is
/// that of another system's database: ours goes into the same directory, under its own name.
pub(crate) fn sqlite_directory(text: &str) -> Option<PathBuf> {
    let (scheme, rest) = text.split_once(':')?;
    // Drivers of other languages are named as in `sqlite+aiosqlite`.
    if scheme.split('+').next() != Some("sqlite") {
        return None;
    }
    let rest = rest.split(['?', '#']).next().unwrap_or("");
    let path = rest.strip_prefix("///").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
    let path = Path::new(path);
    let is_file = path
        .extension()
        .is_some_and(|extension| ["db", "sqlite", "sqlite3"].iter().any(|it| extension == *it));
    let directory = if is_file { path.parent().unwrap_or(path) } else { path };
    let is_here = directory.as_os_str().is_empty();
    Some(if is_here { PathBuf::from(".") } else { directory.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_sqlite_names_a_directory() {
        for (text, directory) in [
            ("sqlite:////var/lib/x", Some("/var/lib/x")),
            ("sqlite:///var/lib/x", Some("var/lib/x")),
            ("sqlite:///./data/app.db", Some("./data")),
            ("sqlite+aiosqlite:///app.db?timeout=5", Some(".")),
            ("sqlite:data", Some("data")),
            ("postgres://db/x", None),
            ("data", None),
        ] {
            assert_eq!(sqlite_directory(text), directory.map(PathBuf::from), "{text}");
        }
    }
}
