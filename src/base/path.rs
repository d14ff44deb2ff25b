//! Paths inside a package that cannot leave its root.

use std::fmt;

/// A relative path with `/` between its parts: never empty, never absolute, without `.` or `..`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SafePath(Box<str>);

/// Why a path was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    /// The path has no parts.
    #[error("path is empty")]
    Empty,
    /// The path begins at the root of a file system.
    #[error("path `{0}` is absolute")]
    Absolute(String),
    /// The path leads out of its root.
    #[error("path `{0}` leads out of its folder")]
    Escapes(String),
    /// The path holds a NUL or a backslash.
    #[error("path `{0}` holds a character that is not allowed in paths")]
    Character(String),
}

impl SafePath {
    /// Reads a path, resolving `.` and `..`.
    ///
    /// # Errors
    /// When it is empty, absolute, holds NUL or a backslash, or leads out of its root.
    pub fn parse(path: &str) -> Result<SafePath, PathError> {
        if path.starts_with('/') {
            return Err(PathError::Absolute(path.to_owned()));
        }
        if path.contains(['\0', '\\']) {
            return Err(PathError::Character(path.to_owned()));
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(|| PathError::Escapes(path.to_owned()))?;
                }
                part => parts.push(part),
            }
        }
        if parts.is_empty() {
            return Err(PathError::Empty);
        }
        Ok(SafePath(parts.join("/").into()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, name)| name)
    }

    /// The path without its last part, or nothing at the root.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }
}

impl fmt::Display for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for SafePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::SafePath;

    #[test]
    fn no_path_leaves_its_root() {
        let parse = |text: &str| SafePath::parse(text).map(|path| path.to_string()).ok();
        assert_eq!(parse("a/b"), Some("a/b".into()));
        assert_eq!(parse("./a//b/"), Some("a/b".into()));
        assert_eq!(parse("a/../b"), Some("b".into()));
        for bad in ["", ".", "/a", "..", "a/../../b", "a\\b", "a\0"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
