//! Making connections: what is asked of a server before it is trusted, and how long to wait before
//! knocking again.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresOptions;
use super::address::{self, Address};
use super::connection::PgConnection;
use super::errors::message;
use super::tls;
use crate::error::StoreError;
use crate::io::Io;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Reader,
}

/// A writer's statements have one shape each and one index each; a planner that knows nothing yet
/// of a new table must not read all of it. A transaction that its process has forgotten ends, so
/// that nobody waits for it.
const WRITER: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; SET lock_timeout = '15s';
    SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '8s'";

const CONDITIONS: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only'),
    current_setting('synchronous_commit'), current_setting('server_encoding'),
    current_setting('fsync')";

const OWN: &str = "SELECT pg_try_advisory_lock(2003398252, 1)";

/// How long another process is waited for. One that was killed lives on in the server until that
/// has noticed.
const OWN_WAIT_MAX: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

pub(super) struct Door {
    address: Address,
    connector: MakeRustlsConnect,
    read_time_max: Duration,
    trouble: Mutex<Option<Trouble>>,
    io: Io,
    /// Told when a writer's connection has ended.
    lost: Sender<()>,
}

/// The last knock was not answered.
struct Trouble {
    message: String,
    pause: Duration,
    until: Instant,
}

impl Door {
    /// With whoever listens for the end of a writer's connection.
    pub(super) fn new(options: &PostgresOptions, lost: Sender<()>) -> Result<Door, StoreError> {
        let address = address::parse(&options.url)?;
        let connector = tls::connector(&address)?;
        let (read_time_max, trouble, io) =
            (options.read_time_max, Mutex::default(), Io::start("windlass-pg")?);
        Ok(Door { address, connector, read_time_max, trouble, io, lost })
    }

    /// Makes a connection that may be used.
    pub(super) fn open(&self, role: Role) -> Result<PgConnection, StoreError> {
        let (config, connector) = (self.address.config.clone(), self.connector.clone());
        let lost = (role == Role::Writer).then(|| self.lost.clone());
        let connected = self.io.run(async move {
            let (client, connection) = config.connect(connector).await?;
            tokio::spawn(async move {
                // Whoever uses the client is told as well.
                if let Err(error) = connection.await {
                    tracing::warn!(error = message(&error), "a connection to the database ended");
                }
                if let Some(lost) = lost {
                    let _ = lost.send(());
                }
            });
            Ok(client)
        })?;
        let client = connected
            .map_err(|error: tokio_postgres::Error| StoreError::Unavailable(message(&error)))?;
        let mut connection = PgConnection::new(client);
        match role {
            Role::Writer => {
                connection.say(WRITER);
                check(&mut connection)?;
            }
            Role::Reader => {
                let most = self.read_time_max.as_millis().max(1);
                connection.ask(&format!(
                    "SELECT set_config('statement_timeout', '{most}', false),
                            set_config('jit', 'off', false)"
                ))?;
            }
        }
        Ok(connection)
    }

    /// Makes a connection anew, unless it was tried just now and failed.
    pub(super) fn open_again(&self, role: Role) -> Result<PgConnection, StoreError> {
        let mut trouble = self.trouble.lock();
        if let Some(trouble) = &*trouble
            && Instant::now() < trouble.until
        {
            return Err(StoreError::Unavailable(trouble.message.clone()));
        }
        match self.open(role) {
            Ok(mut connection) => {
                *trouble = None;
                if role == Role::Writer {
                    tracing::info!("connected to the database again");
                    // That is for the epoch to tell: whoever took over has a newer one.
                    if connection.ask(OWN)? != ["t"] {
                        tracing::error!("another windlass process is using the database");
                    }
                }
                Ok(connection)
            }
            Err(error) => {
                let pause = trouble.as_ref().map_or(PAUSE_MIN, |last| last.pause * 2);
                let pause = pause.min(PAUSE_MAX);
                let message = match &error {
                    StoreError::Unavailable(message) => message.clone(),
                    other => other.to_string(),
                };
                *trouble = Some(Trouble { message, pause, until: Instant::now() + pause });
                Err(error)
            }
        }
    }

    /// Makes the database this process's own for as long as the connection lasts.
    pub(super) fn own(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let begin = Instant::now();
        while connection.ask(OWN).map_err(StoreError::from)? != ["t"] {
            if begin.elapsed() >= OWN_WAIT_MAX {
                let message = "cannot use the database: another windlass process is using it";
                return Err(StoreError::CannotOpen(message.to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

/// Whether the server keeps what it says it has kept.
fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let conditions = connection.ask(CONDITIONS)?;
    let [is_standby, read_only, synchronous, encoding, fsync] = conditions.as_slice() else {
        return Err(StoreError::Damaged("the server answers in an unknown way".to_owned()));
    };
    let refused = |message: String| Err(StoreError::Unavailable(message));
    if is_standby == "t" {
        return refused("the server is a standby and takes no writes: name the primary".to_owned());
    }
    if read_only == "on" {
        return refused("the server takes no writes: `transaction_read_only` is on".to_owned());
    }
    if !matches!(synchronous.as_str(), "on" | "remote_apply") {
        return refused(format!(
            "the server acknowledges what is not durable yet: `synchronous_commit` is \
             {synchronous} and must be on for this user and database"
        ));
    }
    if encoding != "UTF8" {
        return refused(format!("the database's encoding is {encoding} and must be UTF8"));
    }
    if fsync != "on" {
        tracing::warn!("the database server runs with fsync off: a crash may lose anything");
    }
    Ok(())
}
