//! The scripts of `lap helm completion`, in the shells themselves where Debian has them on every machine: bash.

use super::Lab;

fn lab() -> Lab {
    let lab = Lab::new(&format!("{} helm", env!("CARGO_BIN_EXE_lap")));
    let prepare = "helm package web -d www/shop && helm package job -d www/shop && helm repo index www/shop && helm repo add \
                   shop $HTTP/plain/shop && helm repo add spare $HTTP/plain/shop && mkdir one && touch one/two.txt";
    assert!(lab.run(prepare).status.success());
    lab
}

/// What bash would offer for a command line, one a line.
fn offered(lab: &Lab, line: &str) -> Vec<String> {
    let lap = env!("CARGO_BIN_EXE_lap");
    let script = format!(
        r#"lap() {{ {lap} "$@"; }}
source <({lap} helm completion bash)
COMP_LINE={line} COMP_POINT=${{#COMP_LINE}} COMP_TYPE=9
# Readline's words: parted at blanks, = and : as well.
read -r -a COMP_WORDS <<<"$(sed 's/[=:]/ & /g' <<<"$COMP_LINE")"
[[ $COMP_LINE == *[[:space:]=:] ]] && COMP_WORDS+=("")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
COMPREPLY=()
$(complete -p "${{COMP_WORDS[0]}}" | sed 's/.*-F \([^ ]*\) .*/\1/')
printf '%s\n' "${{COMPREPLY[@]}}""#,
        line = shell_words(line)
    );
    let output = lab.run(&script);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect()
}

fn shell_words(line: &str) -> String {
    format!("'{line}'")
}

#[test]
fn bash_completes() {
    let lab = lab();
    for (line, want) in [
        ("lap he", vec!["helm", "help"]),
        ("lap helm temp", vec!["template"]),
        ("lap helm repo ", vec!["add", "index", "list", "remove", "update"]),
        ("lap helm repo rem", vec!["remove"]),
        ("lap helm repo remove s", vec!["shop", "spare"]),
        ("lap helm repo remove shop ", vec!["spare"]),
        ("lap helm template rel sho", vec!["shop/"]),
        ("lap helm template rel shop/", vec!["shop/job", "shop/web"]),
        ("lap helm pull shop/w", vec!["shop/web"]),
        ("lap helm pull shop/web --version ", vec!["1.2.0"]),
        ("lap helm pull --untard", vec!["--untardir"]),
        ("lap helm repo list -o y", vec!["yaml"]),
        ("lap helm repo list --output=y", vec!["yaml"]),
        ("lap helm repo list --output=", vec!["json", "table", "yaml"]),
        ("helm show val", vec!["values"]),
        ("helm pull shop/", vec!["shop/job", "shop/web"]),
        ("lap helm template rel oci:", vec!["//"]),
        ("lap helm repo add ", vec![]),
    ] {
        let mut offered = offered(&lab, line);
        offered.sort();
        assert_eq!(offered, want, "{line}");
    }
    // Flags of every kind come with their command.
    let flags = offered(&lab, "lap helm template --");
    for flag in [
        "--set",
        "--values",
        "--namespace",
        "--post-renderer",
        "--verify",
        "--kube-version",
        "--helm-version",
    ] {
        assert!(flags.iter().any(|f| f == flag), "{flag} is not in {flags:?}");
    }
}

#[test]
fn every_script_is_whole() {
    let lab = lab();
    assert!(lab.run("helm completion bash | bash -n").status.success());
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let with = lab.run(&format!("helm completion {shell}"));
        let without = lab.run(&format!("helm completion {shell} --no-descriptions"));
        let (with, without) =
            (String::from_utf8_lossy(&with.stdout), String::from_utf8_lossy(&without.stdout));
        assert!(with.contains("__complete") && !with.contains("__ASK__"), "{shell}");
        assert!(without.contains("__completeNoDesc"), "{shell}");
    }
    // A shell whose syntax can be checked on this machine is asked, too.
    for (shell, check) in [("zsh", "zsh -n"), ("fish", "fish -n")] {
        if lab.run(&format!("command -v {shell}")).status.success() {
            let line = format!("helm completion {shell} > script && {check} script");
            assert!(lab.run(&line).status.success(), "{shell}");
        }
    }
}
