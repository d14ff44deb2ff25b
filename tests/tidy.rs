//! Rules about the source tree that the compiler does not check: import ranks, file sizes, headers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module may import only modules of a lower rank; equal ranks are strangers.
const RANKS: &[(&str, u8)] = &[
    ("base", 0),
    ("yaml", 1),
    ("schema", 2),
    ("template", 2),
    ("oci", 2),
    ("values", 3),
    ("object", 3),
    ("package", 4),
    ("transform", 4),
    ("cluster", 4),
    ("source", 5),
    ("render", 5),
    ("policy", 5),
    ("plan", 5),
    ("release", 5),
    ("compile", 6),
    ("deploy", 6),
    ("agent", 6),
    ("cli", 7),
];

/// Edges that the ranks allow and the design forbids: compiling reaches no network and no cluster,
/// and the agent knows nothing of packages.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("compile", &["source", "cluster", "oci", "plan", "release"]),
    (
        "agent",
        &[
            "template",
            "values",
            "package",
            "transform",
            "cluster",
            "source",
            "render",
            "policy",
            "plan",
            "release",
        ],
    ),
];

/// Ranks inside the agent: wiring sees all, the halves meet only in the store.
const AGENT: &[(&str, u8)] = &[
    ("runtime", 0),
    ("store", 0),
    ("endpoints", 1),
    ("claims", 1),
    ("entry", 2),
    ("events", 1),
    ("jobs", 1),
    ("token", 1),
    ("node", 3),
    ("control", 3),
    ("api", 3),
];

/// Lines of code after which a file must be split, unless it stands in [`LARGE`].
const LIMIT: usize = 800;

/// Files over the limit, each with its reason.
const LARGE: &[(&str, &str)] = &[];

struct Source {
    path: String,
    text: String,
}

fn sources(root: &str) -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&base.join(root), &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).expect("a readable source file"),
            path: path.strip_prefix(base).expect("a path below the root").display().to_string(),
        })
        .collect()
}

/// The modules that a text names after `crate::`, with the line of each.
fn edges(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(list) => list.trim_end_matches(['}', ';', ' ']).split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let end = name.trim_start().find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = name.trim_start();
                found.push((number + 1, name[..end.unwrap_or(name.len())].to_owned()));
            }
        }
    }
    found
}

fn rank_of(table: &[(&str, u8)], module: &str) -> Option<u8> {
    table.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

#[test]
fn imports_only_go_down() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let mut parts = source.path.split('/').skip(1);
        let Some(module) = parts.next() else { continue };
        let module = module.trim_end_matches(".rs");
        if ["lib", "main", "demo"].contains(&module) {
            continue;
        }
        let Some(rank) = rank_of(RANKS, module) else {
            faults.push(format!("{}: module `{module}` has no rank", source.path));
            continue;
        };
        for (line, target) in edges(&source.text) {
            let Some(target_rank) = rank_of(RANKS, &target) else { continue };
            let banned = FORBIDDEN
                .iter()
                .any(|(from, list)| *from == module && list.contains(&target.as_str()));
            if target != module && (target_rank >= rank || banned) {
                faults.push(format!("{}:{line}: `{module}` imports `{target}`", source.path));
            }
        }
        if module == "agent" {
            agent_edges(&source, parts.next().unwrap_or_default(), &mut faults);
        }
    }
    assert!(faults.is_empty(), "imports against the ranks:\n{}", faults.join("\n"));
}

fn agent_edges(source: &Source, part: &str, faults: &mut Vec<String>) {
    let Some(rank) = rank_of(AGENT, part.trim_end_matches(".rs")) else { return };
    for (number, line) in source.text.lines().enumerate() {
        for prefix in ["crate::agent::", "super::super::"] {
            let Some((_, rest)) = line.split_once(prefix) else { continue };
            let name: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(target) = rank_of(AGENT, &name) else { continue };
            if name != part && target >= rank {
                faults.push(format!(
                    "{}:{}: `agent::{part}` imports `agent::{name}`",
                    source.path,
                    number + 1
                ));
            }
        }
    }
}

#[test]
fn files_open_with_their_purpose_and_stay_small() {
    let mut faults = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")).chain(sources("benches")) {
        if !source.text.starts_with("//! ") {
            faults.push(format!("{}: no `//!` header", source.path));
        }
        let lines = source.text.lines().count();
        let listed = LARGE.iter().any(|(path, _)| *path == source.path);
        if lines > LIMIT && !listed {
            faults.push(format!("{}: {lines} lines, {LIMIT} allowed", source.path));
        }
        if lines <= LIMIT && listed {
            faults.push(format!("{}: no longer large, take it off the list", source.path));
        }
        for name in ["utils.rs", "common.rs", "helpers.rs", "types.rs", "prelude.rs"] {
            if source.path.ends_with(&format!("/{name}")) {
                faults.push(format!("{}: name it after what it does", source.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The error codes that a text holds.
fn codes(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("wharf::") {
        let end = text[at..].find(|c: char| !c.is_ascii_lowercase() && c != '_' && c != ':');
        let code = text[at..][..end.unwrap_or(text.len() - at)].trim_end_matches(':');
        let parts: Vec<&str> = code.split("::").collect();
        if parts.len() == 3 && rank_of(RANKS, parts[1]).is_some() {
            found.insert(code.to_owned());
        }
    }
    found
}

#[test]
fn every_error_code_is_documented_and_tested() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_to_string(base.join("docs/errors.md")).expect("it is there");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<String> = rows.map(str::to_owned).collect();
    assert_eq!(documented.len(), docs.matches("\n| `").count(), "a code is there twice");
    let (mut raised, mut tested) = (BTreeSet::new(), BTreeSet::new());
    for source in sources("src") {
        let (code, tests) = match source.text.find("#[cfg(test)]\nmod tests {") {
            _ if source.path.ends_with("tests.rs") => ("", source.text.as_str()),
            Some(at) => source.text.split_at(at),
            None => (source.text.as_str(), ""),
        };
        // a code is a text or the argument of `code(…)`; paths of modules are neither
        for code in codes(code) {
            if ["\"{}", "code({}"]
                .iter()
                .any(|form| source.text.contains(&form.replace("{}", &code)))
            {
                raised.insert(code);
            }
        }
        tested.extend(codes(tests));
    }
    for source in sources("tests") {
        tested.extend(codes(&source.text));
    }
    for cases in fs::read_dir(base.join("tests/faults")).expect("the cases of faults") {
        let cases = fs::read_to_string(cases.expect("a file").path()).expect("text");
        tested.extend(codes(&cases));
    }
    let without = |what: &BTreeSet<String>, there: &BTreeSet<String>| -> Vec<String> {
        what.difference(there).cloned().collect()
    };
    let none = Vec::<String>::new();
    assert_eq!(without(&raised, &documented), none, "codes that docs/errors.md lacks");
    assert_eq!(without(&documented, &raised), none, "codes that nothing raises any more");
    assert_eq!(without(&documented, &tested), none, "codes that no test provokes");
}

#[test]
fn every_file_of_tests_and_benches_is_part_of_its_binary() {
    for folder in ["tests", "benches"] {
        let main = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("main.rs");
        let main = fs::read_to_string(main).expect("there is a main.rs");
        for source in sources(folder) {
            let name = source.path.trim_start_matches(folder).trim_start_matches('/');
            let module = name.split('/').next().unwrap_or_default().trim_end_matches(".rs");
            assert!(
                module == "main" || main.contains(&format!("mod {module};")),
                "{} is not named in {folder}/main.rs",
                source.path
            );
        }
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(base.join("Cargo.toml")).expect("Cargo.toml is there");
    let mut used = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ")
            && inside
        {
            used.push(name);
        }
    }
    let docs = fs::read_to_string(base.join("docs/dependencies.md")).expect("it is there");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).skip(1);
    let mut listed: Vec<&str> = rows
        .flat_map(|names| names.split(", "))
        .map(|name| name.split(" (").next().unwrap_or_default())
        .collect();
    used.sort_unstable();
    listed.sort_unstable();
    assert_eq!(used, listed, "docs/dependencies.md lists others than Cargo.toml");
}

#[test]
fn the_project_speaks_only_of_itself() {
    let mut faults = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        for (number, line) in source.text.lines().enumerate() {
            let stub = ["todo!(", "unimplemented!(", "FIXME", "#[ignore"];
            if source.path != "tests/tidy.rs" && stub.iter().any(|word| line.contains(word)) {
                faults.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "stubs:\n{}", faults.join("\n"));
}
