//! Folders, archives, single files and standard input.
//!
//! A folder is read within [`Limits`], its files in the order of their paths, whatever order the
//! file system gives. A link is followed as long as it stays inside the folder; one that leads out
//! is refused, as are devices and sockets. But projects of several charts link to one that they
//! share: a link in a folder `charts` may lead to another chart of the same git
//! work tree. `.wharfignore`, else `.helmignore`, names files that stay out; `.git` always does.

mod ignore;

use crate::base::archive;
use crate::base::path::{PathError, SafePath};
use crate::base::tree::{FileTree, Limits};
use ignore::Ignore;
use std::borrow::Cow;
use std::fs::{self, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why a source could not be read.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LocalError {
    /// Nothing has that name.
    #[error("there is no file or folder `{0}`")]
    #[diagnostic(code("wharf::source::not_found"))]
    NotFound(String, #[help] Option<String>),
    /// The system refused to read it.
    #[error("cannot read `{path}`")]
    #[diagnostic(code("wharf::source::unreadable"))]
    Unreadable {
        /// What was to be read.
        path: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A link leads out of the folder.
    #[error("`{path}` is a link that leads out of the package, to `{target}`")]
    #[diagnostic(code("wharf::source::escapes"), help("copy the file into the package"))]
    Escapes {
        /// The link.
        path: String,
        /// What stands in it.
        target: String,
    },
    /// A link leads to nothing, or in a circle. Also where it is ignored: Helm refuses it there, too.
    #[error("`{path}` is a broken link to `{target}`")]
    #[diagnostic(code("wharf::source::broken_link"))]
    BrokenLink {
        /// The link.
        path: String,
        /// What stands in it.
        target: String,
        /// What the system said.
        #[source]
        error: io::Error,
        /// What to do.
        #[help]
        help: String,
    },
    /// A name that cannot be part of a package.
    #[error("`{path}` has a name that a package cannot hold")]
    #[diagnostic(code("wharf::source::name"))]
    Name {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        error: PathError,
    },
    /// More than [`Limits`] allow.
    #[error("`{path}` holds more than {limit}")]
    #[diagnostic(
        code("wharf::source::too_large"),
        help("list what does not belong to the package in `.wharfignore`")
    )]
    TooLarge {
        /// The folder or file.
        path: String,
        /// The bound that was passed.
        limit: String,
    },
    /// The archive is damaged, or not one.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Archive(#[from] archive::ArchiveError),
}

/// Reads a folder, an archive (`.tgz`, `.tar.gz`), a single file, or `-` for standard input.
///
/// A single file becomes a tree of that one file.
///
/// # Errors
/// When it is not there, cannot be read, leads out of itself or passes the limits.
pub fn load(source: &str) -> Result<FileTree, LocalError> {
    if source == "-" {
        let limits = Limits::default();
        let bytes = drain(io::stdin().lock(), Vec::new(), "-", &limits)?;
        let mut tree = FileTree::new("");
        tree.insert(SafePath::parse("stdin.yaml").expect("a plain name"), bytes);
        return Ok(tree);
    }
    let path = Path::new(source);
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        _ if path.is_symlink() => broken_link(path, source.to_owned(), error),
        io::ErrorKind::NotFound => LocalError::NotFound(source.to_owned(), nearest(path)),
        _ => LocalError::Unreadable { path: source.to_owned(), error },
    })?;
    if metadata.is_dir() {
        return folder(path, source);
    }
    let bytes = Buffer::new().read(path, source, &Limits::default())?;
    if is_archive(source) {
        let (_, tree) = archive::unpack(&bytes, source, &Limits::default())?;
        return Ok(tree);
    }
    let (folder, name) = source.rsplit_once('/').unwrap_or(("", source));
    let name = SafePath::parse(name)
        .map_err(|error| LocalError::Name { path: source.to_owned(), error })?;
    let mut tree = FileTree::new(folder);
    tree.insert(name, bytes);
    Ok(tree)
}

/// True for names that wharf unpacks.
#[must_use]
pub fn is_archive(source: &str) -> bool {
    [".tgz", ".tar.gz"].iter().any(|end| source.ends_with(end))
}

/// A name in the same folder that the user may have meant.
#[must_use]
pub fn nearest(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let name = path.file_name()?.to_str()?;
    crate::base::suggest::did_you_mean(name, names.iter().map(String::as_str))
}

/// What a link leads to, as it stands there.
fn target(link: &Path) -> String {
    fs::read_link(link).unwrap_or_default().display().to_string()
}

fn broken_link(link: &Path, shown: String, error: io::Error) -> LocalError {
    let target = target(link);
    let meant = link.parent().and_then(|folder| nearest(&folder.join(&target)));
    let help = meant.unwrap_or_else(|| "let it lead to a file that is there, or remove it".into());
    LocalError::BrokenLink { path: shown, target, error, help }
}

fn folder(path: &Path, label: &str) -> Result<FileTree, LocalError> {
    let unreadable = |error| LocalError::Unreadable { path: label.to_owned(), error };
    let root = path.canonicalize().map_err(unreadable)?;
    let mut walk = Walk {
        ignore: Ignore::of_folder(&root).map_err(unreadable)?,
        roots: vec![root.clone()],
        tree: FileTree::new(label),
        limits: Limits::default(),
        buffer: Buffer::new(),
        total: 0,
        parents: Vec::new(),
    };
    walk.folder(&root, "")?;
    Ok(walk.tree)
}

struct Walk {
    /// What links may lead into: the folder itself, and charts that it shares with others.
    roots: Vec<PathBuf>,
    ignore: Ignore,
    tree: FileTree,
    limits: Limits,
    buffer: Buffer,
    total: u64,
    /// Real paths of the folders being read, to stop at links that go in circles.
    parents: Vec<PathBuf>,
}

impl Walk {
    fn folder(&mut self, path: &Path, inner: &str) -> Result<(), LocalError> {
        let unreadable = |error| LocalError::Unreadable { path: path.display().to_string(), error };
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // what the folder tells of an entry's kind saves a call for each
            names.push((entry.file_name(), entry.file_type().map_err(unreadable)?));
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        self.parents.push(path.to_owned());
        for (name, kind) in names {
            let Some(name) = name.to_str() else {
                let path = path.join(&name).display().to_string();
                let error = PathError::Character(path.clone());
                return Err(LocalError::Name { path, error });
            };
            let inner = if inner.is_empty() { name.to_owned() } else { format!("{inner}/{name}") };
            self.entry(&path.join(name), &inner, kind)?;
        }
        self.parents.pop();
        Ok(())
    }

    /// True for what a link in a folder `charts` leads to, when that is a chart of the same project.
    fn is_shared_chart(&self, inner: &str, real: &Path) -> bool {
        let tree = self.roots[0].ancestors().find(|folder| folder.join(".git").exists());
        let within = tree.and_then(|tree| real.strip_prefix(tree).ok());
        inner.rsplit('/').nth(1) == Some("charts")
            && within.is_some_and(|path| path.iter().all(|part| part != ".git"))
            && real.join("Chart.yaml").is_file()
    }

    fn entry(&mut self, path: &Path, inner: &str, kind: FileType) -> Result<(), LocalError> {
        let shown = || self.tree.display(inner);
        let unreadable = |error| LocalError::Unreadable { path: self.tree.display(inner), error };
        let (real, kind) = if kind.is_symlink() {
            let real = path.canonicalize().map_err(|error| broken_link(path, shown(), error))?;
            if !self.roots.iter().any(|root| real.starts_with(root)) {
                if !self.is_shared_chart(inner, &real) {
                    return Err(LocalError::Escapes { path: shown(), target: target(path) });
                }
                self.roots.push(real.clone());
            }
            let kind = fs::metadata(&real).map_err(unreadable)?.file_type();
            (Cow::Owned(real), kind)
        } else {
            (Cow::Borrowed(path), kind)
        };
        if self.ignore.matches(inner, kind.is_dir()) {
            return Ok(());
        }
        if kind.is_dir() {
            if self.parents.iter().any(|parent| *parent == *real) {
                return Ok(());
            }
            return self.folder(&real, inner);
        }
        if !kind.is_file() {
            return Ok(());
        }
        let name =
            SafePath::parse(inner).map_err(|error| LocalError::Name { path: shown(), error })?;
        let bytes = self.buffer.read(&real, &shown(), &self.limits)?;
        self.total += bytes.len() as u64;
        let root = self.tree.label().to_owned();
        if self.total > self.limits.total_bytes {
            let limit = format!("{} MiB", self.limits.total_bytes >> 20);
            return Err(LocalError::TooLarge { path: root, limit });
        }
        if self.tree.len() >= self.limits.files {
            let limit = format!("{} files", self.limits.files);
            return Err(LocalError::TooLarge { path: root, limit });
        }
        self.tree.insert(name, bytes);
        Ok(())
    }
}

/// What small files are read into, one after the other: their size need not be asked for first.
struct Buffer(Vec<u8>);

impl Buffer {
    fn new() -> Buffer {
        Buffer(Vec::with_capacity(64 << 10))
    }

    fn read(&mut self, path: &Path, shown: &str, limits: &Limits) -> Result<Vec<u8>, LocalError> {
        let unreadable = |error| LocalError::Unreadable { path: shown.to_owned(), error };
        let mut file = fs::File::open(path).map_err(unreadable)?;
        self.0.clear();
        let small = self.0.capacity() as u64;
        (&mut file).take(small).read_to_end(&mut self.0).map_err(unreadable)?;
        if (self.0.len() as u64) < small {
            return Ok(self.0.clone());
        }
        let size = file.metadata().map_or(0, |about| about.len()).min(limits.file_bytes);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        bytes.extend_from_slice(&self.0);
        drain(file, bytes, shown, limits)
    }
}

/// All that there is, after what was read before.
fn drain(
    from: impl Read,
    mut bytes: Vec<u8>,
    shown: &str,
    limits: &Limits,
) -> Result<Vec<u8>, LocalError> {
    let rest = (limits.file_bytes + 1).saturating_sub(bytes.len() as u64);
    from.take(rest)
        .read_to_end(&mut bytes)
        .map_err(|error| LocalError::Unreadable { path: shown.to_owned(), error })?;
    if bytes.len() as u64 > limits.file_bytes {
        let limit = format!("{} MiB", limits.file_bytes >> 20);
        return Err(LocalError::TooLarge { path: shown.to_owned(), limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(tree: &FileTree) -> Vec<String> {
        tree.iter().map(|(path, _)| path.to_string()).collect()
    }

    #[test]
    fn folders_are_read_in_order_without_what_is_ignored() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join("templates")).expect("a folder");
        fs::create_dir_all(root.join(".git")).expect("a folder");
        for name in ["z.yaml", "a.yaml", "templates/t.yaml", "note.swp", ".git/HEAD"] {
            fs::write(root.join(name), "x: 1\n").expect("a file");
        }
        fs::write(root.join(".wharfignore"), "# editors\n*.swp\n").expect("a file");
        symlink("templates", root.join("more")).expect("a link");
        symlink("..", root.join("templates/loop")).expect("a link");
        let tree = load(root.to_str().expect("text")).expect("a tree");
        assert_eq!(
            names(&tree),
            [".wharfignore", "a.yaml", "more/t.yaml", "templates/t.yaml", "z.yaml"]
        );
    }

    #[test]
    fn files_of_any_size_are_read_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let sizes = [0, 1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 300_000];
        let bytes = |size: usize| (0..=250).cycle().take(size).collect::<Vec<u8>>();
        for size in sizes {
            fs::write(folder.path().join(format!("{size}.bin")), bytes(size)).expect("a file");
        }
        let tree = load(folder.path().to_str().expect("text")).expect("a tree");
        for size in sizes {
            let read = tree.get(&format!("{size}.bin")).expect("it was read");
            assert!(read[..] == bytes(size)[..], "{size}");
        }
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        symlink("/etc/hostname", folder.path().join("out.yaml")).expect("a link");
        let error = load(folder.path().to_str().expect("text")).expect_err("a refusal");
        let end = "out.yaml` is a link that leads out of the package, to `/etc/hostname`";
        assert!(error.to_string().ends_with(end), "{error}");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let limits = Limits { file_bytes: 1 << 20, ..Limits::default() };
        let error =
            drain(std::io::repeat(b'a'), Vec::new(), "files/big", &limits).expect_err("a bound");
        assert_eq!(error.to_string(), "`files/big` holds more than 1 MiB");
        let code = miette::Diagnostic::code(&error).expect("a code").to_string();
        assert_eq!(code, "wharf::source::too_large");
    }

    #[test]
    fn what_is_not_there_is_said_with_the_nearest_name() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("values.yaml"), "").expect("a file");
        let typed = folder.path().join("vlaues.yaml");
        match load(typed.to_str().expect("text")) {
            Err(LocalError::NotFound(_, help)) => {
                assert_eq!(help.as_deref(), Some("did you mean `values.yaml`?"));
            }
            other => panic!("{other:?}"),
        }
    }
}
