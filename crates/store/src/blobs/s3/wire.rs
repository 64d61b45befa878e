//! Requests to the service: bounded in time, and made again while that may help. Each of them may
//! be made twice: it then does what it has done.

use std::error::Error;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::header::ETAG;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, StatusCode, Url};

use crate::error::StoreError;
use crate::io::Io;

/// How many requests are under way at once. Each may carry a value of 16 MiB.
const AT_ONCE: usize = 8;

const TRY_COUNT: u32 = 3;
const WAIT_FIRST: Duration = Duration::from_millis(100);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
const TRY_TIME_MAX: Duration = Duration::from_secs(20);
/// For all tries together. Whoever commits waits for it.
pub(super) const TIME_MAX: Duration = Duration::from_secs(30);

/// Where reading an object ends: no value is half as large. What was cut off does not have its hash.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of the service's own words is passed on, in characters.
const WORDS_MAX: usize = 200;

pub(super) struct Wire {
    client: Client,
    io: Io,
}

/// What a service answers to what it has done.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// Its mark of an object that it has taken.
    pub(super) etag: Option<String>,
}

/// Why a request was in vain.
pub(super) enum Trouble {
    /// There is no such object.
    Missing,
    /// Anything else, in words for people. Trying again later may help.
    Other(String),
}

/// What came of one try.
enum Tried {
    Again(String),
    Never(Trouble),
}

impl Wire {
    pub(super) fn new() -> Result<Wire, StoreError> {
        // The first provider stays; that it is set already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIME_MAX)
            // A signature holds for one address.
            .redirect(Policy::none())
            // Settings say where it is, and nothing else does.
            .no_proxy()
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| StoreError::CannotOpen(format!("cannot set up TLS: {error}")))?;
        Ok(Wire { client, io: Io::start("windlass-s3")? })
    }

    /// Makes a request, and answers what came of it.
    pub(super) fn ask(&self, request: Request) -> Result<Result<Answer, Trouble>, StoreError> {
        let client = self.client.clone();
        self.io.run(async move { answer(&client, &request).await })
    }

    /// Makes requests, and answers what came of each, in their order.
    pub(super) fn send(
        &self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Vec<u8>, Trouble>>, StoreError> {
        let client = self.client.clone();
        self.io.run(async move {
            let answers = requests.into_iter().map(|request| {
                let client = client.clone();
                async move { answer(&client, &request).await.map(|answer| answer.body) }
            });
            stream::iter(answers).buffered(AT_ONCE).collect().await
        })
    }
}

/// A request to a signed address.
pub(super) fn request(method: Method, url: Url, body: Option<&str>) -> Request {
    let mut request = Request::new(method, url);
    *request.timeout_mut() = Some(TRY_TIME_MAX);
    *request.body_mut() = body.map(|text| text.to_owned().into());
    request
}

async fn answer(client: &Client, request: &Request) -> Result<Answer, Trouble> {
    let mut last = "it does not answer in time".to_owned();
    let tries = async {
        let mut wait = WAIT_FIRST;
        for number in 1..=TRY_COUNT {
            match once(client, request).await {
                Ok(answer) => return Ok(answer),
                Err(Tried::Never(trouble)) => return Err(trouble),
                Err(Tried::Again(what)) => last = what,
            }
            if number < TRY_COUNT {
                tokio::time::sleep(wait).await;
                wait *= 4;
            }
        }
        Err(Trouble::Other(last.clone()))
    };
    let in_time = tokio::time::timeout(TIME_MAX, tries).await;
    in_time.unwrap_or(Err(Trouble::Other(last)))
}

async fn once(client: &Client, request: &Request) -> Result<Answer, Tried> {
    let again = |error: reqwest::Error| Tried::Again(words(error));
    let Some(request) = request.try_clone() else {
        return Err(Tried::Never(Trouble::Other("a request cannot be made twice".to_owned())));
    };
    let mut response = client.execute(request).await.map_err(again)?;
    let etag = response.headers().get(ETAG).and_then(|mark| mark.to_str().ok());
    let etag = etag.filter(|mark| !mark.is_empty()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(again)? {
        body.extend_from_slice(&piece);
        if body.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    match response.status() {
        status if status.is_success() => Ok(Answer { body, etag }),
        status => Err(refusal(status, &String::from_utf8_lossy(&body))),
    }
}

fn refusal(status: StatusCode, body: &str) -> Tried {
    let code = element(body, "Code").unwrap_or_default();
    // Any other 404 is about the bucket, or comes from something that is no such service at all.
    if status == StatusCode::NOT_FOUND && code == "NoSuchKey" {
        return Tried::Never(Trouble::Missing);
    }
    let mut what = format!("it answers {}", status.as_u16());
    for part in [code, element(body, "Message").unwrap_or_default()] {
        if !part.is_empty() {
            what.push_str(": ");
            what.extend(part.chars().filter(|letter| !letter.is_control()).take(WORDS_MAX));
        }
    }
    let may_pass = status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
    if may_pass { Tried::Again(what) } else { Tried::Never(Trouble::Other(what)) }
}

/// The text of an element, if it stands there as services write it.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// Why a request failed, down to the cause. The address is left out, since it is signed.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut what = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        what = format!("{what}: {inner}");
        cause = inner.source();
    }
    what
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_service_says() {
        let told =
            |status: u16, body: &str| match refusal(StatusCode::from_u16(status).unwrap(), body) {
                Tried::Again(what) => format!("again, {what}"),
                Tried::Never(Trouble::Missing) => "missing".to_owned(),
                Tried::Never(Trouble::Other(what)) => what,
            };
        let error =
            |code: &str| format!("<Error><Code>{code}</Code><Message>So.</Message></Error>");
        assert_eq!(told(404, &error("NoSuchKey")), "missing");
        assert_eq!(told(404, &error("NoSuchBucket")), "it answers 404: NoSuchBucket: So.");
        assert_eq!(told(404, "<html>"), "it answers 404");
        assert_eq!(told(403, &error("AccessDenied")), "it answers 403: AccessDenied: So.");
        assert_eq!(told(503, &error("SlowDown")), "again, it answers 503: SlowDown: So.");
    }
}
