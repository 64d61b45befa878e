//! Where connections to a service live: one thread of ours, whoever calls. A caller only waits, so the store may
//! be called from any thread, one that runs futures included.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use futures_util::future::{MaybeDone, maybe_done};
use tokio::runtime::{Builder, Runtime};

use crate::error::StoreError;

/// A thread that futures run on.
pub(crate) struct Io(Option<Runtime>);

impl Io {
    /// Starts the thread under a name.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if the system refuses.
    pub(crate) fn start(name: &str) -> Result<Io, StoreError> {
        let mut thread = Builder::new_multi_thread();
        thread.worker_threads(1).thread_name(name).enable_all();
        let runtime = thread.build().map_err(|error| {
            StoreError::CannotOpen(format!("cannot start the thread `{name}`: {error}"))
        })?;
        Ok(Io(Some(runtime)))
    }

    /// Runs a future on the thread, and waits for it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the thread has ended.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable("a thread of the store has ended".to_owned());
        let task = self.0.as_ref().ok_or_else(gone)?.spawn(future);
        wait(task).map_err(|_| gone())
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        // Waiting for the thread is not allowed where futures run, and nobody needs it to end.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Blocks this thread until the future is done.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A request that has been handed over to its connection. Those handed over later are sent without
/// waiting for its answer, and are answered after it.
pub(crate) struct Sent<F: Future>(Pin<Box<MaybeDone<F>>>);

impl<F: Future> Sent<F> {
    pub(crate) fn new(request: F) -> Sent<F> {
        let mut request = Box::pin(maybe_done(request));
        // A request is handed over when it is first polled.
        let _ = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        Sent(request)
    }

    pub(crate) fn answer(mut self) -> F::Output {
        wait(self.0.as_mut());
        self.0.as_mut().take_output().expect("a request that was waited for has its answer")
    }
}
