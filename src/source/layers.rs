//! Follows an overlay to its base, through other overlays, to the package or manifests at the end.
//!
//! ```text
//! shop --overlay production     overlays/production  ──base──>  overlays/large  ──base──>  shop
//! deploy/eu                     deploy/eu            ──base──>  oci://registry/shop:1.2.0
//! ```
//!
//! A base is looked for in the files of the overlay's own source first. Beyond them it is a path on
//! disk, where the overlay is on disk too: what came packed names nothing outside of itself, unless
//! in a registry.

use super::local;
use crate::base::diag::{Diagnostic, Diagnostics};
use crate::base::source::{Sources, Span};
use crate::base::suggest;
use crate::base::tree::FileTree;
use crate::package::overlay::Layer;
use crate::package::{self, Kind};
use crate::yaml::Node;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Overlays on overlays; more are no use to anyone.
const MAX_LAYERS: usize = 16;

/// A source with what lies over it.
#[derive(Debug)]
pub struct Layers {
    /// The files of the package or manifests.
    pub tree: FileTree,
    /// The overlays, the one that is applied first being the first.
    pub overlays: Vec<Layer>,
}

/// Why a base could not be reached; `E` is why it could not be fetched.
#[derive(Debug)]
pub enum LayerError<E> {
    /// An overlay is at fault.
    Input(Diagnostics),
    /// A registry is.
    Fetch(E),
}

impl<E> From<Diagnostic> for LayerError<E> {
    fn from(fault: Diagnostic) -> LayerError<E> {
        LayerError::Input(fault.into())
    }
}

/// Files, and the folder that they were read from, when they were.
struct Origin {
    tree: FileTree,
    folder: Option<PathBuf>,
}

/// Finds the base of a source: that of the overlay of this `name`, or that of the source itself
/// where it is an overlay. `fetch` gets what is in a registry.
///
/// # Errors
/// When there is no such overlay, or a base cannot be had.
pub fn resolve<E>(
    tree: FileTree,
    name: Option<&str>,
    sources: &Sources,
    fetch: &mut dyn FnMut(&str) -> Result<FileTree, E>,
) -> Result<Layers, LayerError<E>> {
    let folder = Path::new(tree.label());
    let folder = folder.is_dir().then(|| folder.to_owned());
    let mut overlays = Vec::new();
    let mut next = match name {
        Some(name) => Some(Layer::named(&tree, name)?),
        None => own(&tree),
    };
    let mut origin = Origin { tree, folder };
    let mut seen = BTreeSet::new();
    while let Some(layer) = next {
        let base = layer.base(sources).map_err(LayerError::Input)?;
        let inside = layer.folder.clone();
        if !seen.insert(layer.tree.display(&layer.path())) || overlays.len() >= MAX_LAYERS {
            let span = base.map_or(Span::NONE, |base| base.span);
            return Err(fault("the overlay is a base of itself", span)
                .help("let `base` lead to a package")
                .into());
        }
        overlays.push(layer);
        (origin, next) = match base {
            None if inside.is_empty() => {
                let message = format!("`{}` names no `base`", origin.tree.display("overlay.yaml"));
                return Err(fault(message, Span::NONE)
                    .help("add `base: …`: a folder, an archive or `oci://…`")
                    .into());
            }
            None => (origin, None),
            Some(base) => follow(origin, &inside, &base, fetch)?,
        };
    }
    overlays.reverse();
    Ok(Layers { tree: origin.tree, overlays })
}

/// The overlay that a tree is, when it is one.
fn own(tree: &FileTree) -> Option<Layer> {
    matches!(package::detect(tree), Ok(Kind::Overlay))
        .then(|| Layer { tree: tree.clone(), folder: String::new() })
}

/// From one overlay to what it names.
fn follow<E>(
    origin: Origin,
    folder: &str,
    base: &Node,
    fetch: &mut dyn FnMut(&str) -> Result<FileTree, E>,
) -> Result<(Origin, Option<Layer>), LayerError<E>> {
    let text = base.as_str().unwrap_or_default();
    let tree = if text.starts_with("oci://") {
        fetch(text).map_err(LayerError::Fetch)?
    } else if let Some(path) = within(folder, text) {
        return inside(origin, &path, base);
    } else {
        let Some(disk) = &origin.folder else {
            return Err(fault(format!("the base `{text}` leads out of the package"), base.span)
                .note("what comes packed names only its own files, or `oci://…`")
                .into());
        };
        let path = tidied(&disk.join(folder).join(text));
        local::load(&path.display().to_string()).map_err(|error| {
            let mut fault = fault(format!("the base `{text}` cannot be read"), base.span);
            fault.help = miette::Diagnostic::help(&error).map(|help| help.to_string());
            fault.note(error.to_string())
        })?
    };
    let folder = Path::new(tree.label());
    let folder = folder.is_dir().then(|| folder.to_owned());
    let next = own(&tree);
    Ok((Origin { tree, folder }, next))
}

/// A base among the files of the overlay's own source.
fn inside<E>(
    origin: Origin,
    path: &str,
    base: &Node,
) -> Result<(Origin, Option<Layer>), LayerError<E>> {
    if path.is_empty() {
        return Ok((origin, None));
    }
    let Origin { tree, folder } = &origin;
    if tree.get(path).is_some() {
        if local::is_archive(path) {
            let limits = crate::base::tree::Limits::default();
            let bytes = tree.get(path).cloned().unwrap_or_default();
            let (_, tree) = crate::base::archive::unpack(&bytes, &tree.display(path), &limits)
                .map_err(|error| {
                    let message = format!("the base `{path}` cannot be unpacked");
                    fault(message, base.span).note(error.to_string())
                })?;
            let next = own(&tree);
            return Ok((Origin { tree, folder: None }, next));
        }
        return Err(fault(format!("the base `{path}` is a single file"), base.span)
            .help("name the folder that it is in")
            .into());
    }
    let inner = tree.subtree(path);
    if inner.get("overlay.yaml").is_some() {
        let layer = Layer { tree: tree.clone(), folder: path.to_owned() };
        return Ok((origin, Some(layer)));
    }
    if inner.is_empty() {
        let folders: BTreeSet<&str> =
            tree.iter().filter_map(|(file, _)| Some(file.as_str().rsplit_once('/')?.0)).collect();
        return Err(fault(format!("there is no folder `{}`", tree.display(path)), base.span)
            .maybe_help(suggest::did_you_mean(path, folders.iter().copied()))
            .into());
    }
    let folder = folder.as_ref().map(|folder| folder.join(path));
    Ok((Origin { tree: inner, folder }, None))
}

/// A path from a folder of a tree as a path of that tree; nothing when it leaves the tree.
fn within(folder: &str, text: &str) -> Option<String> {
    if text.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The path without `a/..` in it, as a person would write it.
fn tidied(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        let named = matches!(tidy.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            Component::ParentDir if named => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

fn fault(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::error("wharf::source::base", message).at(span, "named here")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::archive;
    use crate::base::path::SafePath;
    use std::fs;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// The labels of what was found, the base first, or the first fault.
    fn check(root: &Path, source: &str, overlay: Option<&str>) -> Result<Vec<String>, String> {
        let tree = local::load(root.join(source).to_str().unwrap()).unwrap();
        let sources = Sources::new();
        let mut fetch = |name: &str| {
            let mut tree = FileTree::new(name);
            tree.insert(SafePath::parse("Package.yaml").unwrap(), "");
            Ok::<_, ()>(tree)
        };
        let short = |text: &str| text.replace(&format!("{}/", root.display()), "");
        match resolve(tree, overlay, &sources, &mut fetch) {
            Ok(found) => {
                let overlays = found.overlays.iter();
                let overlays = overlays.map(|layer| short(&layer.tree.display(&layer.folder)));
                Ok([short(found.tree.label())].into_iter().chain(overlays).collect())
            }
            Err(LayerError::Input(faults)) => {
                let fault = faults.iter().next().unwrap();
                let place = fault.labels.first().and_then(|label| sources.place(label.span));
                let place = place.map(|place| format!("{}: ", short(&place.to_string())));
                Err(short(&format!("{}{fault}", place.unwrap_or_default())))
            }
            Err(LayerError::Fetch(())) => Err("fetch".to_owned()),
        }
    }

    #[test]
    fn bases_are_overlays_packages_archives_and_registries() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(
            root,
            &[
                ("shop/Package.yaml", "name: shop\n"),
                ("shop/overlays/large/overlay.yaml", "namespace: x\n"),
                ("shop/overlays/eu/overlay.yaml", "base: ../large\n"),
                ("shop/overlays/top/overlay.yaml", "base: ../..\n"),
                ("shop/overlays/round/overlay.yaml", "base: ../round\n"),
                ("shop/overlays/slip/overlay.yaml", "base: ../larg\n"),
                ("deploy/one/overlay.yaml", "base: ../../shop\n"),
                ("deploy/two/overlay.yaml", "base: ../one\n"),
                ("deploy/reg/overlay.yaml", "base: oci://localhost:5000/shop:1.0.0\n"),
                ("deploy/packed/overlay.yaml", "base: shop.tgz\n"),
                ("deploy/gone/overlay.yaml", "base: ../../shp\n"),
                ("deploy/none/overlay.yaml", "namespace: x\n"),
            ],
        );
        let tree = local::load(root.join("shop").to_str().unwrap()).unwrap();
        let packed = archive::pack(&tree, "shop").unwrap();
        fs::write(root.join("deploy/packed/shop.tgz"), packed).unwrap();
        let list = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
        for (source, overlay, expected) in [
            ("shop", None, list(&["shop"])),
            ("shop", Some("large"), list(&["shop", "shop/overlays/large"])),
            ("shop", Some("top"), list(&["shop", "shop/overlays/top"])),
            ("shop", Some("eu"), list(&["shop", "shop/overlays/large", "shop/overlays/eu"])),
            ("deploy/one", None, list(&["shop", "deploy/one/"])),
            ("deploy/two", None, list(&["shop", "deploy/one/", "deploy/two/"])),
            ("deploy/reg", None, list(&["oci://localhost:5000/shop:1.0.0", "deploy/reg/"])),
            ("deploy/packed", None, list(&["deploy/packed/shop.tgz", "deploy/packed/"])),
            (
                "shop",
                Some("round"),
                Err("shop/overlays/round/overlay.yaml:1:7: the overlay is a base of itself"),
            ),
            (
                "shop",
                Some("slip"),
                Err("shop/overlays/slip/overlay.yaml:1:7: there is no folder `shop/overlays/larg`"),
            ),
            (
                "deploy/gone",
                None,
                Err("deploy/gone/overlay.yaml:1:7: the base `../../shp` cannot be read"),
            ),
            ("deploy/none", None, Err("`deploy/none/overlay.yaml` names no `base`")),
            ("shop", Some("larg"), Err("`/shop` has no overlay `larg`")),
        ] {
            let found = check(root, source, overlay);
            if expected == Err("`/shop` has no overlay `larg`") {
                assert!(found.unwrap_err().ends_with("has no overlay `larg`"));
                continue;
            }
            assert_eq!(found, expected.map_err(str::to_owned), "{source} {overlay:?}");
        }
    }

    #[test]
    fn what_came_packed_names_nothing_outside() {
        let mut tree = FileTree::new("oci://localhost:5000/x:1");
        let mut put = |name: &str, text: &str| {
            tree.insert(SafePath::parse(name).unwrap(), text.to_owned());
        };
        put("Package.yaml", "");
        put("overlays/a/overlay.yaml", "base: ../../../etc\n");
        put("overlays/b/overlay.yaml", "base: /etc\n");
        for name in ["a", "b"] {
            let mut fetch = |_: &str| Err(());
            let error = resolve(tree.clone(), Some(name), &Sources::new(), &mut fetch);
            let Err(LayerError::Input(faults)) = error else { panic!("{error:?}") };
            assert!(faults.to_string().ends_with("leads out of the package"), "{faults}");
        }
    }
}
