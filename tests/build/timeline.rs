//! The page of `--timeline`, in a real browser without a network.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::lab::{Lab, Who};

/// The document as Debian's chromium has it after its scripts have run. The browser is in a network namespace of its own,
/// so whatever the page would fetch fails; its console goes to standard error.
fn browse(page: &Path, more: &[&str]) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--net", "chromium", "--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap_or_else(|e| panic!("unshare: {e}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "chromium is missing or cannot start: run tests/prepare\n{err}");
    (out.into_owned(), err.into_owned())
}

const SHELL: &str = "FROM scratch AS shell\n\
    COPY busybox /bin/busybox\n\
    RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

#[test]
fn the_page_tells_the_build() {
    let lab = Lab::new(Who::Caller);
    let context = lab.busybox_context("c", &[]);
    let warm = format!("{SHELL}FROM shell\nRUN true\n");
    lab.build(&context, &warm, &[]).success();
    fs::write(lab.path("secret"), "hunter22-long").unwrap();
    // The slow stage waits for the quick one, and a while longer.
    let mount = "--mount=type=cache,target=/m";
    let text = format!(
        "{SHELL}FROM shell AS slow\nRUN {mount} until test -e /m/x; do sleep 0.1; done; sleep 1; echo '<b onclick=x>'\n\
         FROM shell AS quick\nRUN {mount} touch /m/x\n\
         FROM shell\nCOPY --from=slow /bin/busybox /s\nCOPY --from=quick /bin/busybox /q\n\
         RUN --mount=type=secret,id=s echo \"<img src=x> $(cat /run/secrets/s)\"; exit 3\n"
    );
    let flags = [
        "--jobs",
        "4",
        "--timeline",
        "out/time.html",
        "--secret",
        "id=s,src=secret",
        "-t",
        "shop:1",
        "--build-arg",
        "X=hunter22-long",
    ];
    lab.build(&context, &text, &flags).failure(&["exit code: 3"]);
    let page = fs::read_to_string(lab.path("out/time.html")).unwrap();
    assert!(!page.contains("hunter22") && !page.contains("<img") && !page.contains("<b onclick"), "{page}");
    for outside in ["http:", "https:", "src=\"", "@import", "<link", "url(//"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // Arrow keys move through the table: pressed by a script that is added to a copy.
    let keys = "<script>const row = document.querySelector('#tasks tbody tr'); row.focus();\n\
        document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown'}));\n\
        document.body.dataset.focus = document.activeElement.id;\n\
        document.body.dataset.marked = document.querySelector('svg .row.on').getAttribute('href');\n\
        document.body.dataset.width = document.querySelector('svg .bar').getBoundingClientRect().width > 0;\n\
        document.body.dataset.wide = document.documentElement.scrollWidth > window.innerWidth;\n\
        document.body.dataset.fetched = performance.getEntriesByType('resource').length;</script></body>";
    let copy = lab.path("out/keys.html");
    fs::write(&copy, page.replace("</body>", keys)).unwrap();
    let (dom, console) = browse(&copy, &["--dump-dom"]);
    for wanted in [
        "data-focus=\"task-2\"",
        "data-marked=\"#task-2\"",
        "data-width=\"true\"",
        "data-wide=\"false\"",
        "data-fetched=\"0\"",
    ] {
        assert!(dom.contains(wanted), "no {wanted} in {dom}\n{console}");
    }
    assert!(!console.contains("Uncaught") && !console.contains("Refused to"), "{console}");
    let rows = dom.matches("<tr id=\"task-").count();
    assert_eq!(rows, dom.matches("class=\"bar ").count(), "one bar a row");
    assert!(rows >= 7, "{dom}");
    let row = |words: &str| {
        let at = dom.find("<tbody>").unwrap();
        let row = dom[at..].split("<tr ").find(|row| row.contains(words));
        row.unwrap_or_else(|| panic!("no row {words} in {dom}")).to_owned()
    };
    assert!(row("COPY busybox /bin/busybox").contains("<td>cached</td>"));
    assert!(row("; sleep 1; echo").contains("<td>yes</td>"), "the slow stage is on the longest way");
    let quick = row(" touch /m/x");
    assert!(quick.contains("<td></td></tr>"), "the quick one is not: {quick}");
    let failed = row("exit 3");
    assert!(failed.contains("<td>failed</td>") && failed.contains("<details open"), "{failed}");
    assert!(failed.contains("&lt;img src=x&gt; ***"), "{failed}");
}

#[test]
fn without_scripts_the_table_is_there() {
    let lab = Lab::new(Who::Caller);
    let context = lab.context("c", &[("file", "x")]);
    lab.build(&context, "FROM scratch\nCOPY file /\n", &["--timeline", "out/time.html"]).success();
    let page = fs::read_to_string(lab.path("out/time.html")).unwrap();
    let (start, end) = (page.find("<script>").unwrap(), page.find("</script>").unwrap());
    let plain = format!("{}{}", &page[..start], &page[end + "</script>".len()..]);
    assert!(plain.contains("<th scope=\"row\">[1/1] COPY file /"), "{plain}");
    // It is a document that a strict reader takes: every element is closed.
    for element in
        ["table", "tbody", "tr", "th", "td", "svg", "a", "figure", "main", "details", "pre", "dl", "div"]
    {
        let open =
            plain.matches(&format!("<{element} ")).count() + plain.matches(&format!("<{element}>")).count();
        assert_eq!(open, plain.matches(&format!("</{element}>")).count(), "{element}");
    }
    lab.build(&context, "FROM scratch\nCOPY file /\n", &["--timeline", "nowhere/time.html"])
        .failure(&["nowhere"]);
}
