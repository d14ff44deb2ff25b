//! Every example renders to what its snapshot shows, with every overlay, and is valid.

use std::path::{Path, PathBuf};
use wharf::base::source::Sources;
use wharf::compile::{Compiled, ReleaseFacts, Request, TargetFacts, compile};
use wharf::policy::{self, Options};
use wharf::render::helm::Chance;
use wharf::schema::Schemas;
use wharf::source::layers::{self, Layers};
use wharf::yaml::{Node, emit};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts-examples")
}

/// The names in a folder, in their order.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.expect("a readable folder").file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn render(example: &str, overlay: Option<&str>) -> Compiled {
    let folder = root().join(example);
    let tree = wharf::source::local::load(folder.to_str().expect("a path of text"));
    let tree = tree.expect("the example is there");
    let sources = Sources::new();
    let mut fetch = |reference: &str| -> Result<_, ()> { panic!("{reference} is elsewhere") };
    let layers = layers::resolve(tree, overlay, &sources, &mut fetch);
    let Layers { tree, overlays } = layers.expect("the overlay is there");
    let request = Request {
        tree,
        overlays,
        values: Node::map(),
        release: ReleaseFacts::default(),
        target: TargetFacts { kube_version: "v1.33.0".into(), ..TargetFacts::default() },
        chance: Chance::default(),
        beside: None,
        cluster: None,
    };
    compile(&request, &sources).expect("the example has no faults")
}

/// Objects as `render` prints them, then the notes.
fn shown(compiled: &Compiled) -> String {
    let mut text = String::new();
    for object in compiled.crds.iter().chain(&compiled.objects) {
        text.push_str("---\n# ");
        text.push_str(&object.origin.file);
        text.push('\n');
        text.push_str(&emit::to_string(&object.root, &emit::Style::default()));
    }
    text.push_str("--- notes\n");
    text.push_str(compiled.notes.as_deref().unwrap_or_default());
    text
}

#[test]
fn examples_render_to_their_snapshots_and_are_valid() {
    let mut expected = Vec::new();
    for example in names(&root()) {
        let overlays = names(&root().join(&example).join("overlays"));
        for overlay in std::iter::once(None).chain(overlays.iter().map(|name| Some(name.as_str())))
        {
            let compiled = render(&example, overlay);
            assert!(compiled.warnings.is_empty(), "{example} {overlay:?}: {}", compiled.warnings);
            let review =
                policy::review(compiled.objects.clone(), &Schemas::latest(), Options::default());
            assert!(review.findings.is_empty(), "{example} {overlay:?}: {}", review.findings);
            expected.push(format!("{example}/{}.snap", overlay.unwrap_or("package")));
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(format!("../../snapshots/{example}"));
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| {
                insta::assert_snapshot!(overlay.unwrap_or("package"), shown(&compiled));
            });
        }
    }
    expected.sort();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let kept: Vec<String> = names(&kept)
        .iter()
        .flat_map(|folder| {
            names(&kept.join(folder)).into_iter().map(move |name| format!("{folder}/{name}"))
        })
        .collect();
    assert_eq!(kept, expected, "a snapshot of nothing");
}
