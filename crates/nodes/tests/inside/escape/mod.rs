//! Attempts to get out, and to use up what is others'. Each is refused, nobody outside notices, and
//! the next step runs as ever.

mod abuse;
mod javascript;
mod python;
mod shell;
mod surroundings;

use std::path::Path;

/// Whether a process with this word in its command line is alive, anywhere on the machine.
fn is_running(word: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut commands = entries.filter(|entry| {
        let is_other = entry.file_name() != *std::process::id().to_string();
        is_other && !is_dead(&entry.path())
    });
    commands.any(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(word)
    })
}

fn is_dead(process: &Path) -> bool {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ")
}
