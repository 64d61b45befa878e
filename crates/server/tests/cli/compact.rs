//! Space that a database holds and does not need is given back by a command.

use crate::{command, ok, serve, stop, text, windlass};

#[test]
fn a_database_is_compacted_while_no_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let compact = ["db", "compact", "--data", "d"];
    let nothing = windlass(at, &compact);
    assert_eq!(nothing.status.code(), Some(7));
    assert!(text(&nothing.stderr).contains("no database in"), "{}", text(&nothing.stderr));
    std::fs::write(at.join("one.yaml"), "name: one\nnodes: [{ id: a, type: noop }]\n").unwrap();
    ok(at, &["run", "one.yaml", "--data", "d"]);
    let file = at.join("d/windlass.db");
    let raw = rusqlite::Connection::open(&file).unwrap();
    raw.execute_batch(
        "CREATE TABLE large AS SELECT zeroblob(20000000) AS bytes; \
         DROP TABLE large; PRAGMA wal_checkpoint(TRUNCATE)",
    )
    .unwrap();
    drop(raw);
    let size = || file.metadata().unwrap().len();
    assert!(size() > 20_000_000, "{}", size());
    let (server, _) = serve(at, "127.0.0.1:0");
    let live = windlass(at, &compact);
    assert_eq!(live.status.code(), Some(7));
    assert!(text(&live.stderr).contains("another windlass process"), "{}", text(&live.stderr));
    stop(server);
    let done = windlass(at, &compact);
    let told = text(&done.stderr);
    assert!(done.status.success() && told.contains(" MiB and has "), "{told}");
    assert!(size() < 4_000_000, "{} bytes: {told}", size());
    ok(at, &["db", "check", "--data", "d"]);
    let mut other = command(at, &compact);
    let other = other.env("WINDLASS_DATABASE_URL", "postgres://ann:hidden@127.0.0.1:1/x").output();
    let other = other.unwrap();
    assert_eq!(other.status.code(), Some(2), "{}", text(&other.stderr));
    assert!(text(&other.stderr).contains("only SQLite can be compacted"));
}
