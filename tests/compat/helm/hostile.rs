//! Repositories that mean harm, or fail: nothing is given away, nothing grows without a bound, the cache stays whole.

use super::Lab;

fn lab() -> Lab {
    let lab = Lab::new(&format!("{} helm", env!("CARGO_BIN_EXE_lap")));
    for line in ["helm package web -d www/shop", "helm repo index www/shop"] {
        assert!(lab.run(line).status.success(), "{line}");
    }
    lab
}

fn fails(lab: &Lab, line: &str, words: &str) {
    let output = lab.run(line);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}: {error}");
    assert!(error.contains(words), "{line}: {error}");
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_host() {
    let lab = lab();
    let output = lab.run("helm repo add a $HTTP/away/shop --username ann --password secret");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = lab.site.seen.lock().unwrap().clone();
    let (first, second) = (&seen[seen.len() - 2], &seen[seen.len() - 1]);
    assert!(first.path.starts_with("/away/") && first.authorization.is_some() && first.status == 302);
    assert!(second.path.starts_with("/plain/") && second.authorization.is_none(), "{second:?}");
}

#[test]
fn credentials_go_to_another_host_only_if_the_user_says_so() {
    let lab = lab();
    let other = lab.site.elsewhere.clone();
    let index = format!("helm repo index www/shop --url {other}/plain/shop");
    assert!(lab.run(&index).status.success());
    for (flag, expected) in [("", false), ("--pass-credentials", true)] {
        let add =
            format!("helm repo add a $HTTP/auth/shop --force-update --username ann --password secret {flag}");
        assert!(lab.run(&add).status.success());
        let pull = lab.run("rm -rf cache/content got; mkdir got; helm pull a/web -d got");
        assert!(pull.status.success(), "{}", String::from_utf8_lossy(&pull.stderr));
        let last = lab.site.seen.lock().unwrap().last().cloned().unwrap();
        assert!(last.path.ends_with("web-1.2.0.tgz"));
        assert_eq!(last.authorization.is_some(), expected, "{flag}");
    }
}

#[test]
fn another_chart_than_the_index_lists_is_refused() {
    let lab = lab();
    assert!(lab.run("helm repo add a $HTTP/plain/shop").status.success());
    assert!(
        lab.run("helm package job --version 1.2.0 && mv job-1.2.0.tgz www/shop/web-1.2.0.tgz")
            .status
            .success()
    );
    fails(&lab, "mkdir got; helm pull a/web -d got", "is not the chart that the index");
    assert!(lab.run("ls got").stdout.is_empty());
}

#[test]
fn a_body_without_an_end_is_cut() {
    let lab = lab();
    let output = lab.run("ulimit -v 4000000; helm repo add a $HTTP/endless/shop");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("larger than"), "{error}");
    assert!(lab.run("ls cache/repository").stdout.is_empty());
}

#[test]
fn a_broken_index_leaves_the_old_one() {
    let lab = lab();
    assert!(lab.run("helm repo add a $HTTP/plain/shop").status.success());
    assert!(lab.run("printf 'entries: [\\n' > www/shop/index.yaml").status.success());
    assert_eq!(lab.run("helm repo update").status.code(), Some(1));
    let found = lab.run("helm search repo a/web");
    assert!(String::from_utf8_lossy(&found.stdout).contains("a/web"));
}

#[test]
fn an_index_that_has_not_changed_is_not_sent_again() {
    let lab = lab();
    assert!(lab.run("helm repo add a $HTTP/plain/shop && helm repo update").status.success());
    assert_eq!(lab.site.seen.lock().unwrap().last().unwrap().status, 304);
    // What somebody else has written there is not taken for what the server sent.
    assert!(lab.run("echo '# x' >> cache/repository/a-index.yaml && helm repo update").status.success());
    assert_eq!(lab.site.seen.lock().unwrap().last().unwrap().status, 200);
}

#[test]
fn schemas_elsewhere_end_somewhere() {
    let lab = lab();
    let schema = |reference: &str| {
        let line = format!("printf '{{\"$ref\": \"%s\"}}' \"{reference}\" > web/values.schema.json");
        assert!(lab.run(&line).status.success());
    };
    schema("$HTTP/endless/x.json");
    fails(&lab, "ulimit -v 4000000; timeout 300 helm template r web", "larger than");
    schema("file:///etc/passwd");
    fails(&lab, "helm template r web", "only http and https are followed");
    schema("$HTTP/plain/self.json");
    assert!(lab.run("cp web/values.schema.json www/self.json").status.success());
    let code = lab.run("timeout 300 helm template r web").status.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    // It is read once, however often it leads to itself.
    let asked = lab.site.seen.lock().unwrap().iter().filter(|seen| seen.path.ends_with("/self.json")).count();
    assert_eq!(asked, 1);
}
