//! A Postgres server of our own, for as long as the tests run.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

const USER: &str = "windlass";
pub(crate) const PASSWORD: &str = "s3cr:et";

/// One server for all tests that need no other. It does not wait for the disk.
static SHARED: LazyLock<Server> = LazyLock::new(|| Server::start(&["fsync=off"]));

/// The address of an empty database on the shared server.
pub(crate) fn fresh_database() -> String {
    SHARED.fresh_database()
}

/// Runs a statement in a database, and answers its first column.
pub(crate) fn sql(url: &str, statement: &str) -> String {
    let output = Command::new(program("psql"))
        .args(["--no-psqlrc", "--quiet", "-AtX", "-v", "ON_ERROR_STOP=1", "-c", statement, url])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{statement}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) struct Server {
    directory: PathBuf,
    port: u16,
    options: Vec<String>,
    /// Stops the server and removes its directory when this process lets go of it or ends.
    watchman: Mutex<Option<Child>>,
}

impl Server {
    pub(crate) fn start(settings: &[&str]) -> Server {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let memory = PathBuf::from("/dev/shm");
        let parent = if has_room(&memory) { memory } else { std::env::temp_dir() };
        let directory = parent.join(format!("windlass-pg-{}-{number}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let password_file = directory.join("password");
        std::fs::write(&password_file, PASSWORD).unwrap();
        if is_root() {
            run(Command::new("chown").arg("-R").arg("postgres").arg(&directory));
        }
        let data = directory.join("data");
        run(as_owner("initdb")
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--auth=scram-sha-256"])
            .args(["--username", USER, "--pwfile"])
            .arg(&password_file)
            .arg("-D")
            .arg(&data));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut options = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", directory.display()),
            "max_connections=200".to_owned(),
        ];
        options.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let server = Server { directory, port, options, watchman: Mutex::default() };
        *server.watchman.lock().unwrap() = Some(server.watch());
        server.control("start");
        server
    }

    pub(crate) fn fresh_database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        sql(&self.url("postgres"), &format!("CREATE DATABASE {name} TEMPLATE template0"));
        self.url(&name)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let password = PASSWORD.replace(':', "%3A");
        format!("postgres://{USER}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file in the server's directory, which only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&path));
        }
    }

    /// What `pg_ctl` is told: `start`, `stop`, `restart`. Stopping is at once, as in a crash.
    pub(crate) fn control(&self, verb: &str) {
        let options: Vec<String> =
            self.options.iter().map(|option| format!("-c {option}")).collect();
        run(as_owner("pg_ctl")
            .args(["-w", "-m", "immediate", "-D"])
            .arg(self.directory.join("data"))
            .arg("-l")
            .arg(self.directory.join("log"))
            .arg("-o")
            .arg(options.join(" "))
            .arg(verb));
    }

    fn watch(&self) -> Child {
        let mut stop = as_owner("pg_ctl");
        stop.args(["-m", "immediate", "stop", "-D"]).arg(self.directory.join("data"));
        let stop: Vec<String> = std::iter::once(stop.get_program())
            .chain(stop.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let script = "directory=$1; shift; cat >/dev/null; \"$@\"; rm -rf \"$directory\"";
        Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&self.directory)
            .args(stop)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut watchman) = self.watchman.lock().unwrap().take() {
            drop(watchman.stdin.take());
            watchman.wait().unwrap();
        }
    }
}

/// Whether a directory in memory is large enough: a container's usually is not.
fn has_room(directory: &Path) -> bool {
    let output = Command::new("df").args(["-k", "--output=avail"]).arg(directory).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .nth(1)
        .and_then(|free| free.trim().parse().ok())
        .is_some_and(|free: u64| free > 2_000_000)
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// A program of Postgres, run by a user it agrees to be run by: it refuses root.
fn as_owner(name: &str) -> Command {
    let program = program(name);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

/// Debian keeps the server's programs off the path, in a directory for each version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin").join(name)))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    let path = std::env::vars_os().find(|(key, _)| key == "PATH").map(|(_, value)| value);
    let on_path = std::env::split_paths(&path.unwrap_or_default())
        .map(|directory| directory.join(name))
        .find(|path| path.is_file());
    let found = found.pop().or(on_path);
    found.unwrap_or_else(|| panic!("`{name}` is missing: install Debian's package `postgresql`"))
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}
