//! Where a database is, as people write it: `postgres://user:password@host:port/name?sslmode=…`.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::error::StoreError;

/// How far the other side of an encrypted connection is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whoever answers: the connection is safe from listeners alone.
    Anybody,
    /// Whoever has a certificate of a known authority.
    Authority,
    /// Only who has such a certificate for the very host.
    Host,
}

/// An address taken apart.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) trust: Trust,
    /// The authorities' certificates; the system's if left out.
    pub(super) roots: Option<PathBuf>,
}

/// The parameters mean what they mean to Postgres' own programs. `sslmode` and `sslrootcert` are
/// taken out, since the driver knows only some of their values.
pub(super) fn parse(url: &str) -> Result<Address, StoreError> {
    let invalid = |what: &str| {
        StoreError::CannotOpen(format!("cannot use the database address `{}`: {what}", masked(url)))
    };
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut kept, mut mode, mut roots) = (Vec::new(), "prefer", None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = value,
            Some(("sslrootcert", "system")) => {}
            Some(("sslrootcert", value)) => roots = Some(PathBuf::from(value)),
            _ => kept.push(pair),
        }
    }
    let (ssl, trust) = match mode {
        "disable" => (SslMode::Disable, Trust::Anybody),
        "allow" | "prefer" => (SslMode::Prefer, Trust::Anybody),
        // With an authority named, it is asked for.
        "require" if roots.is_some() => (SslMode::Require, Trust::Authority),
        "require" => (SslMode::Require, Trust::Anybody),
        "verify-ca" => (SslMode::Require, Trust::Authority),
        "verify-full" => (SslMode::Require, Trust::Host),
        _ => {
            let known = "disable, allow, prefer, require, verify-ca or verify-full";
            return Err(invalid(&format!("`sslmode` must be {known}")));
        }
    };
    let text = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        invalid(&source.unwrap_or_else(|| error.to_string()))
    })?;
    if config.get_hosts().is_empty() {
        return Err(invalid("it names no host"));
    }
    config.ssl_mode(ssl);
    if config.get_application_name().is_none() {
        config.application_name("windlass");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIME_MAX);
    }
    // A peer that vanished without a word is noticed, instead of being waited for.
    config.keepalives_idle(SILENCE_MAX).tcp_user_timeout(SILENCE_MAX);
    Ok(Address { config, trust, roots })
}

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// An address without its password, for messages. Anything else is given back as it is.
pub fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let place = match place.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@{host}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    let pairs = query.map(|query| {
        let hide = |pair: &str| match pair.split_once('=') {
            Some((name, _)) if name.contains("password") => format!("{name}=***"),
            _ => pair.to_owned(),
        };
        format!("?{}", query.split('&').map(hide).collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{place}{}", pairs.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        for (url, shown) in [
            ("postgres://ann:s3:cr@t@db:5432/x", "postgres://ann:***@db:5432/x"),
            ("postgres://ann@db/x?password=s3&a=b", "postgres://ann@db/x?password=***&a=b"),
            ("postgres://db/x", "postgres://db/x"),
            ("sqlite:///a/b", "sqlite:///a/b"),
            ("./windlass-data", "./windlass-data"),
        ] {
            assert_eq!(masked(url), shown);
        }
    }

    #[test]
    fn sslmode_means_what_it_means_elsewhere() {
        for (query, ssl, trust) in [
            ("", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=disable", SslMode::Disable, Trust::Anybody),
            ("?sslmode=require", SslMode::Require, Trust::Anybody),
            ("?sslmode=require&sslrootcert=/ca.pem", SslMode::Require, Trust::Authority),
            ("?sslmode=verify-ca", SslMode::Require, Trust::Authority),
            ("?sslmode=verify-full&connect_timeout=3", SslMode::Require, Trust::Host),
        ] {
            let address = parse(&format!("postgres://ann:secret@db/x{query}")).unwrap();
            assert_eq!((address.config.get_ssl_mode(), address.trust), (ssl, trust), "{query}");
        }
    }

    #[test]
    fn a_bad_address_is_named_without_its_password() {
        for url in [
            "postgres://ann:secret@db/x?sslmode=maybe",
            "postgres://ann:secret@db:port/x",
            "postgres://ann:secret@db/x?what=7",
            "postgres:///x?password=secret",
        ] {
            let error = parse(url).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains("cannot use the database address"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
