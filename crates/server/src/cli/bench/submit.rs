//! Submitting over many connections, with `wrk` if it is installed, else with a client of ours that
//! does the same.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::profile::Profile;
use super::server::{Server, chain};
use super::{Place, told};

const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(6);
const PATH: &str = "/api/v1/workflows/one/execute";
const ROUNDS: usize = 3;

/// SUBMIT: runs acknowledged a second, while they are executed.
pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    for _ in 0..ROUNDS {
        let probe = place.probe()?;
        let server = Server::start(place, &place.directory("submit")?).await?;
        server.deploy(&chain("one", 1)).await?;
        let profile = Profile::begin(place, &server).await?;
        let (by, rate) = match wrk(&place.root, &server.address).await? {
            Some(rate) => ("wrk", rate),
            None => ("own client", own(&server.address).await?),
        };
        let created = server.metric("windlass_runs_begun_total").await?;
        told(&format!("SUBMIT {CONNECTIONS} connections ({by}): {rate:.0} runs/s"), &probe);
        profile.end(&server, created).await?;
        let began = Instant::now();
        server.until_over(created).await?;
        told(
            &format!("  all {created:.0} over after {:.2} s more", began.elapsed().as_secs_f64()),
            &probe,
        );
        server.stop()?;
    }
    Ok(())
}

/// What `wrk` says; `None` if it is not there.
async fn wrk(root: &Path, address: &str) -> anyhow::Result<Option<f64>> {
    let script = root.join("post.lua");
    std::fs::write(
        &script,
        "wrk.method = \"POST\"\nwrk.body = \"{}\"\n\
         wrk.headers[\"Content-Type\"] = \"application/json\"\n",
    )?;
    let child = tokio::process::Command::new("wrk")
        .args(["-t2", &format!("-c{CONNECTIONS}"), &format!("-d{}s", TIME.as_secs()), "-s"])
        .arg(&script)
        .arg(format!("http://{address}{PATH}"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(output) = child.await else { return Ok(None) };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(!text.contains("Non-2xx"), "some requests were refused:\n{text}");
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(Some(rate.context("wrk said nothing")?.trim().parse()?))
}

async fn own(address: &str) -> anyhow::Result<f64> {
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\n\r\n{{}}"
    );
    let began = Instant::now();
    let clients = (0..CONNECTIONS).map(|_| {
        let (address, request) = (address.to_owned(), request.clone());
        tokio::spawn(async move { client(&address, &request).await })
    });
    let clients: Vec<_> = clients.collect();
    let mut count = 0;
    for client in clients {
        count += client.await??;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

async fn client(address: &str, request: &str) -> anyhow::Result<u32> {
    let mut stream = TcpStream::connect(address).await?;
    let (began, mut count, mut buffer) = (Instant::now(), 0, vec![0; 16 * 1024]);
    while began.elapsed() < TIME {
        stream.write_all(request.as_bytes()).await?;
        let mut length = 0;
        while !is_whole(&buffer[..length]) {
            let more = stream.read(&mut buffer[length..]).await?;
            anyhow::ensure!(more > 0, "the server closed a connection");
            length += more;
        }
        anyhow::ensure!(buffer.starts_with(b"HTTP/1.1 202"), "a request was refused");
        count += 1;
    }
    Ok(count)
}

/// Whether an answer is there with its whole body.
pub(super) fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}
