use std::fmt;
use std::time::Duration;

use reqwest::Url;
use rusty_s3::{Bucket, Credentials, UrlStyle};

/// Signed addresses hold longer than any request lasts, so that a clock may be a little wrong.
pub(super) const SIGNED_FOR: Duration = Duration::from_secs(900);

const PREFIX_BYTES_MAX: usize = 512;

/// Where an S3-compatible service keeps large values, and who we are to it.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Options {
    /// The bucket. It must be there.
    pub bucket: String,
    /// What the names of all objects begin with, up to a `/` that is not part of it. Empty for the
    /// whole bucket.
    pub prefix: String,
    /// The address of the service, for one that is not Amazon's.
    pub endpoint: Option<String>,
    /// Where the bucket is, or whatever the service calls so.
    pub region: String,
    /// The key's id.
    pub access_key_id: String,
    /// The key's secret.
    pub secret_access_key: String,
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("address", &self.to_string())
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.bucket, self.prefix)
    }
}

impl S3Options {
    /// The bucket and the prefix of an address such as `s3://bucket/a/prefix`.
    ///
    /// # Errors
    ///
    /// If it is no such address, in words for people.
    pub fn split(address: &str) -> Result<(String, String), String> {
        let rest = address.strip_prefix("s3://").ok_or_else(|| {
            format!("`{address}` is no place for large values; it looks like `s3://bucket/prefix`")
        })?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(is_name)
            && !bucket.starts_with(['-', '.'])
            && !bucket.ends_with(['-', '.'])
            && !bucket.contains("..");
        if !is_bucket {
            return Err(format!(
                "`{bucket}` is no name of a bucket; it has 3 to 63 of the characters a-z, 0-9, `-` \
                 and `.`"
            ));
        }
        let is_relative = !prefix.starts_with('/');
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        // What needs no quoting anywhere means the same to every service.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!/".contains(&byte);
        let is_path = is_relative
            && prefix.len() <= PREFIX_BYTES_MAX
            && prefix.bytes().all(is_plain)
            && (prefix.is_empty()
                || !prefix.split('/').any(|part| matches!(part, "" | "." | "..")));
        if !is_path {
            return Err(format!(
                "`{prefix}` is no prefix; it has up to {PREFIX_BYTES_MAX} letters, digits and \
                 `-_.!`, with a `/` between its parts"
            ));
        }
        Ok((bucket.to_owned(), prefix.to_owned()))
    }

    /// What is wrong with the address of a service, in words for people.
    pub fn complaint_about_endpoint(endpoint: &str) -> Option<String> {
        let url = Url::parse(endpoint).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        // The address is not repeated: somebody may have put a password into it.
        url.is_none().then(|| {
            "an address such as `https://minio.example.com:9000` is expected, without a user and \
             without a query"
                .to_owned()
        })
    }

    /// What is wrong with the name of a region, in words for people.
    pub fn complaint_about_region(region: &str) -> Option<String> {
        let is_region = (1..=64).contains(&region.len())
            && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (!is_region).then(|| format!("`{region}` is no name of a region"))
    }

    /// Where requests go, and what signs them.
    pub(super) fn bucket(&self) -> Result<(Bucket, Credentials), String> {
        let amazon = || format!("https://s3.{}.amazonaws.com", self.region);
        let endpoint = self.endpoint.clone().unwrap_or_else(amazon);
        let url = Url::parse(&endpoint).map_err(|error| error.to_string())?;
        // Amazon's certificates hold for one more part of the name.
        let is_host = self.endpoint.is_none() && !self.bucket.contains('.');
        let style = if is_host { UrlStyle::VirtualHost } else { UrlStyle::Path };
        let bucket = Bucket::new(url, style, self.bucket.clone(), self.region.clone());
        let credentials = Credentials::new(&self.access_key_id, &self.secret_access_key);
        Ok((bucket.map_err(|error| error.to_string())?, credentials))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_a_prefix() {
        let split =
            |address| S3Options::split(address).map_err(|complaint| complaint.contains("no"));
        let pair = |bucket: &str, prefix: &str| Ok((bucket.to_owned(), prefix.to_owned()));
        assert_eq!(split("s3://my-bucket"), pair("my-bucket", ""));
        assert_eq!(split("s3://my-bucket/"), pair("my-bucket", ""));
        assert_eq!(split("s3://my.bucket/a/b_1/"), pair("my.bucket", "a/b_1"));
        for wrong in [
            "",
            "bucket",
            "http://bucket/a",
            "s3://",
            "s3://Bucket",
            "s3://ab",
            "s3://-abc",
            "s3://a..b",
            "s3://abc/a//b",
            "s3://abc/../b",
            "s3://abc/a b",
            "s3://abc/ä",
            "s3://abc//",
            "s3://user:secret@abc",
        ] {
            assert_eq!(split(wrong), Err(true), "{wrong}");
        }
    }

    #[test]
    fn a_service_of_ones_own_has_the_bucket_in_the_path() {
        let mut options = S3Options {
            bucket: "abc".into(),
            prefix: "p".into(),
            endpoint: None,
            region: "eu-west-1".into(),
            access_key_id: "the-id".into(),
            secret_access_key: "the-secret".into(),
        };
        let base = |options: &S3Options| options.bucket().unwrap().0.base_url().to_string();
        assert_eq!(base(&options), "https://abc.s3.eu-west-1.amazonaws.com/");
        assert!(!format!("{options:?}").contains("the-"), "{options:?}");
        options.bucket = "a.bc".into();
        assert_eq!(base(&options), "https://s3.eu-west-1.amazonaws.com/a.bc/");
        options.endpoint = Some("http://minio:9000/under".into());
        assert_eq!(base(&options), "http://minio:9000/under/a.bc/");
    }

    #[test]
    fn an_endpoint_has_no_password_in_it() {
        for (endpoint, is_one) in [
            ("https://minio.example.com", true),
            ("http://127.0.0.1:9000/", true),
            ("minio:9000", false),
            ("ftp://minio", false),
            ("https://ann:secret@minio", false),
            ("https://minio/?x=1", false),
        ] {
            let complaint = S3Options::complaint_about_endpoint(endpoint);
            assert_eq!(complaint.is_none(), is_one, "{endpoint}");
            assert!(!complaint.unwrap_or_default().contains("secret"));
        }
        assert_eq!(S3Options::complaint_about_region("eu-west-1"), None);
        assert!(S3Options::complaint_about_region("evil.example.com/").is_some());
    }
}
