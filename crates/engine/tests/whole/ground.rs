//! What outlives a server: its store, and files that its steps leave behind.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use windlass_engine::clock::Clock;
use windlass_engine::shard::ShardConfig;
use windlass_engine::{Engine, EngineConfig};
use windlass_store::{MemoryStore, SqliteOptions, Store};

use crate::server::{Server, config};

pub(crate) struct Ground {
    directory: TempDir,
    /// The store, if it is in memory; else it is in the directory.
    memory: Option<Arc<dyn Store>>,
}

impl Ground {
    pub(crate) fn on_disk() -> Ground {
        Ground { directory: tempfile::tempdir().unwrap(), memory: None }
    }

    pub(crate) fn in_memory() -> Ground {
        Ground { memory: Some(Arc::new(MemoryStore::new())), ..Ground::on_disk() }
    }

    pub(crate) fn both() -> [Ground; 2] {
        [Ground::in_memory(), Ground::on_disk()]
    }

    pub(crate) fn options(&self) -> SqliteOptions {
        SqliteOptions::at(self.file("data"))
    }

    /// The store, opened if it is on disk. Only one at a time can have it open there.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match &self.memory {
            Some(store) => store.clone(),
            None => self.options().open(Clock::new().now()).unwrap(),
        }
    }

    /// A server on this ground, as users start it.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(|_| {})
    }

    pub(crate) fn serve_with(&self, change: impl FnOnce(&mut EngineConfig)) -> Server {
        self.serve_over(self.store(), change)
    }

    pub(crate) fn serve_over(
        &self,
        store: Arc<dyn Store>,
        change: impl FnOnce(&mut EngineConfig),
    ) -> Server {
        let (mut config, heard) = config(store, self.directory.path());
        change(&mut config);
        let store = config.store.clone();
        let engine = Engine::start(config, tokio::runtime::Handle::current()).unwrap();
        Server { engine, store, heard }
    }

    /// A server that keeps so many runs in memory for workers, at most.
    pub(crate) fn serve_with_residents(&self, most: usize) -> Server {
        let (config, heard) = config(self.store(), self.directory.path());
        let store = config.store.clone();
        let handle = tokio::runtime::Handle::current();
        let small = |shard: &mut ShardConfig| shard.resident_count_max = most;
        let engine = Engine::start_with(config, handle, small).unwrap();
        Server { engine, store, heard }
    }

    /// A place for a file that a step reads or writes.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The lines that steps have left in a file.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.file(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A pipe that a step can wait at.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}
