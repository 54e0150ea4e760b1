//! The services a build acts through. Those that cost something to open are opened when they are first needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::base::{DiffId, Platform, Reference};
use crate::build::Error;
use crate::build::transfer::Departures;
use crate::content::Store;
use crate::registry::{Client, ClientOptions};
use crate::sandbox::Sandbox;
use crate::schedule::SingleFlight;
use crate::snapshot::cachemounts::CacheMounts;
use crate::snapshot::{self, Snapshots};
use crate::stages::LocalRecords;

/// How the services are opened.
#[derive(Clone, Debug)]
pub struct DoorOptions {
    /// The folder of the store.
    pub home: PathBuf,
    /// How root file systems are made.
    pub roots: snapshot::Choice,
    /// How registries are spoken to.
    pub registry: ClientOptions,
}

/// The services. Cheap to clone.
#[derive(Clone)]
pub struct Doors(Arc<Inner>);

struct Inner {
    options: DoorOptions,
    /// Where it is remembered what names of base images stand for.
    bases: PathBuf,
    store: Store,
    sandbox: Sandbox,
    snapshots: Lazy<Snapshots>,
    cache_mounts: Lazy<CacheMounts>,
    registry: OnceLock<Client>,
    unpacking: SingleFlight<DiffId, ()>,
    departures: Departures,
    asking: SingleFlight<(Reference, Platform), ()>,
}

impl Doors {
    /// Doors onto an open `store`.
    pub fn new(options: DoorOptions, store: Store, sandbox: Sandbox) -> Self {
        let bases = options.home.join("bases");
        Self(Arc::new(Inner {
            options,
            bases,
            store,
            sandbox,
            snapshots: Lazy::default(),
            cache_mounts: Lazy::default(),
            registry: OnceLock::new(),
            unpacking: SingleFlight::default(),
            departures: Departures::default(),
            asking: SingleFlight::default(),
        }))
    }

    /// The same blobs and base images, with records and unpacked layers of their own in `home`: for builds that are to
    /// know nothing of others.
    #[must_use]
    pub fn apart(&self, home: PathBuf) -> Self {
        Self(Arc::new(Inner {
            options: DoorOptions { home, ..self.0.options.clone() },
            bases: self.0.bases.clone(),
            store: self.0.store.clone(),
            sandbox: self.0.sandbox.clone(),
            snapshots: Lazy::default(),
            cache_mounts: Lazy::default(),
            registry: OnceLock::from(self.registry().clone()),
            unpacking: SingleFlight::default(),
            departures: Departures::default(),
            asking: SingleFlight::default(),
        }))
    }

    /// Where it is remembered what names of base images stand for.
    pub fn bases(&self) -> &Path {
        &self.0.bases
    }

    /// Local blobs.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// What is known of step keys.
    pub fn records(&self) -> LocalRecords {
        LocalRecords::open(self.0.options.home.join("records"))
    }

    /// Where steps run.
    pub fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }

    /// Unpacked layers.
    ///
    /// # Errors
    /// If their folder cannot be used.
    pub fn snapshots(&self) -> Result<Arc<Snapshots>, Error> {
        self.0.snapshots.get(|| {
            let root = self.0.options.home.join("snapshots");
            Snapshots::open(root, self.0.options.roots).map_err(Error::from)
        })
    }

    /// Folders that stay between builds.
    ///
    /// # Errors
    /// If their folder cannot be used.
    pub fn cache_mounts(&self) -> Result<Arc<CacheMounts>, Error> {
        let root = self.0.options.home.join("cachemounts");
        self.0.cache_mounts.get(|| CacheMounts::open(root).map_err(Error::from))
    }

    /// Registries.
    pub fn registry(&self) -> &Client {
        self.0.registry.get_or_init(|| Client::new(self.0.options.registry.clone()))
    }

    /// One unpacking per layer, shared by all steps that wait for it.
    pub fn unpacking(&self) -> &SingleFlight<DiffId, ()> {
        &self.0.unpacking
    }

    /// One question a base image, shared by all builds that wait for the answer.
    pub fn asking(&self) -> &SingleFlight<(Reference, Platform), ()> {
        &self.0.asking
    }

    /// Layers that are being compressed, for all who want them so.
    pub fn departures(&self) -> &Departures {
        &self.0.departures
    }

    /// A folder of files for locks between processes.
    pub fn locks(&self) -> PathBuf {
        self.0.options.home.join("locks")
    }

    /// The folder of the store.
    pub fn home(&self) -> &Path {
        &self.0.options.home
    }
}

/// A value made once, by the first who asks; a failure is not remembered.
struct Lazy<T> {
    cell: OnceLock<Arc<T>>,
    making: Mutex<()>,
}

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self { cell: OnceLock::new(), making: Mutex::new(()) }
    }
}

impl<T> Lazy<T> {
    fn get<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(value) = self.cell.get() {
            return Ok(Arc::clone(value));
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.cell.get() {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        Ok(Arc::clone(self.cell.get_or_init(|| value)))
    }
}

/// Runs `work`, which may block, on a thread that may.
///
/// # Errors
/// Those of `work`; a panic in it is a bug of ours and said to be one.
pub async fn blocking<T, F>(work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Error> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) if e.is_cancelled() => Err(Error::Cancelled),
        Err(e) => Err(Error::Bug(format!("a worker thread failed: {e}"))),
    }
}
