//! JavaScript, run by an engine that is part of this binary, inside of a child of its own.

use std::io::{Read, Write};
use std::process::ExitCode;

use rquickjs::function::Func;
use rquickjs::promise::MaybePromise;
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Module, Runtime, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::RESULT;

/// What the engine knows of its surroundings, in its own language.
const CONSOLE: &str = include_str!("console.js");
/// How deep calls may nest, in bytes of the stack.
const STACK_BYTES_MAX: usize = 1 << 20;

/// What a child is to do.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Job {
    pub(super) code: String,
    pub(super) arguments: serde_json::Value,
    /// In bytes.
    pub(super) memory: u64,
}

/// What has come of it.
#[derive(Serialize)]
enum Outcome {
    #[serde(rename = "output")]
    Output(serde_json::Value),
    #[serde(rename = "error")]
    Error(serde_json::Value),
}

/// The child's life: a job from standard input, its result to a file.
pub(crate) fn run() -> ExitCode {
    let mut text = Vec::new();
    let job = std::io::stdin().read_to_end(&mut text).map_err(serde_json::Error::io);
    let outcome = match job.and_then(|_| serde_json::from_slice(&text)) {
        Ok(job) => evaluate(job),
        Err(error) => Err(json!({ "code": "bad_config", "message": error.to_string() })),
    };
    let outcome = outcome.map_or_else(Outcome::Error, Outcome::Output);
    let written = serde_json::to_vec(&outcome)
        .map_err(std::io::Error::other)
        .and_then(|bytes| std::fs::write(RESULT, bytes));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Error = serde_json::Value;

fn evaluate(job: Job) -> Result<serde_json::Value, Error> {
    let failed =
        |error: rquickjs::Error| json!({ "code": "exception", "message": error.to_string() });
    let runtime = Runtime::new().map_err(failed)?;
    runtime.set_memory_limit(usize::try_from(job.memory).unwrap_or(usize::MAX));
    runtime.set_max_stack_size(STACK_BYTES_MAX);
    let context = Context::full(&runtime).map_err(failed)?;
    context.with(|ctx| {
        let json = process(&ctx, job).catch(&ctx).map_err(|error| told(&error))?;
        serde_json::from_str(&json)
            .map_err(|error| json!({ "code": "bad_output", "message": error.to_string() }))
    })
}

/// The JSON of what the function returns.
fn process<'js>(ctx: &Ctx<'js>, job: Job) -> rquickjs::Result<String> {
    ctx.eval::<Function<'js>, _>(CONSOLE)?.call::<_, ()>((Func::from(write),))?;
    let function = function_of(ctx, job.code)?;
    let arguments = ctx.json_parse(job.arguments.to_string())?;
    let returned: MaybePromise<'js> = function.call((arguments,))?;
    let value: Value<'js> = match returned.finish() {
        Err(rquickjs::Error::WouldBlock) => {
            let message = "what the function has returned is a promise that nobody can keep";
            return Err(rquickjs::Exception::throw_message(ctx, message));
        }
        settled => settled?,
    };
    let json = ctx.json_stringify(value)?.map(|json| json.to_string()).transpose()?;
    Ok(json.unwrap_or_else(|| "null".to_owned()))
}

/// `export default`, or else `process`.
fn function_of<'js>(ctx: &Ctx<'js>, code: String) -> rquickjs::Result<Function<'js>> {
    let is_module = code.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("export ") || line.starts_with("export{") || line.starts_with("import ")
    });
    let found: Value<'js> = if is_module {
        let (module, evaluated) = Module::declare(ctx.clone(), "code.js", code)?.eval()?;
        evaluated.finish::<()>()?;
        let default: Value<'js> = module.get("default")?;
        if default.is_undefined() { module.get("process")? } else { default }
    } else {
        let mut options = rquickjs::context::EvalOptions::default();
        options.filename = Some("code.js".to_owned());
        ctx.eval_with_options::<(), _>(code, options)?;
        ctx.eval("typeof process === 'undefined' ? undefined : process")?
    };
    Function::from_value(found).map_err(|_| {
        let message = "the code defines no function `process` and exports none as default";
        rquickjs::Exception::throw_type(ctx, message)
    })
}

fn write(stream: i32, line: String) {
    // Nobody may be listening any more.
    let _ = match stream {
        2 => writeln!(std::io::stderr(), "{line}"),
        _ => writeln!(std::io::stdout(), "{line}"),
    };
}

/// An exception as the error of the step.
fn told(error: &CaughtError<'_>) -> Error {
    let (kind, message, stack) = match error {
        CaughtError::Exception(exception) => {
            let name = exception.as_object().get::<_, String>("name").unwrap_or_default();
            (name, exception.message().unwrap_or_default(), exception.stack())
        }
        CaughtError::Value(value) => {
            let text = value.ctx().json_stringify(value.clone()).ok().flatten();
            let text = text.and_then(|text| text.to_string().ok());
            (String::new(), text.unwrap_or_else(|| "undefined".to_owned()), None)
        }
        CaughtError::Error(error) => (String::new(), error.to_string(), None),
    };
    let code = match message.as_str() {
        "out of memory" => "out_of_memory",
        _ => "exception",
    };
    let message = if kind.is_empty() { message } else { format!("{kind}: {message}") };
    json!({ "code": code, "type": kind, "message": message, "traceback": stack.unwrap_or_default() })
}
