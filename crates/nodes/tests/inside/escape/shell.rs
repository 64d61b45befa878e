use serde_json::json;

use super::surroundings::Surroundings;

/// Each script fails; were there no boundary, it would succeed.
const ATTACKS: &[(&str, &str)] = &[
    ("the database", "cat $DATABASE"),
    ("the data directory", "test -n \"$(ls -A $DATA)\""),
    ("a write to the database", "echo x >> $DATABASE"),
    ("the server's environment", "cat /proc/$SERVER/environ"),
    ("the server's command line", "cat /proc/$SERVER/cmdline"),
    ("the first process as the server", "tr '\\0' ' ' < /proc/1/environ | grep -q CARGO"),
    ("ending the server", "kill -9 $SERVER"),
    ("ending all", "kill -9 -1; ps ax | grep -q '[c]argo'"),
    ("passwords", "cat /etc/shadow"),
    ("the home of root", "ls /root"),
    ("a file outside", "echo x > $OUTSIDE/mine"),
    ("a note outside", "echo x > $OUTSIDE/note"),
    ("reading outside", "cat $OUTSIDE/note"),
    ("the /tmp of all", "ls /tmp/* | grep -v '^/tmp/output'"),
    ("mounting", "mount -t tmpfs none /tmp"),
    ("namespaces", "unshare -r true"),
    ("another root", "chroot / true"),
    ("a program with more rights", "su -c id"),
    ("shared memory", "echo x > /dev/shm/x"),
    ("a setting of the kernel", "echo x > /proc/sys/kernel/hostname"),
    ("a device", "mknod disk b 254 0"),
    (
        "a socket with a name",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"$OUTSIDE/socket\")'",
    ),
    (
        "an abstract socket",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"\\0$ABSTRACT\")'",
    ),
    ("tracing", "python3 -c 'import ctypes; exit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0)'"),
];

#[tokio::test]
async fn nothing_is_to_be_had() {
    let around = Surroundings::new();
    let mut wrong = Vec::new();
    for (name, script) in ATTACKS {
        match around.bench.shell(&around.aim(script)).await {
            Err(error) if error.failure.code == "exit_code" => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    around.check("shell").await;
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_network_nobody_answers() {
    let around = Surroundings::new();
    let script = "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", $PORT), 2)'";
    let config = json!({ "script": around.aim(script), "network": false });
    let error = around.bench.run("shell", config).await.unwrap_err();
    assert!(error.failure.details.unwrap()["stderr"].as_str().unwrap().contains("PermissionError"));
    around.check("shell").await;
}

/// The result is read by the server, which may read more than the step.
#[tokio::test]
async fn the_result_is_no_way_to_have_the_server_read() {
    let around = Surroundings::new();
    for (name, script) in [
        ("a link", "ln -s $DATABASE $WINDLASS_OUTPUT"),
        ("a link to JSON", "ln -s $DATA/key.json $WINDLASS_OUTPUT"),
        ("a link to a secret", "ln -s /etc/shadow $WINDLASS_OUTPUT"),
        ("a pipe", "mkfifo $WINDLASS_OUTPUT"),
        ("a directory", "mkdir $WINDLASS_OUTPUT"),
        ("two names", "echo 1 > x; ln x $WINDLASS_OUTPUT"),
        ("no JSON", "echo nope > $WINDLASS_OUTPUT"),
    ] {
        let error = around.bench.shell(&around.aim(script)).await.unwrap_err();
        assert_eq!(error.failure.code, "bad_output", "{name}");
    }
    let script = "head -c 17000000 /dev/zero > $WINDLASS_OUTPUT";
    let error = around.bench.shell(script).await.unwrap_err();
    assert_eq!(error.failure.code, "payload_too_large");
    around.check("shell").await;
}
