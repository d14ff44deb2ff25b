//! Flags of `helm template`: each is taken, or refused with the reason.

use super::Folder;
use crate::prerequisites::has;

const KUBECONFIG: &str = "apiVersion: v1
kind: Config
current-context: one
clusters: [{name: c, cluster: {server: 'https://h:1'}}]
users: [{name: u, user: {}}]
contexts:
- {name: one, context: {cluster: c, user: u, namespace: blue}}
- {name: two, context: {cluster: c, user: u, namespace: green}}
";

#[test]
fn names_and_namespaces_come_from_where_helm_takes_them() {
    let folder = Folder::new();
    folder.chart("web", "1.0.0", "");
    folder.write("kubeconfig", KUBECONFIG);
    let cases: &[(&[&str], &str, &str)] = &[
        (&["web"], "release-name", "default"),
        (&["web", "-g"], "release-name", "default"),
        (&["web", "--name-template", "a-{{ \"B\" | lower }}"], "a-b", "default"),
        (&["web", "--kubeconfig", "kubeconfig"], "release-name", "blue"),
        (&["web", "--kubeconfig", "kubeconfig", "--kube-context", "two"], "release-name", "green"),
        (&["web", "--kubeconfig", "kubeconfig", "-n", "red"], "release-name", "red"),
        (&["web", "--kubeconfig", "nowhere"], "release-name", "default"),
        (&["shop", "web", "--dry-run"], "shop", "default"),
        (&["shop", "web", "--dry-run=client"], "shop", "default"),
    ];
    for (args, name, namespace) in cases {
        let args: Vec<&str> = ["template"].iter().chain(args.iter()).copied().collect();
        let ours = folder.wharf(&args);
        let out = ours.fine();
        assert!(out.contains(&format!("release: {name}\n")), "{args:?}: {out}");
        assert!(out.contains(&format!("namespace: {namespace}\n")), "{args:?}: {out}");
        if has("helm") {
            assert_eq!(folder.helm(&args).fine(), out, "{args:?}");
        }
    }
}

#[test]
fn what_helm_takes_is_taken_or_refused_with_the_reason() {
    let folder = Folder::new();
    folder.chart("web", "1.0.0", "");
    let plain = folder.wharf(&["template", "web"]);
    for flags in [
        "--create-namespace --description x --disable-openapi-validation --enable-dns",
        "--force-conflicts --force-replace --labels a=b -l c=d --no-hooks --replace",
        "--rollback-on-failure --server-side=false --server-side --skip-crds --take-ownership",
        "--timeout 3m --wait --wait=legacy --wait-for-jobs --keyring nowhere --pass-credentials",
        "--insecure-skip-tls-verify --burst-limit 3 --qps 2 --content-cache x --debug",
        "--repository-cache x --color never --devel --username a --password b --plain-http",
    ] {
        let args: Vec<&str> = ["template", "web"].into_iter().chain(flags.split(' ')).collect();
        assert_eq!(folder.wharf(&args).fine(), plain.fine(), "{flags}");
    }
    for (flags, reason) in [
        ("--verify", "--verify is not taken: signatures of `helm package --sign` are not read"),
        ("--kube-token x", "--kube-token is not taken: write it into a context"),
        ("--kube-apiserver x", "--kube-apiserver is not taken: write it into a context"),
        ("--dry-run=maybe", "it must be `client` or `server`"),
        ("--post-renderer nowhere", "there is no program `nowhere`"),
        ("-g name", "cannot set --generate-name and also specify a name"),
        ("--name-template a name", "cannot set --name-template and also specify a name"),
        ("--cert-file x", "--key-file"),
        ("--overlay x", "`wharf render` takes it"),
    ] {
        let args: Vec<&str> = ["template", "web"].into_iter().chain(flags.split(' ')).collect();
        folder.wharf(&args).fails(2, &[reason]);
    }
}

/// Every flag that Helm's own help lists is known.
#[test]
fn no_flag_of_helm_is_unknown() {
    if !has("helm") {
        return;
    }
    let folder = Folder::new();
    folder.chart("web", "1.0.0", "");
    let help = folder.helm(&["template", "--help"]);
    let flag = regex::Regex::new(r"(?m)^ +(?:-\w, )?--([a-z-]+)( \w+)?").expect("a pattern");
    let mut count = 0;
    for found in flag.captures_iter(help.fine()) {
        let name = format!("--{}", &found[1]);
        let mut args = vec!["template", "web", &name];
        if found.get(2).is_some() {
            args.push("1");
        }
        let error = folder.wharf(&args).err;
        assert!(!error.contains("unexpected argument"), "{name}: {error}");
        count += 1;
    }
    assert!(count > 60, "only {count} flags in Helm's help");
}

#[test]
fn a_program_changes_what_was_rendered() {
    let folder = Folder::new();
    folder.chart("web", "1.0.0", "");
    let hook = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: hook\n  annotations:\n    \
                helm.sh/hook: pre-install\n";
    folder.write("web/templates/hook.yaml", hook);
    folder.write("change", "#!/bin/sh\necho \"$*\" > said\ntee seen | sed s/1.0.0/$1/\n");
    let path = folder.path("change");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("it is ours");
    let flags = ["--post-renderer", "./change", "--post-renderer-args"];
    let with = |more: &[&'static str]| {
        let args = ["template", "shop", "web"].iter().chain(&flags).chain(more);
        folder.wharf(&args.copied().collect::<Vec<_>>())
    };
    let out = with(&["2.0.0", "--post-renderer-args=-x"]);
    let expected = "---\n# Source: web/templates/map.yaml\napiVersion: v1\nkind: ConfigMap\n\
                    metadata:\n  name: web\n  namespace: default\ndata:\n  version: 2.0.0\n  \
                    release: shop\n---\n# Source: web/templates/hook.yaml\napiVersion: v1\n\
                    kind: Pod\nmetadata:\n  name: hook\n  annotations:\n    \
                    helm.sh/hook: pre-install\n\n";
    assert_eq!(out.fine(), expected);
    let said = std::fs::read_to_string(folder.path("said")).expect("it ran");
    assert_eq!(said, "2.0.0 -x\n");
    let seen = std::fs::read_to_string(folder.path("seen")).expect("it ran");
    assert!(seen.contains("postrenderer.helm.sh/postrender-filename: web/templates/map.yaml"));
    with(&["2.0.0", "--show-only", "templates/hook.yaml"]).fine();
}

#[test]
fn what_is_not_rendered_is_printed_as_it_is() {
    let folder = Folder::new();
    folder.chart("web", "1.0.0", "");
    // no template, and read by nobody: its colours are not ours to take away
    let definition = "# \u{1b}[31mred\u{1b}[0m \u{9b}1m\nkind: CustomResourceDefinition\n";
    folder.write("web/crds/colours.yaml", definition);
    let out = folder.wharf(&["template", "shop", "web", "--include-crds"]);
    let expected = format!("---\n# Source: web/crds/colours.yaml\n{definition}\n---\n");
    assert!(out.fine().starts_with(&expected), "{out:?}");
    if has("helm") {
        let theirs = folder.helm(&["template", "shop", "web", "--include-crds"]);
        assert_eq!(out.fine(), theirs.fine());
    }
}
