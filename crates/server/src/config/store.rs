use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;
use windlass_store::{BlobPlace, S3Options};

use super::{DatabaseUrl, Secret, within};

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// The data directory. It is created if it is missing, and belongs to one server at a time.
    pub data: PathBuf,
    /// The Postgres database that keeps runs and definitions, as `postgres://user@host/name`. Left
    /// out: SQLite, in the data directory.
    pub database: Option<DatabaseUrl>,
    /// Where values past 64 KiB are kept, as `s3://BUCKET/PREFIX`. Left out: files in the data
    /// directory. No other database may have the same place: what one does not name, it removes.
    pub blobs: Option<String>,
    /// The address of an S3-compatible service, such as `https://minio.example.com:9000`. Left out:
    /// Amazon's, of the region.
    pub s3_endpoint: Option<String>,
    /// The region of the bucket.
    pub s3_region: String,
    /// The id of the key that may read, write, list and remove there.
    pub s3_access_key_id: Option<Secret>,
    /// The secret of that key.
    pub s3_secret_access_key: Option<Secret>,
    /// How long a run is kept once it is over, with its events, steps, logs and large values. Left
    /// out: for ever.
    pub retention: Option<HumanDuration>,
    /// How many reads may go on at the same time.
    pub reader_count: u64,
    /// How long one read may take before it is given up.
    pub read_time_max: HumanDuration,
    /// The largest size of the SQLite database, in bytes. Left out: as much as the disk has.
    pub size_bytes_max: Option<u64>,
}

impl Default for StoreSection {
    fn default() -> StoreSection {
        StoreSection {
            data: PathBuf::from("./windlass-data"),
            database: None,
            blobs: None,
            s3_endpoint: None,
            s3_region: "us-east-1".to_owned(),
            s3_access_key_id: None,
            s3_secret_access_key: None,
            retention: None,
            reader_count: 4,
            read_time_max: HumanDuration::from_secs(5),
            size_bytes_max: None,
        }
    }
}

impl StoreSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if let Some(complaint) = self.database.as_ref().and_then(DatabaseUrl::check) {
            found.push(("store.database", complaint));
        }
        if let Err(complaints) = self.s3() {
            found.extend(complaints);
        }
        if self.retention.is_some_and(|retention| retention.0.is_zero()) {
            found.push(("store.retention", "more than nothing is expected".to_owned()));
        }
        found.extend(within("store.reader_count", self.reader_count, 1..=64));
        if let Some(size) = self.size_bytes_max {
            found.extend(within("store.size_bytes_max", size, 1_048_576..=u64::MAX));
        }
        found
    }

    /// Where large values are kept if not in files. Machines have variables of Amazon's for other
    /// reasons, so nothing is said of those that nobody needs.
    ///
    /// # Errors
    ///
    /// What is wrong with it, by key.
    pub fn s3(&self) -> Result<Option<BlobPlace>, Vec<(&'static str, String)>> {
        let Some(address) = &self.blobs else { return Ok(None) };
        let mut found = Vec::new();
        let mut note = |key, complaint: Option<String>| {
            found.extend(complaint.map(|complaint| (key, complaint)));
        };
        let place = S3Options::split(address);
        note("store.blobs", place.as_ref().err().cloned());
        let endpoint = self.s3_endpoint.as_deref();
        note("store.s3_endpoint", endpoint.and_then(S3Options::complaint_about_endpoint));
        note("store.s3_region", S3Options::complaint_about_region(&self.s3_region));
        let secret =
            |secret: &Option<Secret>| secret.as_ref().map_or("", Secret::reveal).to_owned();
        let access_key_id = secret(&self.s3_access_key_id);
        let secret_access_key = secret(&self.s3_secret_access_key);
        for (key, value) in [
            ("store.s3_access_key_id", &access_key_id),
            ("store.s3_secret_access_key", &secret_access_key),
        ] {
            let is_missing = value.is_empty().then(|| "`store.blobs` needs it".to_owned());
            note(key, is_missing);
        }
        match place {
            Ok((bucket, prefix)) if found.is_empty() => Ok(Some(BlobPlace::S3(S3Options {
                bucket,
                prefix,
                endpoint: self.s3_endpoint.clone(),
                region: self.s3_region.clone(),
                access_key_id,
                secret_access_key,
            }))),
            _ => Err(found),
        }
    }
}
