//! What `lap helm` has beyond Helm: `--explain`, `--diff-with`, `--value-sets`, the page of a failed rendering, slips in
//! names of values.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const FILES: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: \"2.1\"\n"),
    (
        "values.yaml",
        "replicas: 1\nimage:\n  registry: registry.example.com\n  name: web\n  tag: \"\"\nresources:\n  limits:\n    cpu: \
         100m\n    memory: 64Mi\ncache:\n  enabled: true\n  hosts: [one, two]\nglobal:\n  team: shop\n",
    ),
    (
        "templates/_helpers.tpl",
        "{{- define \"web.image\" -}}\n{{ .Values.image.registry }}/{{ .Values.image.name }}:{{ .Values.image.tag | default \
         .Chart.AppVersion }}\n{{- end -}}\n\n{{- define \"web.labels\" -}}\napp: {{ .Chart.Name }}\nteam: {{ \
         .Values.global.team }}\n{{- end -}}\n",
    ),
    (
        "templates/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-web\n  labels:\n    {{- include \
         \"web.labels\" . | nindent 4 }}\nspec:\n  {{- $n := .Values.replicas }}\n  replicas: {{ $n }}\n  template:\n    \
         spec:\n      containers:\n      - name: web\n        image: {{ include \"web.image\" . | quote }}\n        \
         resources:\n          {{- toYaml .Values.resources | nindent 10 }}\n      {{- if .Values.cache.enabled }}\n      \
         - name: cache\n        image: cache:1\n        args:\n        {{- range .Values.cache.hosts }}\n        - --host={{ \
         . }}\n        {{- end }}\n      {{- end }}\n",
    ),
    ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
    ("charts/sub/values.yaml", "size: 3\nglobal:\n  team: nobody\n"),
    (
        "charts/sub/templates/config.yaml",
        "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: sub\ndata:\n  team: {{ .Values.global.team }}\n  size: {{ \
         .Values.size | quote }}\n",
    ),
];

struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        FILES.iter().for_each(|(path, text)| lab.write(&format!("web/{path}"), text));
        lab
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command.env("PATH", "/usr/bin:/bin").env("NO_COLOR", "1").output().unwrap()
    }

    fn helm(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.run(env!("CARGO_BIN_EXE_lap"), &[&["helm"], arguments].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn explain(&self, place: &str, more: &[&str]) -> String {
        let (code, out, err) = self.helm(&[&["template", "rel", "web", "--explain", place], more].concat());
        assert_eq!(code, 0, "{err}");
        out
    }
}

fn git(lab: &Lab, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let who = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
    let output = lab.run("git", &[&who, words.as_slice()].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn values_are_followed_through_include_to_their_file_or_flag() {
    let lab = Lab::new();
    lab.write("prod.yaml", "replicas: 2\n\nimage:\n  name: shop\n");
    let image =
        lab.explain("deployment/rel-web:spec.template.spec.containers[name=web].image", &["-f", "prod.yaml"]);
    insta::assert_snapshot!(image, @r#"
        deployment/rel-web:spec.template.spec.containers[0].image
            image: "registry.example.com/shop:2.1"

        written by
          web/templates/deployment.yaml:14  include "web.image" . | quote
          web/templates/_helpers.tpl:2  .Values.image.registry
          web/templates/_helpers.tpl:2  .Values.image.name
          web/templates/_helpers.tpl:2  .Values.image.tag | default .Chart.AppVersion

        from the values
          image.registry    "registry.example.com"
                              web/values.yaml:3
          image.name        "shop"
                              prod.yaml:4
                              instead of "web" from web/values.yaml:4
          image.tag         ""
                              web/values.yaml:5
          Chart.AppVersion  "2.1"
                              web/Chart.yaml:4
        "#);
    let team = lab.explain("Deployment/rel-web:metadata.labels.team", &["--set", "global.team=ops"]);
    insta::assert_snapshot!(team, @r#"
        Deployment/rel-web:metadata.labels.team
            team: ops

        written by
          web/templates/deployment.yaml:6  include "web.labels" . | nindent 4
          web/templates/_helpers.tpl:7  .Values.global.team

        from the values
          global.team  "ops"
                         --set global.team=ops
                         instead of "shop" from web/values.yaml:14
        "#);
    let below = lab.explain("ConfigMap/sub:data", &["--set", "sub.size=4", "-f", "prod.yaml"]);
    insta::assert_snapshot!(below, @r#"
        ConfigMap/sub:data
            data:
              team: shop
              size: "4"

        written by
          web/charts/sub/templates/config.yaml:6  .Values.global.team
          web/charts/sub/templates/config.yaml:7  .Values.size | quote

        from the values
          sub.global.team  "shop"
                             web/values.yaml:14
                             instead of "nobody" from web/charts/sub/values.yaml:3
          sub.size         4
                             --set sub.size=4
                             instead of 3 from web/charts/sub/values.yaml:1
        "#);
}

#[test]
fn variables_tables_ranges_and_conditions_are_followed() {
    let lab = Lab::new();
    let replicas = lab.explain("Deployment/rel-web:spec.replicas", &["--set", "replicas=7"]);
    insta::assert_snapshot!(replicas, @r#"
        Deployment/rel-web:spec.replicas
            replicas: 7

        written by
          web/templates/deployment.yaml:9  $n

        from the values
          replicas  7
                      --set replicas=7
                      instead of 1 from web/values.yaml:1
        "#);
    let place = "Deployment/rel-web:spec.template.spec.containers[0].resources.limits.cpu";
    insta::assert_snapshot!(lab.explain(place, &[]), @r#"
        Deployment/rel-web:spec.template.spec.containers[0].resources.limits.cpu
            cpu: 100m

        written by
          web/templates/deployment.yaml:16  toYaml .Values.resources | nindent 10

        from the values
          resources.limits.cpu  "100m"
                                  web/values.yaml:8
        "#);
    insta::assert_snapshot!(lab.explain("Deployment/rel-web:spec.template.spec.containers[1].args[1]", &[]), @r#"
        Deployment/rel-web:spec.template.spec.containers[1].args[1]
            - --host=two

        written by
          web/templates/deployment.yaml:22  .

        from the values
          cache.hosts[1]  "two"
                            web/values.yaml:12

        because of
          cache.enabled  true
                           web/values.yaml:11
        "#);
    insta::assert_snapshot!(lab.explain("Deployment/rel-web:kind", &[]), @r#"
        Deployment/rel-web:kind
            kind: Deployment

        written by
          web/templates/deployment.yaml  as it stands there
        "#);
}

#[test]
fn a_place_that_is_not_there_is_said_with_what_is() {
    let lab = Lab::new();
    let fails = |place: &str, words: &str| {
        let (code, out, err) = lab.helm(&["template", "rel", "web", "--explain", place]);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains(words), "{err}");
    };
    fails("Deployment/web", "there are Deployment/rel-web");
    fails("Deployment/rel-web:spec.replica", "did you mean replicas?");
    fails("nonsense", "KIND/NAME:path");
}

#[test]
fn a_failed_rendering_shows_line_chain_and_values() {
    let lab = Lab::new();
    lab.write(
        "web/templates/_a.tpl",
        "{{- define \"web.image\" -}}\nx:{{ .Values.image.tag.suffix }}\n{{- end -}}\n",
    );
    let (code, out, err) = lab.helm(&["template", "rel", "web", "--set", "image.tag=v1"]);
    assert_eq!((code, out.as_str()), (1, ""));
    insta::assert_snapshot!(err, @r#"
        error: render the chart web
         --> web/templates/_a.tpl:2:6
          |
        1 | {{- define "web.image" -}}
        2 | x:{{ .Values.image.tag.suffix }}
          |      ^^^^^^^^^^^^^^^^^^^^^^^^
        3 | {{- end -}}
          |
        because: web/templates/deployment.yaml:14:18
                   executing "web/templates/deployment.yaml" at <include "web.image" .>:
                     error calling include:
                 web/templates/_a.tpl:2:12
                   executing "web.image" at <.Values.image.tag.suffix>:
                     can't evaluate field suffix in type interface {}
        because: web/templates/deployment.yaml:14 has include "web.image" .
        because: it had read
                 image.tag = "v1" (--set image.tag=v1)
        hint: use --debug to see what was rendered, also where it is invalid YAML
        "#);
    lab.write("web/templates/_a.tpl", "{{ .Values.a | nofn }}\n");
    let (_, _, err) = lab.helm(&["template", "rel", "web"]);
    insta::assert_snapshot!(err, @r#"
        error: render the chart web
         --> web/templates/_a.tpl:1:1
          |
        1 | {{ .Values.a | nofn }}
          | ^^^^^^^^^^^^^^^^^^^^^^
        because: parse error at (web/templates/_a.tpl:1): function "nofn" not defined
        hint: use --debug to see what was rendered, also where it is invalid YAML
        "#);
}

#[test]
fn a_change_is_shown_object_by_object() {
    let lab = Lab::new();
    git(&lab, "init -q -b main .");
    git(&lab, "add .");
    git(&lab, "commit -q -m one");
    lab.write(
        "web/values.yaml",
        &FILES[1].1.replace("replicas: 1", "replicas: 3 # more").replace("64Mi", "128Mi"),
    );
    lab.write("web/templates/service.yaml", "kind: Service\nmetadata:\n  name: {{ .Release.Name }}\n");
    let (code, out, err) = lab.helm(&["template", "rel", "web", "--diff-with", "HEAD"]);
    assert_eq!(code, 0, "{err}");
    insta::assert_snapshot!(out, @r#"
        Service/rel is new
        + kind: Service
        + metadata:
        +   name: rel

        Deployment/rel-web changes
              team: shop
            name: rel-web
          spec:
        -   replicas: 1
        +   replicas: 3
            template:
              spec:
                containers:
          …
                  resources:
                    limits:
                      cpu: 100m
        -             memory: 64Mi
        +             memory: 128Mi
                - args:
                  - --host=one
                  - --host=two

        1 changed, 1 new, 0 gone, 1 the same
        "#);
    git(&lab, "worktree add -q old HEAD");
    assert_eq!(lab.helm(&["template", "rel", "web", "--diff-with", "old/web"]).1, out);
    let (_, out, _) = lab.helm(&["template", "rel", "old/web", "--diff-with", "old/web"]);
    assert_eq!(out, "0 changed, 0 new, 0 gone, 2 the same\n");
    let (code, _, err) = lab.helm(&["template", "rel", "web", "--diff-with", "nowhere"]);
    assert_eq!(code, 1);
    assert!(err.contains("compare with nowhere"), "{err}");
}

#[test]
fn values_files_of_a_revision_are_compared_too() {
    let lab = Lab::new();
    lab.write("prod.yaml", "replicas: 2\n");
    git(&lab, "init -q -b main .");
    git(&lab, "add .");
    git(&lab, "commit -q -m one");
    lab.write("prod.yaml", "replicas: 5\n");
    let (_, out, err) = lab.helm(&["template", "rel", "web", "-f", "prod.yaml", "--diff-with", "main"]);
    assert!(out.contains("-   replicas: 2\n+   replicas: 5\n"), "{out}{err}");
}

#[test]
fn many_sets_of_values_are_rendered_in_one_run() {
    let lab = Lab::new();
    lab.write("sets/a.yaml", "replicas: 11\n");
    lab.write("sets/b/1.yaml", "replicas: 12\n");
    lab.write("sets/b/2.yaml", "replicas: 13\n");
    lab.write("sets/notes.txt", "no values\n");
    let (code, out, err) = lab.helm(&["template", "rel", "web", "--value-sets", "sets"]);
    assert_eq!(code, 0, "{err}");
    let replicas: Vec<&str> =
        out.lines().filter(|l| l.starts_with("# Values") || l.contains("replicas:")).collect();
    assert_eq!(replicas, ["# Values: a", "  replicas: 11", "# Values: b", "  replicas: 13"]);
    let alone = lab.helm(&["template", "rel", "web", "-f", "sets/a.yaml"]).1;
    assert!(out.starts_with(&format!("# Values: a\n{alone}# Values: b\n")));
    lab.write("sets/c.yaml", "cache: 1\n");
    let (code, again, err) =
        lab.helm(&["template", "rel", "web", "--value-sets", "sets", "--output-dir", "out"]);
    assert_eq!(code, 1);
    assert!(err.contains("1 of 3 failed") && err.contains("use the values c"), "{err}");
    assert!(again.contains("wrote out/b/web/templates/deployment.yaml"), "{again}");
    assert!(Path::new(&lab.0.path().join("out/a/web/charts/sub/templates/config.yaml")).exists());
}

#[test]
fn slips_in_names_of_values_are_told_beside_the_findings() {
    let lab = Lab::new();
    let (before_code, clean, before) = lab.helm(&["lint", "web"]);
    lab.write(
        "web/templates/slip.yaml",
        "{{- if .Values.cache.enabeld }}\na: {{ .Values.tolerations }}\n{{- end }}\n",
    );
    let (code, out, err) = lab.helm(&["lint", "web"]);
    assert_eq!((code, out), (before_code, clean));
    assert_eq!(
        err,
        format!(
            "warning: templates/slip.yaml:1: .Values.cache.enabeld is not among the values; did you mean enabled?\n{before}"
        )
    );
}
