//! One request and its streamed answer.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use genai::Client;
use genai::chat::{ChatStreamEvent, StreamEnd};
use tracing::dispatcher::Dispatch;
use tracing::field::Empty;
use tracing::instrument::WithSubscriber;
use tracing::{Instrument, Span};

use super::chat::{Chat, Reply};
use super::convert;
use super::error::LlmError;
use super::frames::Frames;
use super::meter::{Held, Meter};
use super::settings::{Api, Target};
use super::usage::Usage;

/// How large an answer may be. It has to fit into the journal with what surrounds it, twice.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How large all of its frames may be: each token comes with a few hundred bytes around it.
const FRAME_BYTES_MAX: usize = 512 * 1024 * 1024;

/// How long the name of a model may be.
const NAME_BYTES_MAX: usize = 200;

/// How something is asked.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What.
    pub chat: &'a Chat,
    /// How long the whole exchange may take.
    pub limit: Duration,
    /// Where it is counted.
    pub meter: &'a Meter,
}

/// Asks a model, and hands on every piece of its answer as it comes. Within a budget it waits first
/// until there is room.
///
/// # Errors
///
/// Why there is no whole answer. What was used until then has been accounted for.
pub async fn ask(
    target: &Target,
    call: Call<'_>,
    on_text: impl FnMut(&str) + Send,
) -> Result<Reply, LlmError> {
    let mut chat = Cow::Borrowed(call.chat);
    let held = call.meter.hold(target, &mut chat).await?;
    let span = span(target, &chat);
    async {
        let started_at = Instant::now();
        let frames = Frames::default();
        let mut given_up = GivenUp { target, frames: &frames, started_at, held: Some(held) };
        let exchange = exchange(target, &chat, &frames, &span, on_text);
        // The client would repeat the provider's words, and so perhaps the prompt's, in our log.
        let exchange = exchange.with_subscriber(Dispatch::none());
        let ended = tokio::time::timeout(call.limit, exchange).await;
        let ended = ended.unwrap_or(Err(LlmError::Timeout));
        let held = given_up.held.take();
        let usage = usage(target, ended.as_ref().ok().map(|(_, end)| end), &frames, started_at);
        record(&span, &usage);
        if let Some(held) = held {
            match &ended {
                Ok(_) => held.settle(Some(usage.clone())).await,
                // Whoever has begun to answer has taken something.
                Err(error) if error.took_nothing() && frames.seen().byte_count == 0 => {
                    held.settle(None).await;
                }
                Err(_) => held.give_up(Some(usage.clone()).filter(Usage::is_known)),
            }
        }
        let result = ended.and_then(|(text, end)| reply(text, end, usage));
        match &result {
            Ok(reply) => {
                span.record("gen_ai.response.finish_reasons", reply.finish.as_str());
            }
            Err(error) => {
                span.record("error.type", error.code());
                span.record("otel.status_code", "error");
            }
        }
        let key = target.api_key.as_deref().unwrap_or_default();
        result.map_err(|error| if key.is_empty() { error } else { error.without(key) })
    }
    .instrument(span.clone())
    .await
}

/// Accounts for an exchange that is dropped before it has ended, as far as its frames have told.
struct GivenUp<'a> {
    target: &'a Target,
    frames: &'a Frames,
    started_at: Instant,
    /// `None` once it has ended.
    held: Option<Held>,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let usage = usage(self.target, None, self.frames, self.started_at);
        held.give_up(Some(usage).filter(Usage::is_known));
    }
}

async fn exchange(
    target: &Target,
    chat: &Chat,
    frames: &Frames,
    span: &Span,
    mut on_text: impl FnMut(&str) + Send,
) -> Result<(String, StreamEnd), LlmError> {
    let blocked = |blocked: crate::kinds::http::Blocked| LlmError::Blocked(blocked.to_string());
    target.http.check(&target.base_url).map_err(blocked)?;
    // Only wraps the connections that are there already.
    let client = Client::builder().with_reqwest(target.http.without_redirects().clone()).build();
    let client = client.map_err(LlmError::from_client)?;
    let sink = frames.clone();
    let options =
        convert::options(chat, target).with_raw_frame_fn(move |_, frame| sink.take(frame.data));
    let request = convert::request(chat);
    let response = client.exec_chat_stream(convert::target(target), request, Some(&options)).await;
    let mut stream = response.map_err(LlmError::from_client)?.stream;
    let started_at = Instant::now();
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        match event.map_err(LlmError::from_client)? {
            ChatStreamEvent::Chunk(chunk) => {
                if text.is_empty() {
                    let seconds = started_at.elapsed().as_secs_f64();
                    span.record("gen_ai.response.time_to_first_chunk", seconds);
                }
                text.push_str(&chunk.content);
                on_text(&chunk.content);
            }
            // Gemini's stream has no end of its own; without a reason to end it was cut off.
            ChatStreamEvent::End(end)
                if target.api == Api::Gemini && end.captured_stop_reason.is_none() =>
            {
                break;
            }
            ChatStreamEvent::End(end) => return Ok((text, end)),
            _ => {}
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(LlmError::TooLarge(TEXT_BYTES_MAX));
        }
        if frames.seen().byte_count > FRAME_BYTES_MAX {
            return Err(LlmError::TooLarge(FRAME_BYTES_MAX));
        }
    }
    Err(LlmError::Exchange("the answer has no end".to_owned()))
}

fn reply(text: String, end: StreamEnd, usage: Usage) -> Result<Reply, LlmError> {
    let (message, finish) = convert::ended(&text, end);
    let Some(finish) = finish else {
        return Err(LlmError::Refused("its answer was held back by a filter".to_owned()));
    };
    Ok(Reply { text, tool_calls: message.tool_calls.clone(), finish, message, usage })
}

fn usage(target: &Target, end: Option<&StreamEnd>, frames: &Frames, started_at: Instant) -> Usage {
    let seen = frames.seen();
    let theirs = end.and_then(|end| end.captured_usage.as_ref());
    let count = |tokens: Option<i32>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
    let details = theirs.and_then(|usage| usage.prompt_tokens_details.as_ref());
    let input_tokens = theirs.and_then(|usage| count(usage.prompt_tokens));
    let output_tokens = theirs.and_then(|usage| count(usage.completion_tokens));
    let cached_tokens = details.and_then(|details| count(details.cached_tokens));
    let (input_tokens, output_tokens, cached_tokens) = (
        input_tokens.unwrap_or(seen.input_tokens),
        output_tokens.unwrap_or(seen.output_tokens),
        cached_tokens.unwrap_or(seen.cached_tokens),
    );
    Usage {
        model: short(seen.model.unwrap_or_else(|| target.model.clone())),
        provider: target.provider.clone(),
        input_tokens,
        output_tokens,
        cached_tokens,
        latency_ms: u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX),
        cost_micros: target
            .price
            .map(|price| price.micros(input_tokens, cached_tokens, output_tokens)),
    }
}

/// A name that is kept in every row about it. A provider may call its model anything.
pub(super) fn short(mut name: String) -> String {
    let end = (0..=NAME_BYTES_MAX).rev().find(|end| name.is_char_boundary(*end));
    name.truncate(end.unwrap_or(0));
    name
}

/// The span of OpenTelemetry's conventions for generative AI. No text goes into it.
fn span(target: &Target, chat: &Chat) -> Span {
    let provider = match (target.provider.as_str(), target.api) {
        ("gemini", Api::Gemini) => "gcp.gemini",
        (name, _) => name,
    };
    tracing::info_span!(
        "llm.chat",
        otel.name = format!("chat {}", target.model),
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = provider,
        gen_ai.output.type = if chat.schema.is_some() { "json" } else { "text" },
        gen_ai.request.model = target.model,
        gen_ai.request.stream = true,
        gen_ai.request.temperature = chat.temperature,
        gen_ai.request.max_tokens = chat.max_tokens,
        gen_ai.response.model = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.response.time_to_first_chunk = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        server.address = target.base_url.host_str(),
        server.port = target.base_url.port_or_known_default(),
    )
}

fn record(span: &Span, usage: &Usage) {
    span.record("gen_ai.response.model", usage.model.as_str());
    span.record("gen_ai.usage.input_tokens", usage.input_tokens);
    span.record("gen_ai.usage.output_tokens", usage.output_tokens);
    span.record("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens);
}
