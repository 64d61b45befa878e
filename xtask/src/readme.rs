//! `cargo xtask readme`: README.md is run as a newcomer would run it.
//!
//! What is fenced as `sh` runs, all blocks in order in one `bash -e`, in an empty directory that
//! has `examples/` in it. What is fenced otherwise (`console`, `text`) does not: cloning, building,
//! showing what comes out. Three things differ from the newcomer's terminal:
//!
//! - `cargo run --release -- dev` is `windlass dev`, with a binary that is already built;
//! - `windlass dev` and `windlass serve` go to the background, and the next command waits till the
//!   server is ready, as a reader would who sees the URL appear;
//! - the default address is replaced by a free port, so that a server of your own may stay up.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::cargo::{root, windlass};

const DEFAULT_PORT: &str = "8000";
const TIME_LIMIT: Duration = Duration::from_secs(300);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The document
    #[arg(default_value = "README.md")]
    file: PathBuf,
    /// The binary the commands use; without it, one is built
    #[arg(long)]
    bin: Option<PathBuf>,
}

pub(crate) fn run(options: Options) -> Result<bool> {
    let name = options.file.display();
    let text =
        std::fs::read_to_string(root().join(&options.file)).with_context(|| name.to_string())?;
    let commands = commands(&text);
    if commands.is_empty() {
        bail!("{name} has no block fenced as `sh`, so nothing of it is tested");
    }
    let binary = windlass(options.bin)?;
    let dir = tempfile::Builder::new().prefix("windlass-readme-").tempdir()?;
    std::os::unix::fs::symlink(root().join("examples"), dir.path().join("examples"))?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let status = run_in(dir.path(), &binary, &script(&commands, &port))?;
    match status {
        Some(status) if status.success() => println!("readme: {} commands passed", commands.len()),
        Some(status) => println!("readme: failed ({status}); the last command above did it"),
        None => println!("readme: still not at its end after {TIME_LIMIT:?}"),
    }
    Ok(status.is_some_and(|status| status.success()))
}

/// The commands of all `sh` blocks. A command may go over several lines.
fn commands(markdown: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = markdown.lines();
    while let Some(fence) = lines.next() {
        let Some(language) = fence.trim_start().strip_prefix("```") else { continue };
        let block: Vec<&str> =
            lines.by_ref().take_while(|l| !l.trim().starts_with("```")).collect();
        if language.trim() == "sh" {
            commands.extend(split(&block));
        }
    }
    commands
}

fn split(block: &[&str]) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut open: Option<String> = None;
    for line in block {
        let is_blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        if open.is_none() && is_blank {
            continue;
        }
        let command = match open.take() {
            Some(begun) => format!("{begun}\n{line}"),
            None => (*line).to_owned(),
        };
        if is_complete(&command) { commands.push(command) } else { open = Some(command) }
    }
    commands.extend(open);
    commands
}

/// Whether a shell would run it now and not wait for a further line.
fn is_complete(command: &str) -> bool {
    let here = command.split_once("<<").map(|(_, rest)| rest.trim_start_matches('-'));
    let word = here.and_then(|rest| rest.split_whitespace().next());
    let last = command.lines().last().unwrap_or_default();
    let is_open_here = word.is_some_and(|word| last.trim() != word.trim_matches(['\'', '"']));
    let is_open_quote = command.matches('\'').count() % 2 == 1 && here.is_none();
    !last.ends_with('\\') && !is_open_here && !is_open_quote
}

/// One script of them all, on an address of its own.
fn script(commands: &[String], port: &str) -> String {
    let mut script = String::from("set -eo pipefail\n");
    for command in commands {
        let command = command
            .replace("cargo run --release -- ", "windlass ")
            .replace(&format!("127.0.0.1:{DEFAULT_PORT}"), &format!("127.0.0.1:{port}"))
            .replace(&format!("localhost:{DEFAULT_PORT}"), &format!("localhost:{port}"));
        script += &format!("printf '\\n$ %s\\n' {}\n", quoted(&command));
        script += &if is_server(&command) { in_background(&command, port) } else { command };
        script.push('\n');
    }
    script
}

fn is_server(command: &str) -> bool {
    ["windlass dev", "windlass serve"].iter().any(|server| command.contains(server))
}

fn in_background(command: &str, port: &str) -> String {
    // What comes after would otherwise end up in a comment that stands behind the command.
    let command = command.split(" #").next().unwrap_or_default();
    let command = command.trim_end().trim_end_matches('&').trim_end();
    let listen = match command.contains("--listen") {
        true => String::new(),
        false => format!(" --listen 127.0.0.1:{port}"),
    };
    format!(
        "{command}{listen} &\nserver=$!\n\
         until curl --silent --fail --output /dev/null http://127.0.0.1:{port}/readyz; do\n  \
         kill -0 $server && sleep 0.1\ndone"
    )
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Runs the script; `None` if it did not come to its end in time. Nothing of it is left running.
fn run_in(dir: &Path, binary: &Path, script: &str) -> Result<Option<ExitStatus>> {
    let own = binary.parent().context("the binary has no directory")?.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path)))?;
    let mut bash = Command::new("bash")
        .args(["-c", script])
        .current_dir(dir)
        .env("PATH", path)
        .process_group(0)
        .spawn()
        .context("cannot run bash")?;
    let status = wait(&mut bash);
    // The server first gets the chance to end its own children.
    for signal in [Signal::TERM, Signal::KILL] {
        let group = i32::try_from(bash.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group
            && kill_process_group(group, signal).is_ok()
        {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    bash.wait()?;
    status
}

fn wait(bash: &mut Child) -> Result<Option<ExitStatus>> {
    let begin = Instant::now();
    while begin.elapsed() < TIME_LIMIT {
        if let Some(status) = bash.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# W\n```console\n$ git clone it\n```\n```sh\n# A comment.\n\
        cargo run --release -- dev --demo   # Then look.\n\nwindlass run examples/a.yaml \\\n  --input a=1\n```\n\
        text\n```text\nout\n```\n```sh\ncat > f <<'EOF'\na\n# b\nEOF\n\
        curl http://127.0.0.1:8000/readyz\ncurl -d '{\n}' x\n```\n";

    #[test]
    fn only_sh_blocks_are_commands_and_they_keep_their_lines_together() {
        let expected = [
            "cargo run --release -- dev --demo   # Then look.",
            "windlass run examples/a.yaml \\\n  --input a=1",
            "cat > f <<'EOF'\na\n# b\nEOF",
            "curl http://127.0.0.1:8000/readyz",
            "curl -d '{\n}' x",
        ];
        assert_eq!(commands(README), expected);
    }

    #[test]
    fn a_server_goes_to_the_background_on_the_port_that_all_use() {
        let script = script(&commands(README), "4711");
        assert!(script.contains("\nwindlass dev --demo --listen 127.0.0.1:4711 &\nserver=$!\n"));
        assert!(script.contains("\ncurl http://127.0.0.1:4711/readyz\n"));
        assert!(!script.contains("cargo") && !script.contains("8000"));
    }

    #[test]
    fn what_a_script_leaves_running_is_ended_and_its_status_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let binary = Path::new("/usr/bin/windlass");
        let run = |script| run_in(dir.path(), binary, script).unwrap().unwrap().success();
        assert!(run("sleep 60 & echo $! > pid; test \"${PATH%%:*}\" = /usr/bin"));
        let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(" Z "), "{stat}");
        assert!(!run("set -e; false; true"));
    }
}
