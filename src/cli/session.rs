//! What a command acts with: where it reports, when it stops, and the store it works on.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use rootfs_helpers::enter::{Entered, Rung, enter};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::base::{Failure, Kind, Reference};
use crate::build::{DoorOptions, Doors};
use crate::cli::Global;
use crate::content::{OpenOptions, Store};
use crate::host;
use crate::registry::{ClientOptions, Credentials, Machine};
use crate::report::{Context, Limits, Reporter, Secrets, Sink};
use crate::sandbox::Sandbox;
use crate::snapshot;
use crate::ui::Renderer;

/// What a command needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Neither namespace nor unpacked layers.
    Process,
    /// To own files of many users and to mount: a namespace.
    Namespace,
}

/// A running command.
pub struct Session {
    /// Where to report, when to stop.
    pub cx: Context,
    /// How the process entered its namespace.
    pub entered: Entered,
    home: PathBuf,
    runtime: Runtime,
    second_ends: Arc<AtomicBool>,
    renderer: Mutex<Option<Renderer>>,
}

/// Flags of commands that speak to registries.
#[derive(Args, Debug, Clone, Default)]
pub struct RegistryFlags {
    /// Speak to this registry over plain http, or accept any certificate of it; may be repeated
    #[arg(long, value_name = "HOST", help_heading = "Registry options")]
    insecure: Vec<String>,
    /// Trust the certificates in this PEM file beside the system's; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Registry options", env = "LAP_CA_FILE")]
    ca_file: Vec<PathBuf>,
    /// Read from MIRROR before REGISTRY: REGISTRY=MIRROR; may be repeated
    #[arg(long, value_name = "REGISTRY=MIRROR", help_heading = "Registry options", value_parser = mirror)]
    mirror: Vec<(String, String)>,
}

fn mirror(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((registry, mirror)) if !registry.is_empty() && !mirror.is_empty() => {
            Ok((registry.to_owned(), mirror.to_owned()))
        }
        _ => Err("write REGISTRY=MIRROR, for example docker.io=mirror.example:5000".into()),
    }
}

impl RegistryFlags {
    /// How registries are spoken to.
    pub fn options(&self) -> ClientOptions {
        let mut options = ClientOptions {
            credentials: Credentials::from_environment(),
            insecure: self.insecure.iter().cloned().collect(),
            ca_files: self.ca_file.clone(),
            machine: Machine::from_environment(),
            ..ClientOptions::default()
        };
        for (registry, location) in &self.mirror {
            let mirror = crate::registry::Mirror { location: location.clone() };
            options.mirrors.entry(registry.clone()).or_default().push(mirror);
        }
        options
    }
}

impl Session {
    /// Begins a command; `doing` is what a live display says is being done. With [`Needs::Namespace`] this must come before any thread exists.
    ///
    /// # Errors
    /// If the place of the store is unknown or the progress display cannot be had.
    pub fn begin(global: &Global, needs: Needs, doing: &'static str) -> Result<Self, Failure> {
        Self::begin_told(global, needs, doing, None)
    }

    /// The same with somebody else who is told what happens.
    ///
    /// # Errors
    /// See [`Session::begin`].
    pub fn begin_told(
        global: &Global,
        needs: Needs,
        doing: &'static str,
        also: Option<Arc<dyn Sink>>,
    ) -> Result<Self, Failure> {
        let entered = match needs {
            Needs::Namespace => enter(),
            Needs::Process => outside(),
        };
        let clock = host::clock::system();
        let renderer = Renderer::stderr(global.choice(), doing, clock.clone())?;
        let sinks = std::iter::once(renderer.sink()).chain(also).collect();
        let report = Reporter::new(sinks, Arc::new(Secrets::default()));
        let mut limits = Limits::default();
        if let Some(jobs) = global.jobs {
            limits.jobs = jobs;
        }
        limits.layer_size = global.max_layer_size.unwrap_or(limits.layer_size);
        limits.layer_entries = global.max_layer_entries.unwrap_or(limits.layer_entries);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(limits.jobs.get().clamp(2, 8))
            .build()
            .map_err(|e| Failure::new(Kind::Environment, "start worker threads").caused_by(&e))?;
        let cx = Context { report, cancel: CancellationToken::new(), limits, clock };
        let second_ends = Arc::new(AtomicBool::new(true));
        watch_signals(&runtime, cx.cancel.clone(), Arc::clone(&second_ends));
        Ok(Self { cx, entered, home: home()?, runtime, second_ends, renderer: Mutex::new(Some(renderer)) })
    }

    /// A display for another round of the same command, after [`Session::block_on`] has closed that of the last one.
    ///
    /// # Errors
    /// If the progress display cannot be had.
    pub fn renew(&mut self, global: &Global, doing: &'static str) -> Result<(), Failure> {
        let renderer = Renderer::stderr(global.choice(), doing, self.cx.clock.clone())?;
        // What was secret stays so: clients keep credentials that they have shown once.
        self.cx.report = Reporter::new(vec![renderer.sink()], Arc::clone(self.cx.report.secrets()));
        *self.renderer.lock().unwrap_or_else(PoisonError::into_inner) = Some(renderer);
        Ok(())
    }

    /// The store.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.home, &OpenOptions::default())?)
    }

    /// All services.
    ///
    /// # Errors
    /// If the store cannot be opened.
    pub fn doors(&self, registry: ClientOptions) -> Result<Doors, Failure> {
        let options = DoorOptions { home: self.home.clone(), roots: roots()?, registry };
        Ok(Doors::new(options, self.store()?, Sandbox::current(self.entered.clone())))
    }

    /// From now on a second signal does not end this process: signals belong to the command that it runs.
    pub fn give_signals_away(&self) {
        self.second_ends.store(false, Ordering::Relaxed);
    }

    /// Runs the command to its end and closes the display.
    pub fn block_on<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let result = self.runtime.block_on(work);
        let renderer = self.renderer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Dropping it writes what stays on the screen.
        drop(renderer);
        match result {
            // Whatever failed while stopping is an echo of the wish to stop.
            Err(failure) if self.cx.cancel.is_cancelled() && failure.kind() != Kind::Cancelled => {
                Err(Failure::new(Kind::Cancelled, "stopped on request"))
            }
            other => {
                let secrets = self.cx.report.secrets();
                other.map_err(|failure| failure.map_texts(&|text| secrets.redact_text(text)))
            }
        }
    }

    /// Ends the command without waiting for threads that are still busy.
    pub fn end(self, code: ExitCode) -> ExitCode {
        self.runtime.shutdown_background();
        code
    }

    /// Whether steps can run and layers be unpacked.
    pub fn can_run(&self) -> bool {
        self.entered.rung != Rung::None
    }
}

/// A command that needs no namespace stays where it is.
fn outside() -> Entered {
    let (uid, gid) = host::user();
    Entered { rung: Rung::None, uid, gid, map_key: "outside".into(), diagnosis: None }
}

/// The folder of the store: `LAP_HOME`, else `lapstrake` in the XDG data folder.
///
/// # Errors
/// If nothing says where it is.
pub fn home() -> Result<PathBuf, Failure> {
    if let Some(home) = host::env::path("LAP_HOME") {
        return if home.is_absolute() { Ok(home) } else { Ok(host::env::current_dir()?.join(home)) };
    }
    match host::env::data_home() {
        Some(data) => Ok(data.join("lapstrake")),
        None => Err(Failure::new(Kind::Environment, "find the folder of the store")
            .because("neither LAP_HOME nor XDG_DATA_HOME nor HOME is set")
            .hint("set LAP_HOME to a folder that can be written")),
    }
}

/// How root file systems are made; `LAP_ROOTS` overrides what is found to work.
fn roots() -> Result<snapshot::Choice, Failure> {
    match host::env::var("LAP_ROOTS").as_deref() {
        None | Some("auto") => Ok(snapshot::Choice::Auto),
        Some("overlay") => Ok(snapshot::Choice::Overlay),
        Some("copy") => Ok(snapshot::Choice::Copy),
        Some(other) => Err(Failure::new(Kind::Usage, "read LAP_ROOTS")
            .because(format!("`{other}` is none of auto, overlay, copy"))),
    }
}

/// The first request to stop cancels; a second one ends the process at once, while `second_ends`.
fn watch_signals(runtime: &Runtime, cancel: CancellationToken, second_ends: Arc<AtomicBool>) {
    runtime.spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            };
            if cancel.is_cancelled() && second_ends.load(Ordering::Relaxed) {
                host::exit(code);
            }
            cancel.cancel();
        }
    });
}

/// Reads an image name as people write it.
///
/// # Errors
/// In words, for clap.
pub fn reference(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|e: crate::base::InvalidReference| e.to_string())
}
