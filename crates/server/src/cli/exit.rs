use std::io::Write;
use std::process::ExitCode;

use crate::client::Refusal;
use crate::config::ConfigError;

/// What the program says when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It went well.
    Ok,
    /// The run failed or was cancelled.
    RunFailed,
    /// The doctor found something.
    Unwell,
    /// It was called in a way that makes no sense.
    Usage,
    /// The check found errors.
    CheckFailed,
    /// There is no such thing.
    NotFound,
    /// The same, as the seed's flags of `windlass template` say it.
    Absent,
    /// The key is missing, or may not do this.
    Denied,
    /// It stands in no state for that.
    Conflict,
    /// There is no server or store to be used.
    Unavailable,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl Exit {
    /// What an error amounts to.
    pub(crate) fn of(error: &anyhow::Error) -> Exit {
        if error.downcast_ref::<ConfigError>().is_some() {
            return Exit::Usage;
        }
        if let Some(Usage(_)) = error.downcast_ref() {
            return Exit::Usage;
        }
        match error.downcast_ref::<Refusal>() {
            Some(Refusal(problem)) => match problem.code.as_str() {
                "invalid-definition" | "bad-document" | "bad-prompt" => Exit::CheckFailed,
                _ => match problem.status {
                    401 | 403 => Exit::Denied,
                    404 => Exit::NotFound,
                    409 | 412 => Exit::Conflict,
                    400..=499 => Exit::Usage,
                    _ => Exit::Unavailable,
                },
            },
            None => Exit::Unavailable,
        }
    }

    /// What a run's end amounts to.
    pub(crate) fn of_status(status: &str) -> Exit {
        match status {
            "failed" | "cancelled" => Exit::RunFailed,
            _ => Exit::Ok,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Ok => 0,
            Exit::RunFailed | Exit::Unwell | Exit::Absent => 1,
            Exit::Usage => 2,
            Exit::CheckFailed => 3,
            Exit::NotFound => 4,
            Exit::Denied => 5,
            Exit::Conflict => 6,
            Exit::Unavailable => 7,
            Exit::Interrupted => 130,
        })
    }
}

/// The program was called in a way that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub String);

/// Says what went wrong.
pub(crate) fn report(error: &anyhow::Error) {
    let Some(Refusal(problem)) = error.downcast_ref::<Refusal>() else {
        return message(&format!("error: {error:#}"));
    };
    message(&format!("error[{}]: {error:#}", problem.code));
    if problem.status == 401 {
        message("    hint: show a key by `--api-key` or `WINDLASS_API_KEY`");
    }
}

/// Writes a message for people.
pub(crate) fn message(text: &str) {
    // Where nobody can read it, nobody can be told either.
    let _ = writeln!(std::io::stderr(), "{text}");
}
