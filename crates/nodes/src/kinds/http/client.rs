//! The client all requests go through. It looks at the address that is connected to, not at the
//! name that led there, so a name that changes its mind between two look-ups gains nothing.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Attempt, Policy};

use super::addresses::AllowList;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
const REDIRECT_COUNT_MAX: usize = 10;

/// An HTTP client that connects only where it may.
#[derive(Clone, Debug)]
pub struct HttpClient {
    pub(super) inner: reqwest::Client,
    without_redirects: reqwest::Client,
    allowed: Arc<AllowList>,
}

/// An address is not allowed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{0}` is not a public address, and the server's `http.allow` does not name it")]
pub(crate) struct Blocked(pub(super) String);

impl HttpClient {
    /// A client that connects to public addresses and to those on the list.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new(allowed: AllowList) -> Result<HttpClient, String> {
        // The first provider stays; that it is set already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allowed = Arc::new(allowed);
        let for_redirects = allowed.clone();
        let follow = Policy::custom(move |attempt| follow(attempt, &for_redirects));
        let inner = build(&allowed, follow)?;
        let without_redirects = build(&allowed, Policy::none())?;
        Ok(HttpClient { inner, without_redirects, allowed })
    }

    /// The same client, but it stays where it was sent. For requests with a key in a header of the
    /// provider's own, which a redirect would carry elsewhere.
    pub(crate) fn without_redirects(&self) -> &reqwest::Client {
        &self.without_redirects
    }

    /// Refuses a URL that names a forbidden address. One with a host name is checked once the name
    /// is resolved.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Blocked> {
        check(url, &self.allowed)
    }
}

fn build(allowed: &Arc<AllowList>, redirects: Policy) -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .dns_resolver(Arc::new(GuardedResolver { allowed: allowed.clone() }))
        .redirect(redirects)
        .connect_timeout(CONNECT_TIME_MAX)
        // A proxy would be connected to instead of the address that was checked.
        .no_proxy()
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

fn check(url: &Url, allowed: &AllowList) -> Result<(), Blocked> {
    let Some(host) = url.host_str() else { return Ok(()) };
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match literal {
        Ok(address) if !allowed.allows(address) => Err(Blocked(host.to_owned())),
        _ => Ok(()),
    }
}

fn follow(attempt: Attempt<'_>, allowed: &AllowList) -> reqwest::redirect::Action {
    if attempt.previous().len() > REDIRECT_COUNT_MAX {
        return attempt.error("too many redirects");
    }
    if !matches!(attempt.url().scheme(), "http" | "https") {
        return attempt.error("a redirect to something else than http");
    }
    match check(attempt.url(), allowed) {
        Ok(()) => attempt.follow(),
        Err(blocked) => attempt.error(blocked),
    }
}

struct GuardedResolver {
    allowed: Arc<AllowList>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let trusted = allowed.trusts_host(&host);
            let usable: Vec<SocketAddr> =
                found.filter(|address| trusted || allowed.allows(address.ip())).collect();
            if usable.is_empty() {
                return Err(Box::new(Blocked(host)) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// The refusal behind an error, if an address was refused.
pub(crate) fn blocked(error: &reqwest::Error) -> Option<Blocked> {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = source {
        if let Some(blocked) = error.downcast_ref::<Blocked>() {
            return Some(blocked.clone());
        }
        source = error.source();
    }
    None
}
