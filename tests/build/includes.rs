//! Configuration that other repositories lend a project: over http with a password, kept beside the store.

use std::fs;

use crate::lab::{Lab, everybody};
use crate::project::Shop;
use crate::web::{Repository, Web};

/// A project whose configuration and Dockerfile come from the repository `url`.
fn borrower<'l>(lab: &'l Lab, name: &str, url: &str, login: &str) -> Shop<'l> {
    let text = format!("includes:\n- git: {url}\n  branch: main\n  add: /lent\n  to: /\n{login}");
    Shop::of(lab, name, &[("werf-includes.yaml", &text), ("words", "own words\n")])
}

#[test]
fn configuration_comes_over_http_and_is_kept() {
    for who in everybody() {
        let lab = Lab::new(who);
        let web = Web::start(&lab.path("git"));
        let repository = Repository::create(&lab.path("git/lent.git"));
        let first = repository.commit(&[
            ("lent/werf.yaml", "project: lent\nconfigVersion: 1\n---\nimage: a\ndockerfile: D\n"),
            ("lent/D", "FROM scratch\nCOPY words /words\nLABEL of=lent\n"),
        ]);
        let url = format!("{}/git/lent.git", web.address);
        let shop = borrower(&lab, "shop", &url, "");
        shop.run(&["build"]).failure(&["there is no werf-includes.lock", "lap includes update"]);
        let said = shop.run(&["includes", "update"]).success().stdout;
        assert_eq!(said, format!("{url} branch main {first}\n"));
        shop.run(&["build"]).failure(&["werf-includes.lock must be committed"]);
        shop.commit();
        let built = shop.built("store", &[]);
        assert_eq!(built["a"].1, "built");
        // The branch goes on; the lock does not, and nothing has to be fetched again.
        let second = repository.commit(&[("lent/D", "FROM scratch\nCOPY words /words\nLABEL of=newer\n")]);
        fs::rename(lab.path("git"), lab.path("away")).unwrap();
        assert_eq!(shop.built("store", &[])["a"], (built["a"].0.clone(), "was there".into()));
        shop.run(&["includes", "update"]).failure(&["werf-includes.yaml:2", "/git/lent.git"]);
        fs::rename(lab.path("away"), lab.path("git")).unwrap();
        // Another store fetches the commit of the lock although no branch ends there.
        assert_eq!(shop.built("fresh", &[])["a"].0, built["a"].0);
        assert!(shop.run(&["includes", "update"]).success().stdout.contains(&second));
        shop.commit();
        assert_ne!(shop.built("store", &[])["a"].0, built["a"].0);
        let listed = shop.run(&["includes", "ls-files", "--filter", &format!("source={url}")]).success();
        assert_eq!(listed.stdout, format!("PATH       SOURCE\nD          {url}\nwerf.yaml  {url}\n"));
        let own = shop.run(&["includes", "ls-files", "w*", "--filter=source=local"]).success().stdout;
        let words: Vec<&str> = own.split_whitespace().collect();
        let expected = [
            "PATH",
            "SOURCE",
            "werf-includes.lock",
            "local",
            "werf-includes.yaml",
            "local",
            "words",
            "local",
        ];
        assert_eq!(words, expected);
        let file = shop.run(&["includes", "get-file", "D"]).success().stdout;
        assert!(file.ends_with("LABEL of=newer\n"), "{file}");
        shop.run(&["includes", "get-file", "none"]).failure(&["lap includes ls-files"]);
        shop.run(&["includes", "ls-files", "--filter", "local"]).failure(&["source=SOURCE"]);
    }
}

#[test]
fn a_repository_with_a_password() {
    let lab = Lab::new(everybody()[0]);
    let web = Web::start(&lab.path("git"));
    let repository = Repository::create(&lab.path("git/lent.git"));
    repository.commit(&[("lent/werf.yaml", "project: lent\nconfigVersion: 1\n")]);
    // user:s3cret-value, the value that the tests of projects have in TOKEN.
    web.require("Basic dXNlcjpzM2NyZXQtdmFsdWU=");
    let url = format!("{}/git/lent.git", web.address);
    let with = |name: &str, login: &str| borrower(&lab, name, &url, login);
    let shop = with("env", "  basicAuth: {username: user, password: {env: TOKEN}}\n");
    shop.run(&["includes", "update"]).success();
    shop.commit();
    let rendered = shop.run(&["config", "render"]).success();
    assert!(rendered.stdout.contains("project: lent"), "{}", rendered.stdout);
    let shop = with("file", "  basicAuth: {username: user, password: {src: password}}\n");
    shop.write("password", "s3cret-value\n");
    shop.run(&["includes", "update"]).success();
    for (name, login, words) in [
        ("none", "", "werf-includes.yaml:2"),
        ("wrong", "  basicAuth: {username: user, password: {value: wrong-value}}\n", "werf-includes.yaml:2"),
        ("unset", "  basicAuth: {username: user, password: {env: NOBODY}}\n", "the variable NOBODY"),
    ] {
        let said = with(name, login).run(&["includes", "update"]).failure(&[words]);
        assert!(!said.stderr.contains("wrong-value"), "{}", said.stderr);
    }
}
