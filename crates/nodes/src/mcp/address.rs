//! A server at an address, over streamable HTTP, by the rules of the kind `http`.

use std::collections::{BTreeMap, HashMap};

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use windlass_core::run::AttemptError;

use crate::context::NodeContext;
use crate::kinds::http::parse_url;
use crate::node::fail;

pub(super) fn transport(
    url: &str,
    headers: &BTreeMap<String, String>,
    context: &NodeContext,
) -> Result<StreamableHttpClientTransport<reqwest::Client>, AttemptError> {
    let parsed = parse_url(url)?;
    let blocked = |error: crate::kinds::http::Blocked| fail("blocked_address", error.to_string());
    context.http.check(&parsed).map_err(blocked)?;
    let mut custom = HashMap::new();
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| fail("bad_config", format!("`{name}` is not a header's name")))?;
        // The value may be a secret, so the message does not show it.
        let value = HeaderValue::from_str(value).map_err(|_| {
            fail("bad_config", format!("the value of `{name}` cannot be in a header"))
        })?;
        custom.insert(header, value);
    }
    let config = StreamableHttpClientTransportConfig::with_uri(url).custom_headers(custom);
    // A redirect would carry the headers elsewhere.
    let client = context.http.without_redirects().clone();
    Ok(StreamableHttpClientTransport::with_client(client, config))
}
