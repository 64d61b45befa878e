//! The keys that secrets are sealed with: where they come from, and which is the present one.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};
use windlass_store::SecretRow;

use super::VaultError;
use super::seal::{KEY_BYTES, Place, SealingKey};
use crate::config::SecretsSection;

/// The file in the data directory with the key, if the settings name no other. It is not in the
/// database, so who has a copy of that has no secrets.
const FILE: &str = "secret.key";

/// The keys.
pub struct Ring {
    current: Mutex<Option<Arc<SealingKey>>>,
    previous: Vec<SealingKey>,
    /// Where the key is, or will be as soon as it is needed. In memory if there is no such place.
    own_file: Option<PathBuf>,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("own_file", &self.own_file).finish_non_exhaustive()
    }
}

impl Ring {
    /// The keys of the settings. Without `directory` a key is made that goes with the process.
    ///
    /// # Errors
    ///
    /// If a key that the settings name cannot be had. The message is for people.
    pub fn load(section: &SecretsSection, directory: Option<&Path>) -> Result<Ring, String> {
        let named = match section {
            SecretsSection { key: Some(key), .. } => Some(
                SealingKey::parse(key.reveal()).map_err(|why| format!("`secrets.key`: {why}"))?,
            ),
            SecretsSection { key_file: Some(path), .. } => Some(from_file(path)?),
            SecretsSection { key_command: Some(command), .. } => Some(from_command(command)?),
            _ => None,
        };
        let own_file = directory.map(|directory| directory.join(FILE));
        let found = match (&named, &own_file) {
            (None, Some(path)) if path.exists() => Some(from_file(path)?),
            _ => None,
        };
        let mut previous = Vec::new();
        for path in &section.previous_key_files {
            previous.push(from_file(path)?);
        }
        // What the own key has sealed before there was another one.
        if named.is_some()
            && let Some(path) = own_file.as_ref().filter(|path| path.exists())
        {
            previous.push(from_file(path)?);
        }
        let current = Mutex::new(named.or(found).map(Arc::new));
        Ok(Ring { current, previous, own_file })
    }

    /// The key to seal with. Made now if there is none.
    fn current(&self) -> Result<Arc<SealingKey>, VaultError> {
        let mut current = self.current.lock();
        if let Some(key) = &*current {
            return Ok(key.clone());
        }
        let mut bytes = [0; KEY_BYTES];
        let random = SystemRandom::new().fill(&mut bytes);
        random.map_err(|_| VaultError::Key("the system gives no random bytes".to_owned()))?;
        if let Some(path) = &self.own_file {
            write_new(path, &STANDARD.encode(bytes)).map_err(|error| {
                VaultError::Key(format!("cannot write `{}`: {error}", path.display()))
            })?;
        }
        let key = Arc::new(SealingKey::new(&bytes));
        *current = Some(key.clone());
        Ok(key)
    }

    pub(super) fn is_current(&self, key_id: &str) -> Result<bool, VaultError> {
        Ok(self.current()?.id == key_id)
    }

    /// Which key has sealed it, and what only that opens.
    pub(super) fn seal(
        &self,
        place: &Place<'_>,
        text: &str,
    ) -> Result<(String, String), VaultError> {
        let key = self.current()?;
        let sealed = key.seal(place, text).map_err(VaultError::Key)?;
        Ok((key.id.clone(), sealed))
    }

    pub(super) fn open(&self, row: &SecretRow) -> Result<String, VaultError> {
        let refuse = |why: String| VaultError::Sealed { name: row.name.clone(), why };
        let place = Place { project: &row.project, name: &row.name };
        let current = self.current.lock().clone();
        let keys = current.as_deref().into_iter().chain(&self.previous);
        match keys.into_iter().find(|key| key.id == row.key_id) {
            Some(key) => key.open(&place, &row.sealed).map_err(refuse),
            None => Err(refuse(format!("the key {} that has sealed it is not here", row.key_id))),
        }
    }
}

fn from_file(path: &Path) -> Result<SealingKey, String> {
    let name = path.display();
    let about = std::fs::metadata(path).map_err(|error| format!("`{name}`: {error}"))?;
    if about.mode() & 0o077 != 0 {
        return Err(format!("`{name}` can be read by others; `chmod 600 {name}` ends that"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{name}`: {error}"))?;
    SealingKey::parse(&text).map_err(|why| format!("`{name}`: {why}"))
}

fn from_command(command: &str) -> Result<SealingKey, String> {
    let run = Command::new("/bin/sh").arg("-c").arg(command).output();
    let output = run.map_err(|error| format!("`secrets.key_command`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`secrets.key_command` ended with {}", output.status));
    }
    // What it printed must not be told, even if it is no key.
    let text = String::from_utf8(output.stdout).map_err(|_| "`secrets.key_command`: no text")?;
    SealingKey::parse(&text).map_err(|why| format!("`secrets.key_command`: {why}"))
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // The name must be as durable as what it is needed for.
    path.parent().map_or(Ok(()), |parent| std::fs::File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use windlass_core::Time;

    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn row(ring: &Ring) -> SecretRow {
        let place = Place { project: "default", name: "token" };
        let (key_id, sealed) = ring.seal(&place, "s3cret").unwrap();
        let (project, name) = ("default".to_owned(), "token".to_owned());
        let updated_at = Time::from_micros(1);
        SecretRow { project, name, key_id, sealed, updated_at, updated_by: None }
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let none = SecretsSection::default();
        let ring = Ring::load(&none, Some(directory.path())).unwrap();
        assert!(!directory.path().join(FILE).exists(), "not before it is needed");
        let sealed = row(&ring);
        let mode = std::fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Ring::load(&none, Some(directory.path())).unwrap();
        assert_eq!(again.open(&sealed).unwrap(), "s3cret");
        let elsewhere = Ring::load(&none, None).unwrap();
        assert!(elsewhere.open(&sealed).unwrap_err().to_string().contains(&sealed.key_id));
    }

    #[test]
    fn keys_come_from_settings_files_and_commands() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("k");
        std::fs::write(&file, KEY).unwrap();
        let of = |section: SecretsSection| Ring::load(&section, None);
        let key_file = Some(file.clone());
        let open = of(SecretsSection { key_file: key_file.clone(), ..Default::default() });
        assert!(open.unwrap_err().contains("can be read by others"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let by_file = of(SecretsSection { key_file, ..Default::default() }).unwrap();
        let sealed = row(&by_file);
        let by_text = SecretsSection { key: Some(KEY.into()), ..Default::default() };
        assert_eq!(of(by_text).unwrap().open(&sealed).unwrap(), "s3cret");
        let command = |text: &str| {
            of(SecretsSection { key_command: Some(text.into()), ..Default::default() })
        };
        assert_eq!(command(&format!("echo {KEY}")).unwrap().open(&sealed).unwrap(), "s3cret");
        assert!(command("exit 3").unwrap_err().contains("exit status: 3"));
        let told = command("echo sup3rsecret").unwrap_err();
        assert!(!told.contains("sup3rsecret"), "{told}");
        let key = Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHiA=".into());
        let previous_key_files = vec![file];
        let newer = of(SecretsSection { key, previous_key_files, ..Default::default() }).unwrap();
        assert_eq!(newer.open(&sealed).unwrap(), "s3cret");
        assert!(!newer.is_current(&sealed.key_id).unwrap());
    }
}
