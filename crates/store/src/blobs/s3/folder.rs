//! Whole files, put into a bucket under names of their own. Nothing here ever reads or removes one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use reqwest::{Method, Request, Url};
use rusty_s3::actions::{
    AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, PutObject, UploadPart,
};

use super::wire::{Answer, TIME_MAX, request};
use super::{S3, S3Options, in_words, signed};
use crate::error::StoreError;

/// What one request carries, and so what is held in memory: services take no smaller part but the last.
const PART_BYTES: u64 = 5 * 1024 * 1024;
/// More parts of one object no service takes.
const PART_COUNT_MAX: u64 = 10_000;

/// A part of a bucket that files are put into. The key needs no other right than to put objects.
pub struct S3Folder(S3);

impl S3Folder {
    /// Says where it is. The service is not asked.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if the place makes no sense.
    pub fn at(options: &S3Options) -> Result<S3Folder, StoreError> {
        S3::at(options).map(S3Folder)
    }

    /// Puts a file there, from its beginning, in place of what has its name. Returns when the service has
    /// said that it has all of it. A large one goes in parts, and none of it is there before the last;
    /// whether it still has to be done is asked between two of them.
    ///
    /// # Errors
    ///
    /// Why it may not be there, in words for people.
    pub fn put(
        &self,
        name: &str,
        file: &mut File,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), String> {
        let done = size(file).and_then(|size| match size > PART_BYTES {
            true => self.put_in_parts(&self.0.key(name), file, size, is_wanted),
            false => self.put_at_once(&self.0.key(name), file, size),
        });
        done.map_err(|why| format!("cannot write `{name}` to `{}`: {why}", self.0))
    }

    fn put_at_once(&self, key: &str, file: &mut File, size: u64) -> Result<(), String> {
        let action = PutObject::new(&self.0.bucket, Some(&self.0.credentials), key);
        self.upload(signed(&action), file, size).map(drop)
    }

    fn put_in_parts(
        &self,
        key: &str,
        file: &mut File,
        size: u64,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), String> {
        let S3 { bucket, credentials, .. } = &self.0;
        let action = CreateMultipartUpload::new(bucket, Some(credentials), key);
        let begun = self.ask(request(Method::POST, signed(&action), Some("")))?;
        let begun = CreateMultipartUpload::parse_response(&String::from_utf8_lossy(&begun.body))
            .map_err(|error| format!("its answer cannot be read: {error}"))?;
        let id = begun.upload_id();
        let done = self
            .put_parts(key, id, file, size, is_wanted)
            .and_then(|etags| self.complete(key, id, &etags));
        if done.is_err() {
            // Parts of what is never completed would be kept, and cost.
            let action = AbortMultipartUpload::new(bucket, Some(credentials), key, id);
            drop(self.ask(request(Method::DELETE, signed(&action), None)));
        }
        done
    }

    /// Answers the service's marks of the parts, in their order.
    fn put_parts(
        &self,
        key: &str,
        id: &str,
        file: &mut File,
        size: u64,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, String> {
        let part_size = PART_BYTES.max(size.div_ceil(PART_COUNT_MAX));
        let (mut etags, mut rest, mut number) = (Vec::new(), size, 0);
        while rest > 0 {
            if !is_wanted() {
                return Err("it was given up".to_owned());
            }
            number += 1;
            let (bucket, credentials) = (&self.0.bucket, Some(&self.0.credentials));
            let action = UploadPart::new(bucket, credentials, key, number, id);
            let bytes = part_size.min(rest);
            etags.push(self.upload(signed(&action), file, bytes)?);
            rest -= bytes;
        }
        Ok(etags)
    }

    fn complete(&self, key: &str, id: &str, etags: &[String]) -> Result<(), String> {
        let (bucket, credentials) = (&self.0.bucket, Some(&self.0.credentials));
        let etags = etags.iter().map(String::as_str);
        let action = CompleteMultipartUpload::new(bucket, credentials, key, id, etags);
        let url = signed(&action);
        let answer = self.ask(request(Method::POST, url, Some(&action.body())))?;
        // It may answer 200 before it is done, and then say in the body that it could not.
        let body = String::from_utf8_lossy(&answer.body);
        match body.contains("<CompleteMultipartUploadResult") {
            true => Ok(()),
            false => Err("it did not put the parts together".to_owned()),
        }
    }

    /// Sends the next bytes of a file. Answers the service's mark of them.
    fn upload(&self, url: Url, file: &mut File, bytes: u64) -> Result<String, String> {
        let mut part = Vec::new();
        file.take(bytes).read_to_end(&mut part).map_err(|error| error.to_string())?;
        if part.len() as u64 != bytes {
            return Err("the file got shorter".to_owned());
        }
        let mut request = request(Method::PUT, url, None);
        *request.body_mut() = Some(part.into());
        // Nobody waits for a commit here, so a slow line has all the time that there is.
        *request.timeout_mut() = Some(TIME_MAX);
        // Something else that says yes to every request is no such service.
        let no_mark = || "it does not say what it has taken; is it an S3-compatible service?";
        self.ask(request)?.etag.ok_or_else(|| no_mark().to_owned())
    }

    fn ask(&self, request: Request) -> Result<Answer, String> {
        let answer = self.0.wire.ask(request).map_err(|error| error.to_string())?;
        answer.map_err(in_words)
    }
}

/// How many bytes a file has. It is to be read from its beginning after that.
fn size(file: &mut File) -> Result<u64, String> {
    let size = file.seek(SeekFrom::End(0)).and_then(|size| file.rewind().map(|()| size));
    size.map_err(|error| error.to_string())
}
