use std::time::Instant;

use super::profile::Profile;
use super::server::{Server, chain};
use super::{Place, told};

const RUNS: usize = 2_000;
const STEPS: usize = 10;
const ROUNDS: usize = 3;

/// SEQ: many runs of many steps at once.
pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    for _ in 0..ROUNDS {
        let probe = place.probe()?;
        let server = Server::start(place, &place.directory("seq")?).await?;
        server.deploy(&chain("chain", STEPS)).await?;
        let profile = Profile::begin(place, &server).await?;
        let began = Instant::now();
        server.execute("chain", RUNS).await?;
        server.until_over(RUNS as f64).await?;
        let steps = (RUNS * STEPS) as f64 / began.elapsed().as_secs_f64();
        let share = steps / probe.rows;
        told(
            &format!("SEQ 2,000 runs x 10 steps: {steps:.0} steps/s, {share:.4} of rows/s"),
            &probe,
        );
        profile.end(&server, (RUNS * STEPS) as f64).await?;
        server.stop()?;
    }
    Ok(())
}
