//! `lap image run`, from the command line down.

use std::io::{Read as _, Write as _};
use std::process::Output;

use crate::stage::{Stage, ages, as_everybody, processes_with};

fn run(stage: &Stage, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec!["image", "run", "--rm"];
    all.extend_from_slice(arguments);
    let Output { status, stdout, stderr } = stage.lap(&all).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

fn shop(stage: &Stage) {
    stage.make_image("shop:1", |config| {
        config.env = vec!["PATH=/bin".into(), "GREETING=hello".into()];
        config.entrypoint = vec!["sh".into(), "-c".into()];
        config.cmd = vec!["echo $GREETING $(id -un) $(pwd)".into()];
        config.working_dir = "/work/here".into();
        config.user = "app".into();
    });
}

#[test]
fn the_configuration_is_honoured_and_can_be_overridden() {
    as_everybody(|stage| {
        shop(&stage);
        let (code, out, err) = run(&stage, &["shop:1"]);
        assert_eq!((code, out.as_str()), (Some(0), "hello app /work/here\n"), "{err}");
        let (code, out, err) = run(
            &stage,
            &[
                "-e",
                "GREETING=bye",
                "-w",
                "/tmp",
                "-u",
                "0",
                "shop:1",
                "echo $GREETING $(id -u) $PWD; exit 9",
            ],
        );
        assert_eq!((code, out.as_str()), (Some(9), "bye 0 /tmp\n"), "{err}");
        let (code, out, err) =
            run(&stage, &["--entrypoint", "cat", "--add-host", "db:10.1.1.1", "shop:1", "/etc/hosts"]);
        assert!(code == Some(0) && out.contains("10.1.1.1\tdb"), "{out}{err}");
        let (code, _, err) = run(&stage, &["--entrypoint", "nothing", "shop:1"]);
        assert!(code == Some(127) && err.contains("nothing: not found"), "{err}");
        assert_eq!(run(&stage, &["-v", "data:/x", "shop:1"]).0, Some(2));
        assert_eq!(run(&stage, &["-v", "/no/such/place:/x", "shop:1"]).0, Some(2));
    });
}

#[test]
fn changes_are_thrown_away_and_volumes_are_real() {
    as_everybody(|stage| {
        shop(&stage);
        stage.put(&stage.beside("data/file"), "given\n");
        let data = stage.beside("data").display().to_string();
        let script = "cat /data/file; echo new > /data/made; echo x > /lost";
        let (code, out, err) = run(&stage, &["-u", "0", "-v", &format!("{data}:/data"), "shop:1", script]);
        assert_eq!((code, out.as_str()), (Some(0), "given\n"), "{err}");
        assert_eq!(std::fs::read_to_string(stage.beside("data/made")).unwrap(), "new\n");
        let read_only = format!("{data}:/data:ro");
        let (code, out, _) =
            run(&stage, &["-u", "0", "-v", &read_only, "shop:1", "ls /lost /data; echo x > /data/no"]);
        assert_eq!((code, out.as_str()), (Some(1), "/data:\nfile\nmade\n"));
    });
}

#[test]
fn input_and_signals_reach_the_command() {
    as_everybody(|stage| {
        shop(&stage);
        let mut child = stage.lap(&["image", "run", "-i", "shop:1", "cat; echo end"]).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "typed\nend\n");
        let script = "trap 'echo got; exit 7' TERM; echo up; while :; do sleep 0.05; done";
        let mut child = stage.lap(&["image", "run", "shop:1", script]).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(7), b"got\n".as_slice()));
    });
}

#[test]
fn killing_lap_kills_the_command() {
    as_everybody(|stage| {
        shop(&stage);
        let word = format!("sleep {}", ages());
        let script = format!("echo up; trap '' TERM INT HUP; {word}; :");
        let mut child = stage.lap(&["image", "run", "shop:1", &script]).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let begun = std::time::Instant::now();
        while !processes_with(&word).is_empty() {
            assert!(begun.elapsed().as_secs() < 60, "{:?}", processes_with(&word));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        // The next run just works.
        assert_eq!(run(&stage, &["shop:1"]).0, Some(0));
    });
}
