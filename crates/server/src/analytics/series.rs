use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::run::RunStatus;
use windlass_store::RunGlance;

use super::span::Span;
use super::spread::Spread;

/// What became of the runs that were created in a bucket of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct BucketBody {
    /// When it begins, RFC 3339.
    #[schema(format = DateTime)]
    pub bucket: String,
    /// How many runs were created.
    pub started: u64,
    /// How many of them have succeeded.
    pub completed: u64,
    /// How many of them have failed.
    pub failed: u64,
    /// How many of them were cancelled.
    pub cancelled: u64,
    /// How long those that are over took on average, in milliseconds.
    pub avg_duration_ms: Option<u64>,
    /// How long 95 of 100 of them took at most.
    pub p95_ms: Option<u64>,
}

/// Runs over time.
#[derive(Debug)]
pub struct Series {
    span: Span,
    buckets: Vec<(BucketBody, Spread)>,
}

impl Series {
    /// Without any runs.
    pub fn new(span: Span) -> Series {
        let empty = |at: windlass_core::Time| {
            (BucketBody { bucket: at.to_string(), ..BucketBody::default() }, Spread::default())
        };
        Series { span, buckets: span.buckets().map(empty).collect() }
    }

    /// Counts a run.
    pub fn add(&mut self, run: &RunGlance) {
        let bucket = self.span.bucket_of(run.created_at).and_then(|at| self.buckets.get_mut(at));
        let Some((bucket, spread)) = bucket else { return };
        bucket.started += 1;
        match run.status {
            RunStatus::Succeeded => bucket.completed += 1,
            RunStatus::Failed => bucket.failed += 1,
            RunStatus::Cancelled => bucket.cancelled += 1,
            _ => return,
        }
        if let Some(took) = took(run) {
            spread.add(took);
        }
    }

    /// The buckets, the oldest first.
    pub fn told(self) -> Vec<BucketBody> {
        let told = |(bucket, mut spread): (BucketBody, Spread)| BucketBody {
            avg_duration_ms: spread.average(),
            p95_ms: spread.percentile(0.95),
            ..bucket
        };
        self.buckets.into_iter().map(told).collect()
    }
}

/// How long a run took that is over, from its start.
pub fn took(run: &RunGlance) -> Option<std::time::Duration> {
    Some(run.finished_at?.since(run.started_at?))
}
