use std::time::Instant;

use crate::bench::Bench;

/// Not a promise about a machine, but a guard against a way that costs ten times as much.
#[tokio::test]
async fn a_step_is_quick() {
    let bench = Bench::new();
    bench.python("def process(): pass").await.unwrap();
    for (what, code) in [("python", "def process(): pass"), ("javascript", "function process() {}")]
    {
        let mut times = Vec::new();
        for _ in 0..40 {
            let begin = Instant::now();
            if what == "python" {
                bench.python(code).await.unwrap()
            } else {
                bench.javascript(code).await.unwrap()
            };
            times.push(begin.elapsed());
        }
        times.sort();
        eprintln!("{what}: min {:?} p50 {:?} p90 {:?}", times[0], times[20], times[36]);
    }
    let mut times = Vec::new();
    for _ in 0..40 {
        let begin = Instant::now();
        bench.shell(":").await.unwrap();
        times.push(begin.elapsed());
    }
    times.sort();
    eprintln!("shell: min {:?} p50 {:?} p90 {:?}", times[0], times[20], times[36]);
}
