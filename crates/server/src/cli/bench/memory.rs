//! Resident memory, as the system counts it.

use std::time::Duration;

use anyhow::Context;

use super::server::Server;

/// Resident memory of a server and of the process that stands by for it, in MiB, after a moment's
/// rest.
pub(super) async fn resident(server: &Server) -> anyhow::Result<f64> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut sum = 0.0;
    for pid in family(server.pid())? {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        sum += kib.context("the system does not say how much memory is resident")? / 1_024.0;
    }
    Ok(sum)
}

/// Seconds of processor time that a process has taken so far.
pub(super) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in parentheses and may hold anything; what follows is numbers.
    let rest = stat.rsplit_once(')').context("the system does not say what a process takes")?.1;
    let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|one| one.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / TICKS_PER_SECOND)
}

/// Linux counts in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process and its children.
fn family(pid: u32) -> anyhow::Result<Vec<u32>> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    Ok(std::iter::once(pid).chain(children).collect())
}
