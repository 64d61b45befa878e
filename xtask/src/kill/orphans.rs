//! Children that outlive their server. Each carries its owner's mark, the data directory, in its
//! environment.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the process that stands by may take to end them. Shorter than a sleeper sleeps.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What still runs when it should be gone.
pub(super) fn that_outlive(data: &Path) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let found = marked(data);
        if found.is_empty() || begin.elapsed() > GONE_WITHIN {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn marked(data: &Path) -> Vec<String> {
    let mark = format!("WINDLASS_OWNER={}#", data.display());
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let pids = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(mark.as_bytes()))
    })
    .map(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&command).replace('\0', " ");
        format!("process {pid} `{}`", words.trim())
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_marked_process_is_found_while_it_lives() {
        let data = Path::new("/nowhere/kill-test-of-orphans");
        let mark = format!("{}#1", data.display());
        let mut child =
            Command::new("sleep").arg("60").env("WINDLASS_OWNER", mark).spawn().unwrap();
        // Till it has become `sleep`, the child still has this process's environment.
        let begin = Instant::now();
        while marked(data).is_empty() && begin.elapsed() < GONE_WITHIN {
            std::thread::yield_now();
        }
        assert_eq!(marked(data), [format!("process {} `sleep 60`", child.id())]);
        assert!(marked(Path::new("/nowhere/kill-test")).is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(that_outlive(data).is_empty());
    }
}
