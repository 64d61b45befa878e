//! Large texts, each an object of an S3-compatible service: `PREFIX/` and its hash. A service has
//! all of an object or nothing, and shows what it has taken at once.
//!
//! When an object was written is told by the service's clock. Objects wait for an hour before they
//! may go, so the two clocks may differ by minutes.

mod folder;
mod options;
mod wire;

use std::fmt;

use parking_lot::Mutex;
use reqwest::{Method, Request, Url};
use rusty_s3::actions::list_objects_v2::{
    ListObjectsContent, ListObjectsV2, ListObjectsV2Response,
};
use rusty_s3::actions::{DeleteObject, GetObject, PutObject, S3Action};
use rusty_s3::{Bucket, Credentials};
use uuid::Uuid;
use windlass_core::Time;

use super::is_hash;
use crate::error::StoreError;
pub use folder::S3Folder;
pub use options::S3Options;
use options::SIGNED_FOR;
use wire::{Trouble, Wire, request};

/// What a probe's name begins with. No hash does.
const PROBE: &str = "probe-";

/// How many objects a service lists at once, at most.
const PAGE_MAX: usize = 1_000;

/// A part of a bucket.
pub(super) struct S3 {
    address: String,
    bucket: Bucket,
    credentials: Credentials,
    /// What the names of all objects begin with: nothing, or something that ends in `/`.
    prefix: String,
    wire: Wire,
    /// The last object that was looked at for its age, unless all were.
    last: Mutex<Option<String>>,
}

impl fmt::Display for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl S3 {
    pub(super) fn at(options: &S3Options) -> Result<S3, StoreError> {
        let address = options.to_string();
        let (bucket, credentials) = options
            .bucket()
            .map_err(|error| StoreError::CannotOpen(format!("cannot use `{address}`: {error}")))?;
        let prefix = match options.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let (wire, last) = (Wire::new()?, Mutex::default());
        Ok(S3 { address, bucket, credentials, prefix, wire, last })
    }

    /// Does once all that will be asked of the service.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        let name = format!("{PROBE}{}", Uuid::now_v7());
        let done = |what, answer: Result<Vec<u8>, Trouble>| {
            answer.map_err(|trouble| self.unusable(what, &in_words(trouble)))
        };
        done("write to", self.one(self.put_request(&name, &name))?)?;
        let read = done("read from", self.one(self.get_request(&name))?)?;
        if read != name.as_bytes() {
            return Err(self.unusable("read from", "what comes is not what was written"));
        }
        let listed = self.one(self.list_request(&name, None, 1))?.and_then(|page| parsed(&page));
        let listed = listed.map_err(|trouble| self.unusable("list", &in_words(trouble)))?;
        if listed.contents.first().and_then(written).is_none() {
            return Err(self.unusable("list", "what was written is not there, or has no time"));
        }
        done("remove from", self.one(self.delete_request(&name))?)?;
        Ok(())
    }

    fn unusable(&self, what: &str, why: &str) -> StoreError {
        let address = &self.address;
        StoreError::CannotOpen(format!("cannot {what} `{address}`, where large values go: {why}"))
    }

    /// Writes texts under their hashes.
    pub(super) fn put(&self, texts: &[&str], hashes: &[String]) -> Result<(), StoreError> {
        let requests = hashes.iter().zip(texts).map(|(hash, text)| self.put_request(hash, text));
        for answer in self.wire.send(requests.collect())? {
            answer.map_err(|trouble| self.unavailable("write a blob to", trouble))?;
        }
        Ok(())
    }

    /// What is in an object, if there is one.
    pub(super) fn read(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.one(self.get_request(hash))? {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Trouble::Missing) => Ok(None),
            Err(trouble) => Err(self.unavailable(&format!("read the blob `{hash}` from"), trouble)),
        }
    }

    pub(super) fn written_before(
        &self,
        before: Time,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let (mut seen, mut old, mut probes) = (0, Vec::new(), Vec::new());
        let mut last = self.last.lock();
        while seen < limit {
            let request = self.list_request("", last.as_deref(), limit - seen);
            let page = self.read_page(self.one(request)?)?;
            seen += page.contents.len();
            for object in &page.contents {
                let is_old = written(object).is_some_and(|written| written < before);
                // What has another kind of name is not ours.
                match object.key.strip_prefix(&self.prefix) {
                    Some(name) if is_old && is_hash(name) => old.push(name.to_owned()),
                    Some(name) if is_old && name.starts_with(PROBE) => probes.push(name.to_owned()),
                    _ => {}
                }
            }
            *last = page.contents.into_iter().next_back().map(|object| object.key);
            if page.next_continuation_token.is_none() || last.is_none() {
                *last = None;
                break;
            }
        }
        self.delete(&probes)?;
        Ok(old)
    }

    pub(super) fn remove_old(&self, hashes: &[String], before: Time) -> Result<usize, StoreError> {
        // Listing answers the time in the same words as it did before.
        let requests = hashes.iter().map(|hash| self.list_request(hash, None, 1)).collect();
        let mut old = Vec::new();
        for (hash, answer) in hashes.iter().zip(self.wire.send(requests)?) {
            let page = self.read_page(answer)?;
            let found = page.contents.iter().find(|it| it.key == self.key(hash)).and_then(written);
            if found.is_some_and(|written| written < before) {
                old.push(hash.clone());
            }
        }
        self.delete(&old)?;
        Ok(old.len())
    }

    fn delete(&self, names: &[String]) -> Result<(), StoreError> {
        let requests = names.iter().map(|name| self.delete_request(name)).collect();
        for answer in self.wire.send(requests)? {
            match answer {
                Ok(_) | Err(Trouble::Missing) => {}
                Err(trouble) => return Err(self.unavailable("remove a blob from", trouble)),
            }
        }
        Ok(())
    }

    fn read_page(
        &self,
        answer: Result<Vec<u8>, Trouble>,
    ) -> Result<ListObjectsV2Response, StoreError> {
        let page = answer.and_then(|bytes| parsed(&bytes));
        page.map_err(|trouble| self.unavailable("look through", trouble))
    }

    fn one(&self, request: Request) -> Result<Result<Vec<u8>, Trouble>, StoreError> {
        Ok(self.wire.ask(request)?.map(|answer| answer.body))
    }

    fn unavailable(&self, what: &str, trouble: Trouble) -> StoreError {
        let address = &self.address;
        StoreError::Unavailable(format!("cannot {what} `{address}`: {}", in_words(trouble)))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn put_request(&self, name: &str, text: &str) -> Request {
        let key = self.key(name);
        let action = PutObject::new(&self.bucket, Some(&self.credentials), &key);
        request(Method::PUT, signed(&action), Some(text))
    }

    fn get_request(&self, name: &str) -> Request {
        let key = self.key(name);
        let action = GetObject::new(&self.bucket, Some(&self.credentials), &key);
        request(Method::GET, signed(&action), None)
    }

    fn delete_request(&self, name: &str) -> Request {
        let key = self.key(name);
        let action = DeleteObject::new(&self.bucket, Some(&self.credentials), &key);
        request(Method::DELETE, signed(&action), None)
    }

    fn list_request(&self, name: &str, after: Option<&str>, limit: usize) -> Request {
        let mut action = ListObjectsV2::new(&self.bucket, Some(&self.credentials));
        action.with_prefix(self.key(name));
        action.with_max_keys(limit.min(PAGE_MAX));
        if let Some(after) = after {
            action.with_start_after(after);
        }
        request(Method::GET, signed(&action), None)
    }
}

fn signed<'a>(action: &impl S3Action<'a>) -> Url {
    action.sign(SIGNED_FOR)
}

fn parsed(bytes: &[u8]) -> Result<ListObjectsV2Response, Trouble> {
    ListObjectsV2::parse_response(&String::from_utf8_lossy(bytes))
        .map_err(|error| Trouble::Other(format!("its list cannot be read: {error}")))
}

/// When an object was written, if the service says so.
fn written(object: &ListObjectsContent) -> Option<Time> {
    Time::parse(object.last_modified.as_deref()?)
}

fn in_words(trouble: Trouble) -> String {
    match trouble {
        Trouble::Missing => "it is not there".to_owned(),
        Trouble::Other(what) => what,
    }
}
