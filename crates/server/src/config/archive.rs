use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_store::S3Options;

use super::{Config, Secret};

/// The service that `retention.archive` is at, and who we are to it. Each that is left out is as for large
/// values: `store.s3_endpoint` and so on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveS3Section {
    /// The address of an S3-compatible service, such as `https://minio.example.com:9000`.
    pub endpoint: Option<String>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// The id of the key that may put objects there.
    pub access_key_id: Option<Secret>,
    /// The secret of that key.
    pub secret_access_key: Option<Secret>,
}

/// Where runs go before they are deleted.
pub(crate) enum ArchivePlace {
    Folder(PathBuf),
    S3(S3Options),
}

impl Config {
    /// Where runs go before they are deleted, if anywhere.
    ///
    /// # Errors
    ///
    /// What is wrong with it, by key.
    pub(crate) fn archive(&self) -> Result<Option<ArchivePlace>, Vec<(&'static str, String)>> {
        let Some(text) = &self.retention.archive else { return Ok(None) };
        match text.split_once("://") {
            None => Ok(Some(ArchivePlace::Folder(PathBuf::from(text)))),
            Some(("s3", _)) => Ok(Some(ArchivePlace::S3(self.archive_in_s3(text)?))),
            // The rest is not repeated: somebody may have put a password into it.
            Some((scheme, _)) => {
                let wanted = "a directory or `s3://bucket/prefix` is expected";
                Err(vec![("retention.archive", format!("{wanted}, not `{scheme}://`"))])
            }
        }
    }

    fn archive_in_s3(&self, address: &str) -> Result<S3Options, Vec<(&'static str, String)>> {
        let (own, store) = (&self.retention.s3, &self.store);
        let mut found = Vec::new();
        let mut note = |key, complaint: Option<String>| {
            found.extend(complaint.map(|complaint| (key, complaint)));
        };
        let place = S3Options::split(address);
        note("retention.archive", place.as_ref().err().cloned());
        let (key, endpoint) = match &own.endpoint {
            Some(endpoint) => ("retention.s3.endpoint", Some(endpoint)),
            None => ("store.s3_endpoint", store.s3_endpoint.as_ref()),
        };
        note(key, endpoint.and_then(|endpoint| S3Options::complaint_about_endpoint(endpoint)));
        let (key, region) = match &own.region {
            Some(region) => ("retention.s3.region", region),
            None => ("store.s3_region", &store.s3_region),
        };
        note(key, S3Options::complaint_about_region(region));
        let mut needed = |key, own: &Option<Secret>, other: &str, shared: &Option<Secret>| {
            let secret = own.as_ref().or(shared.as_ref()).map_or("", Secret::reveal);
            let complaint = || format!("`retention.archive` needs it, or `{other}`");
            note(key, secret.is_empty().then(complaint));
            secret.to_owned()
        };
        let access_key_id = needed(
            "retention.s3.access_key_id",
            &own.access_key_id,
            "store.s3_access_key_id",
            &store.s3_access_key_id,
        );
        let secret_access_key = needed(
            "retention.s3.secret_access_key",
            &own.secret_access_key,
            "store.s3_secret_access_key",
            &store.s3_secret_access_key,
        );
        match place {
            Ok((bucket, prefix)) if found.is_empty() => Ok(S3Options {
                bucket,
                prefix,
                endpoint: endpoint.cloned(),
                region: region.clone(),
                access_key_id,
                secret_access_key,
            }),
            _ => Err(found),
        }
    }
}
