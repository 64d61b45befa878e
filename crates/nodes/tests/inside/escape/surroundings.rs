use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::bench::Bench;

/// What there is to be had outside, and what shows whether somebody had it.
pub(super) struct Surroundings {
    pub(super) bench: Bench,
    tcp: TcpListener,
    unix: UnixListener,
    named: UnixListener,
    abstract_name: String,
    /// Where everybody may write, were there no boundary.
    outside: TempDir,
}

impl Surroundings {
    pub(super) fn new() -> Surroundings {
        use std::os::unix::fs::PermissionsExt;
        // Not in `/tmp`, which a step does not even see.
        let outside = tempfile::Builder::new().prefix("windlass-").tempdir_in("/var/tmp").unwrap();
        let open = |path: PathBuf| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        };
        open(outside.path().to_owned());
        std::fs::write(outside.path().join("note"), "not yours").unwrap();
        open(outside.path().join("note"));
        let abstract_name = format!("windlass-{}", uuid::Uuid::now_v7());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let named = UnixListener::bind(outside.path().join("socket")).unwrap();
        open(outside.path().join("socket"));
        let surroundings = Surroundings {
            bench: Bench::with(|settings| settings.process_count_max = 64),
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            unix: UnixListener::bind_addr(&address).unwrap(),
            named,
            abstract_name,
            outside,
        };
        surroundings.tcp.set_nonblocking(true).unwrap();
        surroundings.unix.set_nonblocking(true).unwrap();
        surroundings.named.set_nonblocking(true).unwrap();
        surroundings
    }

    /// An attempt's text, with what it goes for.
    pub(super) fn aim(&self, code: &str) -> String {
        code.replace("$DATABASE", &self.bench.database())
            .replace("$DATA", &self.bench.data.path().display().to_string())
            .replace("$SERVER", &std::process::id().to_string())
            .replace("$PORT", &self.tcp.local_addr().unwrap().port().to_string())
            .replace("$ABSTRACT", &self.abstract_name)
            .replace("$OUTSIDE", &self.outside.path().display().to_string())
    }

    /// Everything is as it was, and steps run.
    pub(super) async fn check(&self, name: &str) {
        assert!(self.tcp.accept().is_err(), "{name}: somebody has called");
        assert!(self.unix.accept().is_err(), "{name}: somebody has called");
        assert!(self.named.accept().is_err(), "{name}: somebody has called");
        let outside = std::fs::read_dir(self.outside.path()).unwrap().count();
        assert_eq!(outside, 2, "{name}: something was left outside");
        let note = std::fs::read_to_string(self.outside.path().join("note")).unwrap();
        assert_eq!(note, "not yours", "{name}");
        let database = std::fs::read_to_string(self.bench.database()).unwrap();
        assert_eq!(database, "the crown jewels", "{name}");
        assert_eq!(self.bench.python("def process(): return 1").await, Ok(json!(1)), "{name}");
    }
}
