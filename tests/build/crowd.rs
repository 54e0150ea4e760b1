//! Many builds at once on one store: each step runs once, results are equal, and the dead hold nothing.

use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::lab::{Lab, everybody};

/// Four projects that have their beginning in common; each RUN writes its name down where all builds can see it.
fn project(number: usize) -> String {
    let run = |name: &str| {
        format!(
            "RUN --mount=type=cache,target=/count,sharing=locked \
             [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox sleep 0.1; echo {name} >> /count/log; \
             /bin/busybox cat /proc/sys/kernel/random/uuid > /{name}\"]\n"
        )
    };
    let mut text = "FROM scratch AS common\nCOPY busybox /bin/busybox\n".to_owned();
    text.push_str(&run("one"));
    text.push_str(&run("two"));
    text.push_str("FROM common AS half\n");
    text.push_str(&run(&format!("half{}", number / 2)));
    text.push_str("FROM common\n");
    text.push_str(&run(&format!("own{number}")));
    text.push_str(&format!("COPY --from=half /half{} /half\n", number / 2));
    text
}

fn start(lab: &Lab, number: usize) -> Child {
    let folder = format!("p{number}");
    let arguments = ["image", "build", "-q", folder.as_str()];
    lab.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The locks of the store that somebody holds.
fn held(lab: &Lab) -> Vec<String> {
    let mut held = Vec::new();
    for entry in std::fs::read_dir(lab.store().join("locks")).unwrap().flatten() {
        let file = std::fs::File::open(entry.path()).unwrap();
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            held.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    held
}

#[test]
fn eight_builds_at_once_run_each_step_once() {
    for who in everybody() {
        let lab = Lab::new(who);
        for number in 0..4 {
            let context = lab.busybox_context(&format!("p{number}"), &[]);
            std::fs::write(context.join("Dockerfile"), project(number)).unwrap();
        }
        // Some are killed while they hold locks, right at the beginning.
        let mut early: Vec<Child> = (0..4).map(|number| start(&lab, number)).collect();
        std::thread::sleep(Duration::from_millis(300));
        for child in &mut early {
            let _ = child.kill();
            child.wait().unwrap();
        }
        let counted = |lab: &Lab| {
            let context = lab.busybox_context("count", &[]);
            let text = "FROM scratch\nCOPY busybox /bin/busybox\n\
                RUN --mount=type=cache,target=/count [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox cat /count/log > /log || true\"]\n";
            lab.build(&context, text, &["--no-cache", "-o", "out/count"]).success();
            std::fs::read_to_string(lab.path("out/count/log")).unwrap()
        };
        let before = counted(&lab);
        let children: Vec<Child> = (0..8).map(|n| start(&lab, n % 4)).collect();
        let ids: Vec<String> = children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{who:?}: {}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap()
            })
            .collect();
        for number in 0..4 {
            assert_eq!(ids[number], ids[number + 4], "two builds of project {number} as {who:?}");
        }
        let mut log: Vec<String> = counted(&lab)[before.len()..].lines().map(str::to_owned).collect();
        log.sort_unstable();
        let all = ["half0", "half1", "one", "own0", "own1", "own2", "own3", "two"];
        let mut expected: Vec<&str> = all.to_vec();
        // What the killed ones had finished is not done again.
        expected.retain(|name| log.iter().any(|ran| ran == name) || !before.contains(name));
        assert_eq!(log, expected, "as {who:?}, after {before:?}");
        assert!(held(&lab).is_empty(), "held as {who:?}: {:?}", held(&lab));
        lab.ok(&["image", "check"]);
    }
}
