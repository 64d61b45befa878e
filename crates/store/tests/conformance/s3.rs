//! Large values as objects of an S3-compatible service: what is so whatever the database.

use std::cell::Cell;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::channel;

use serde_json::json;
use windlass_core::Time;
use windlass_store::*;

use crate::blobs::{end_large, end_with, large};
use crate::bucket::{Bucket, KEY_ID, REGION, SECRET, Service};
use crate::fixture::*;
use crate::server::fresh_database;

const FAR: Time = Time::from_micros(i64::MAX);

pub(crate) fn options(bucket: &Bucket, prefix: &str) -> S3Options {
    S3Options {
        bucket: bucket.name.clone(),
        prefix: prefix.into(),
        endpoint: Some(bucket.service.endpoint()),
        region: REGION.into(),
        access_key_id: KEY_ID.into(),
        secret_access_key: SECRET.into(),
    }
}

pub(crate) fn sqlite(directory: &std::path::Path, blobs: S3Options) -> SqliteOptions {
    SqliteOptions { blobs: BlobPlace::S3(blobs), ..SqliteOptions::at(directory) }
}

fn unavailable<T>(result: Result<T, StoreError>) -> String {
    match result.map(drop).unwrap_err() {
        StoreError::Unavailable(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_that_does_not_let_us_is_told_before_anything_is_opened() {
    let bucket = Bucket::fresh();
    let right = options(&bucket, "p");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases = [
        (S3Options { access_key_id: "nobody".into(), ..right.clone() }, "403: InvalidAccessKeyId"),
        (S3Options { secret_access_key: "odd".into(), ..right.clone() }, "SignatureDoesNotMatch"),
        (S3Options { bucket: "no-such-bucket".into(), ..right.clone() }, "404: NoSuchBucket"),
        (S3Options { region: "mars".into(), ..right.clone() }, "AuthorizationHeaderMalformed"),
        (S3Options { endpoint: Some(format!("http://{free}")), ..right.clone() }, "refused"),
    ];
    for (options, word) in cases {
        let directory = tempfile::tempdir().unwrap();
        let refused = sqlite(directory.path(), options.clone()).open(at(0)).map(drop).unwrap_err();
        let StoreError::CannotOpen(told) = refused else { panic!("{refused:?}") };
        assert!(
            told.starts_with(&format!("cannot write to `s3://{}/p`", options.bucket)),
            "{told}"
        );
        assert!(told.contains(word), "{told}");
        assert!(!told.contains(SECRET) && !told.contains("X-Amz"), "{told}");
        assert!(!directory.path().join("windlass.db").exists(), "nothing was begun");
    }
    let directory = tempfile::tempdir().unwrap();
    sqlite(directory.path(), right).open(at(0)).unwrap();
    assert_eq!(bucket.keys(), [""; 0], "nothing is left of the probe");
}

#[test]
fn only_what_is_ours_is_looked_at() {
    let bucket = Bucket::fresh();
    let hash = "0".repeat(64);
    let foreign = [
        hash.clone(),
        format!("a/b/{hash}"),
        format!("a/{}", &hash[1..]),
        "a/notes.txt".to_owned(),
        format!("ab/{hash}"),
    ];
    foreign.iter().for_each(|key| bucket.write(key, "theirs"));
    bucket.write(&format!("a/{hash}"), "ours, and nobody names it");
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(directory.path(), options(&bucket, "a")).open(at(0)).unwrap();
    assert_eq!(store.prune_blobs(at(0), 99).unwrap(), 0, "it is young");
    assert_eq!(store.prune_blobs(FAR, 99).unwrap(), 1);
    let mut left = foreign.to_vec();
    left.sort();
    assert_eq!(bucket.keys(), left);
}

#[test]
fn more_objects_than_a_page_has_are_all_looked_at() {
    let bucket = Bucket::fresh();
    // What is not ours comes first, and fills the first page.
    (0..1_001).for_each(|number| bucket.write(&format!("p/{number}"), "x"));
    let names = ["d", "e", "f"].map(|digit| format!("p/{}", digit.repeat(64)));
    names.iter().for_each(|name| bucket.write(name, "x"));
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(directory.path(), options(&bucket, "p")).open(at(0)).unwrap();
    assert_eq!(store.prune_blobs(FAR, 1_002).unwrap(), 1);
    assert_eq!(store.prune_blobs(FAR, 1_002).unwrap(), 2, "it goes on from there");
    bucket.write(&names[0], "x");
    assert_eq!(store.prune_blobs(FAR, 1_003).unwrap(), 1, "and begins anew");
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
    let bucket = Bucket::fresh_at(Arc::new(Service::start()));
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(directory.path(), options(&bucket, "p")).open(at(0)).unwrap();
    commit(&*store, &[new_run(7), new_run(8), end_large(7)]);
    let asked = || bucket.service.order(&json!(["ask"])).as_u64().unwrap();
    for (status, tries) in [(503, 3), (500, 3), (429, 3), (403, 1), (404, 1), (301, 1)] {
        bucket.service.order(&json!(["answer", status]));
        let before = asked();
        let told = unavailable(store.commit(1, &[end_with(8, &large("y", 70_000))]));
        let wanted =
            format!("cannot write a blob to `s3://{}/p`: it answers {status}", bucket.name);
        assert!(told.starts_with(&wanted), "{told}");
        assert_eq!(asked() - before, tries, "{status}");
        // That a text cannot be had now does not make the store a damaged one.
        let told = unavailable(store.load_run(id(7), 1));
        assert!(told.contains(&format!("it answers {status}")), "{told}");
        unavailable(store.prune_blobs(FAR, 99));
    }
    bucket.service.order(&json!(["answer", 0]));
    assert_eq!(store.commit(1, &[end_with(8, &large("y", 70_000))]).unwrap(), []);
    assert_eq!(store.load_run(id(7), 1).unwrap().unwrap().events.len(), 2);
}

/// The service goes away while large values are written, and comes back. What was acknowledged is
/// there, and nothing else.
#[test]
fn a_service_that_goes_away_comes_back_without_a_restart() {
    let bucket = Bucket::fresh_at(Arc::new(Service::start()));
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(directory.path(), options(&bucket, "p")).open(at(0)).unwrap();
    let epoch = store.take_over("boot", at(0)).unwrap();
    let event = |number: u128| large(&format!("{number} "), 40_000);
    let group = |number| [new_run(number), end_with(number, &event(number))];
    let (said, heard) = channel();
    std::thread::scope(|scope| {
        // Goes with this thread, should it fail.
        let heard = heard;
        scope.spawn(|| {
            // Until one is refused, and again until one is taken.
            for is_wanted in [false, true] {
                for number in 1.. {
                    let number = if is_wanted { 1_000_000 + number } else { number };
                    let taken = store.commit(epoch, &group(number));
                    let is_taken = taken.is_ok();
                    if said.send((number, taken)).is_err() {
                        return;
                    }
                    if is_taken == is_wanted {
                        break;
                    }
                }
            }
        });
        let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
        let mut is_back = false;
        while let Ok((number, taken)) = heard.recv() {
            match taken {
                Ok(conflicts) => {
                    assert_eq!(conflicts, []);
                    acknowledged.push(number);
                    if acknowledged.len() == 5 {
                        bucket.service.order(&json!(["down"]));
                    }
                    if is_back {
                        break;
                    }
                }
                Err(error) => {
                    let told = unavailable::<()>(Err(error));
                    assert!(told.starts_with("cannot write a blob to `s3://"), "{told}");
                    refused.push(number);
                    if !is_back {
                        assert_eq!(store.commit(epoch, &[new_run(9_999_999)]).unwrap(), []);
                        unavailable(store.load_run(id(1), 1));
                        bucket.service.order(&json!(["up"]));
                        is_back = true;
                    }
                }
            }
        }
        assert!(acknowledged.len() > 5 && !refused.is_empty());
        for number in acknowledged {
            let events = store.load_run(id(number), 1).unwrap().unwrap().events;
            assert!(events.len() == 2 && events[1].event == event(number), "{number}");
        }
        for number in refused {
            assert_eq!(store.load_run(id(number), 1).unwrap(), None, "{number}");
        }
    });
}

#[test]
fn large_values_move_between_files_and_objects() {
    let (parent, bucket) = (tempfile::tempdir().unwrap(), Bucket::fresh());
    let files = Place::Sqlite(SqliteOptions::at(parent.path().join("files")));
    let objects = Place::Postgres(PostgresOptions {
        blobs: BlobPlace::S3(options(&bucket, "one")),
        ..PostgresOptions::at(fresh_database(), parent.path())
    });
    let others = Place::Sqlite(sqlite(&parent.path().join("others"), options(&bucket, "two")));
    let again = Place::Sqlite(SqliteOptions::at(parent.path().join("again")));
    commit(&*files.open(at(0)).unwrap(), &[new_run(7), end_large(7)]);
    for (source, target) in [(&files, &objects), (&objects, &others), (&others, &again)] {
        source.move_to(target, at(0)).unwrap();
        assert_eq!(target.inspect(at(0)).unwrap().broken, [""; 0]);
    }
    let keys = bucket.keys();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].strip_prefix("one/"), keys[1].strip_prefix("two/"));
    // A backup asks for no more than to read, and has the values in it.
    for (place, name) in [(&objects, "a"), (&others, "b")] {
        let restored = parent.path().join(name);
        std::fs::create_dir(&restored).unwrap();
        place.back_up(&restored.join("windlass.db"), at(0)).unwrap();
    }
    bucket.write(&keys[1], "[]");
    let hash = keys[1].strip_prefix("two/").unwrap();
    let line = format!("the blob `{hash}` is not as it was written");
    assert_eq!(others.inspect(at(0)).unwrap().broken, [line]);
    bucket.remove(&keys[1]);
    let line = format!("the blob `{hash}` is missing in `s3://{}/two`", bucket.name);
    assert_eq!(others.inspect(at(0)).unwrap().broken, [line]);
    for place in [
        again,
        Place::Sqlite(SqliteOptions::at(parent.path().join("a"))),
        Place::Sqlite(SqliteOptions::at(parent.path().join("b"))),
    ] {
        let run = place.open(at(0)).unwrap().load_run(id(7), 1).unwrap().unwrap();
        assert!(run.events[1].event == large("x", 100_000));
    }
}

/// A file of more than one part, and one of a single request.
#[test]
fn a_file_is_put_whole_or_not_at_all() {
    let bucket = Bucket::fresh();
    let folder = S3Folder::at(&options(&bucket, "p")).unwrap();
    let put = |name: &str, text: &str, is_wanted: &dyn Fn() -> bool| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        folder.put(name, &mut file, is_wanted)
    };
    let large = (0..1_500_000).map(|number| format!("{number:07}\n")).collect::<String>();
    for (name, text) in [("empty", ""), ("small", "small"), ("large", large.as_str())] {
        put(name, text, &|| true).unwrap();
        put(name, text, &|| true).unwrap();
        assert!(bucket.read(&format!("p/{name}")) == text, "{name}");
    }
    let left = Cell::new(2);
    let told = put("half", &large, &|| left.replace(left.get() - 1) > 0).unwrap_err();
    assert_eq!(told, format!("cannot write `half` to `s3://{}/p`: it was given up", bucket.name));
    assert_eq!(bucket.keys(), ["p/empty", "p/large", "p/small"]);
    let uploads = bucket.service.order(&json!(["uploads", bucket.name]));
    assert_eq!(uploads, json!([]), "nothing is left of the parts");
    let wrong = S3Options { secret_access_key: "odd".into(), ..options(&bucket, "p") };
    for bytes in [1, 6_000_000] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; bytes]).unwrap();
        let told = S3Folder::at(&wrong).unwrap().put("x", &mut file, &|| true).unwrap_err();
        assert!(told.contains("403: SignatureDoesNotMatch"), "{told}");
        assert!(!told.contains("X-Amz") && !told.contains("odd"), "{told}");
    }
}

/// Something that says yes to everything has taken nothing.
#[test]
fn a_server_that_is_no_such_service_has_taken_no_file() {
    let bucket = Bucket::fresh_at(Arc::new(Service::start()));
    let folder = S3Folder::at(&options(&bucket, "p")).unwrap();
    bucket.service.order(&json!(["answer", 200]));
    for (bytes, word) in [(1, "it does not say what it has taken"), (6_000_000, "cannot be read")] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; bytes]).unwrap();
        let told = folder.put("x", &mut file, &|| true).unwrap_err();
        assert!(told.contains(word), "{told}");
    }
}
