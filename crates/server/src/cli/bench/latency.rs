use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::ensure;

use super::server::{Server, chain};
use super::{Place, quantile, told};

const RUNS: usize = 500;
/// The first ones open the connection and fill caches.
const WARM_UP: usize = 50;

/// LAT: one run at a time, from the request to the answer with the finished run.
pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    for steps in [1, 10] {
        let probe = place.probe()?;
        let server = Server::start(place, &place.directory("lat")?).await?;
        server.deploy(&chain("chain", steps)).await?;
        let address = server.address.clone();
        let times =
            tokio::task::spawn_blocking(move || one_by_one(&address, "chain", RUNS)).await??;
        let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
        told(&format!("LAT {steps} step(s): p50 {p50:.2} ms, p99 {p99:.2} ms"), &probe);
        server.stop()?;
    }
    Ok(())
}

/// A plain blocking client: what it costs itself would otherwise count as the server's.
pub(super) fn one_by_one(address: &str, workflow: &str, runs: usize) -> anyhow::Result<Vec<f64>> {
    let request = format!(
        "POST /api/v1/workflows/{workflow}/execute HTTP/1.1\r\nHost: {address}\r\nPrefer: wait=30\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (mut times, mut buffer) = (Vec::with_capacity(runs), vec![0; 64 * 1024]);
    for run in 0..WARM_UP + runs {
        let began = Instant::now();
        stream.write_all(request.as_bytes())?;
        let mut length = 0;
        while !super::submit::is_whole(&buffer[..length]) {
            let more = stream.read(&mut buffer[length..])?;
            ensure!(more > 0, "the server closed the connection");
            length += more;
        }
        let took = began.elapsed().as_secs_f64() * 1_000.0;
        let answer = String::from_utf8_lossy(&buffer[..length]);
        ensure!(answer.contains("\"status\":\"succeeded\""), "a run did not succeed: {answer}");
        if run >= WARM_UP {
            times.push(took);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}
