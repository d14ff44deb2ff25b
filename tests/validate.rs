//! `wharf validate` as pipelines run it: what goes to standard output in each format, and the exit
//! code.

use std::process::Command;

/// Validates a manifest in a format; gives the exit code and standard output.
fn validate(manifest: &str, format: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("web.yaml"), manifest).expect("a file in it");
    let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["validate", "web.yaml", "--format", format])
        .current_dir(folder.path())
        .output()
        .expect("wharf runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

/// No file of manifests: the value in the third line has no end.
const BROKEN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"web\n";

/// A field that there is not.
const WRONG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndatas: {a: b}\n";

#[test]
fn programs_read_the_faults_of_the_source_as_those_of_its_objects() {
    for (manifest, code) in
        [(BROKEN, "wharf::yaml::unclosed_quote"), (WRONG, "wharf::schema::unknown_field")]
    {
        for format in ["json", "sarif", "github"] {
            let (exit, said) = validate(manifest, format);
            assert_eq!(exit, Some(1), "{format}: {said}");
            // GitHub reads properties with their colons escaped
            let code = if format == "github" { code.replace(':', "%3A") } else { code.to_owned() };
            assert!(said.contains(&code) && said.contains("web.yaml"), "{format}: {said}");
            if format != "github" {
                serde_json::from_str::<serde_json::Value>(&said).expect("one JSON document");
            }
        }
        let (exit, said) = validate(manifest, "human");
        assert_eq!((exit, said.as_str()), (Some(1), ""));
    }
}
