//! Runs one command in a sandbox, described by a JSON file: the smallest program around the sandbox, and what its tests
//! drive. `sandbox FILE`, with `-i` for standard input and `-t` for a terminal inside.
//!
//! `{"root": {"directory": "/r"}, "args": ["/bin/sh", "-c", "id"], "user": "app", "network": "none"}`; see [`Wish`].
//! The result is one line of JSON on descriptor 3 if that is open, else on standard error.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lapstrake::base::Failure;
use lapstrake::host;
use lapstrake::report::{Context, Stream};
use lapstrake::sandbox::{
    Attach, Error, Exit, HostAddress, Mount, Network, ResourceLimit, Root, RunSpec, Sandbox, Status,
};
use serde::Deserialize;
use serde_json::json;

/// What is to be run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    root: Root,
    args: Vec<String>,
    #[serde(default)]
    env: Vec<(String, String)>,
    #[serde(default)]
    cwd: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    network: Network,
    #[serde(default)]
    mounts: Vec<Mount>,
    #[serde(default)]
    hosts: Vec<(String, String)>,
    #[serde(default)]
    trust: Option<String>,
    #[serde(default)]
    ulimits: Vec<ResourceLimit>,
    /// Cancel after so many milliseconds.
    #[serde(default)]
    cancel_after: Option<u64>,
    /// Run it so many times, for measuring.
    #[serde(default)]
    times: Option<u32>,
}

fn main() -> ExitCode {
    if let Some(code) = rootfs_helpers::dispatch() {
        return code;
    }
    let begun = Instant::now();
    let entered = rootfs_helpers::enter::enter();
    let entering = begun.elapsed();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|a| a == flag);
    let attach = Attach { input: has("-i"), terminal: has("-t") };
    let file = arguments.iter().find(|a| !a.starts_with('-')).map_or("", String::as_str);
    let wish = std::fs::read(file).map_err(|e| e.to_string());
    let wish: Wish = match wish.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|e| e.to_string())) {
        Ok(wish) => wish,
        Err(error) => return answer(&json!({ "error": error }), 2),
    };
    let rung = format!("{:?}", entered.rung);
    let (times, cancel_after) = (wish.times.unwrap_or(1), wish.cancel_after);
    let spec = match spec(wish) {
        Ok(spec) => spec,
        Err(error) => return answer(&json!({ "error": error.message() }), 2),
    };
    let cx = Context::silent(host::clock::system());
    if let Some(after) = cancel_after {
        let token = cx.cancel.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(after));
            token.cancel();
        });
    }
    let sandbox = Sandbox::current(entered.clone());
    let show = |stream, bytes: &[u8]| {
        let _ = match stream {
            Stream::Stdout => std::io::stdout().write_all(bytes),
            Stream::Stderr => std::io::stderr().write_all(bytes),
        };
    };
    let once = || {
        let begun = Instant::now();
        let result = match attach {
            Attach { input: false, terminal: false } => sandbox.run(&cx, &spec, &show),
            _ => attached(&sandbox, &cx, &spec, attach),
        };
        (result, begun.elapsed())
    };
    let (mut result, mut least) = once();
    for _ in 1..times {
        let (next, took) = once();
        (result, least) = (next, least.min(took));
    }
    match result {
        Ok(exit) => {
            let signal = match exit.status {
                Status::Signal(number) => Some(number),
                Status::Code(_) => None,
            };
            let line = json!({
                "rung": rung, "map": entered.map_key, "code": exit.code(), "signal": signal,
                "max_rss": exit.usage.max_rss, "user_micros": exit.usage.user_micros,
                "entering_micros": entering.as_micros() as u64, "least_micros": least.as_micros() as u64,
            });
            answer(&line, u8::try_from(exit.code()).unwrap_or(1))
        }
        Err(error) => {
            let failure = Failure::from(error);
            let line = json!({
                "rung": rung, "error": failure.message(), "kind": failure.kind().name(),
                "causes": failure.causes(), "hints": failure.hints(), "exit": failure.exit_code(),
            });
            answer(&line, failure.exit_code())
        }
    }
}

/// Signals are caught by the runtime.
fn attached(sandbox: &Sandbox, cx: &Context, spec: &RunSpec, attach: Attach) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("threads can be started");
    let _within = runtime.enter();
    sandbox.run_attached(cx, spec, attach)
}

fn spec(wish: Wish) -> Result<RunSpec, Failure> {
    let mut hosts = Vec::new();
    for (name, address) in wish.hosts {
        hosts.push((name, address.parse::<HostAddress>()?));
    }
    Ok(RunSpec {
        env: wish.env,
        cwd: wish.cwd,
        user: wish.user,
        network: wish.network,
        mounts: wish.mounts,
        hosts,
        trust: wish.trust.map(Arc::from),
        ulimits: wish.ulimits,
        ..RunSpec::new(wish.root, wish.args)
    })
}

fn answer(line: &serde_json::Value, code: u8) -> ExitCode {
    let written = std::fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/fd/3")
        .and_then(|mut file| writeln!(file, "{line}"));
    if written.is_err() {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    ExitCode::from(code)
}
