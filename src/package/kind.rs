//! Which kind of package a tree of files is.

use crate::base::diag::Diagnostic;
use crate::base::suggest;
use crate::base::tree::FileTree;
use crate::yaml;

/// The kinds of sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `Package.yaml`.
    Native,
    /// `Chart.yaml`.
    Helm,
    /// `kustomization.yaml`, `kustomization.yml` or `Kustomization`.
    Kustomize,
    /// `compose.yaml` and its other names.
    Compose,
    /// `overlay.yaml`: changes to a source that it names.
    Overlay,
    /// Files of Kubernetes objects.
    Plain,
}

/// Files that make a source what it is, the first one found decides.
const MARKS: &[(&str, Kind)] = &[
    ("Package.yaml", Kind::Native),
    ("Chart.yaml", Kind::Helm),
    ("kustomization.yaml", Kind::Kustomize),
    ("kustomization.yml", Kind::Kustomize),
    ("Kustomization", Kind::Kustomize),
    ("compose.yaml", Kind::Compose),
    ("compose.yml", Kind::Compose),
    ("docker-compose.yaml", Kind::Compose),
    ("docker-compose.yml", Kind::Compose),
];

impl Kind {
    /// What people call it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Native => "native package",
            Kind::Helm => "Helm chart",
            Kind::Kustomize => "kustomization",
            Kind::Compose => "Compose project",
            Kind::Overlay => "overlay",
            Kind::Plain => "set of plain manifests",
        }
    }
}

/// Recognises a source by its files.
///
/// # Errors
/// When nothing in it can be rendered.
pub fn detect(tree: &FileTree) -> Result<Kind, Diagnostic> {
    if let Some((_, kind)) = MARKS.iter().find(|(name, _)| tree.get(name).is_some()) {
        return Ok(*kind);
    }
    if tree.text("overlay.yaml").is_some_and(is_overlay) {
        return Ok(Kind::Overlay);
    }
    let names: Vec<&str> = tree.iter().map(|(path, _)| path.as_str()).collect();
    if names.iter().any(|name| is_manifest(name)) {
        return Ok(Kind::Plain);
    }
    let label = if tree.label().is_empty() { "the source" } else { tree.label() };
    let slip = names
        .iter()
        .find_map(|name| suggest::nearest(name, MARKS.iter().map(|(mark, _)| *mark)))
        .map(|mark| format!("did you mean to name a file `{mark}`?"));
    Err(Diagnostic::error("wharf::package::empty", format!("`{label}` holds nothing to render"))
        .note("a package has `Package.yaml`; plain manifests end in .yaml, .yml or .json")
        .maybe_help(slip))
}

/// The name that a package or chart says it has, without looking at anything else in it.
#[must_use]
pub fn name(tree: &FileTree) -> Option<String> {
    let file = match detect(tree).ok()? {
        Kind::Native => "Package.yaml",
        Kind::Helm => "Chart.yaml",
        Kind::Kustomize | Kind::Compose | Kind::Overlay | Kind::Plain => return None,
    };
    let root = yaml::parse_text(tree.text(file)?).ok()?;
    root.str_at(&["name"]).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// True unless the text says that it is something else: plain manifests may be in a file of that
/// name too.
fn is_overlay(text: &str) -> bool {
    let mut kinds = text.lines().filter_map(|line| line.strip_prefix("kind:"));
    kinds.all(|kind| kind.trim_matches([' ', '"', '\'']) == "Overlay")
}

/// True for files that are read as manifests.
#[must_use]
pub(super) fn is_manifest(path: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::path::SafePath;

    #[test]
    fn an_object_in_a_file_of_that_name_is_no_overlay() {
        assert!(is_overlay("namespace: shop\n") && is_overlay("kind: Overlay\n"));
        assert!(!is_overlay("apiVersion: v1\nkind: ConfigMap\n"));
    }

    #[test]
    fn files_tell_what_a_source_is() {
        let check = |names: &[&str]| {
            let mut tree = FileTree::new("x");
            for name in names {
                tree.insert(SafePath::parse(name).expect("a path"), "");
            }
            detect(&tree).map_err(|fault| fault.to_string())
        };
        assert_eq!(check(&["Package.yaml", "Chart.yaml"]), Ok(Kind::Native));
        assert_eq!(check(&["Chart.yaml"]), Ok(Kind::Helm));
        assert_eq!(check(&["Kustomization"]), Ok(Kind::Kustomize));
        assert_eq!(check(&["docker-compose.yml"]), Ok(Kind::Compose));
        assert_eq!(check(&["overlay.yaml", "web.yaml"]), Ok(Kind::Overlay));
        assert_eq!(check(&["web.json"]), Ok(Kind::Plain));
        assert_eq!(check(&["README.md"]), Err("`x` holds nothing to render".into()));
    }
}
