//! The program of `--post-renderer`: it runs because the user names it, and only then.

use crate::render::helm::PostRender;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program that gets manifests on its standard input and writes them to its standard output.
#[derive(Debug)]
pub struct Program {
    /// As the user names it.
    name: String,
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// A program that is named by its path, or is in one of the folders of `PATH`.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(name: &str, arguments: &[String]) -> Result<Program, String> {
        let path = PathBuf::from(name);
        let found = if name.contains('/') {
            path.is_file().then_some(path)
        } else {
            let folders = std::env::var_os("PATH").unwrap_or_default();
            let mut paths = std::env::split_paths(&folders).map(|folder| folder.join(name));
            paths.find(|path| path.is_file())
        };
        let path = found.ok_or_else(|| {
            format!(
                "there is no program `{name}`; plugins of Helm are named by their program's path"
            )
        })?;
        Ok(Program {
            name: name.to_owned(),
            path,
            arguments: arguments.iter().map(OsString::from).collect(),
        })
    }
}

impl PostRender for Program {
    fn run(&self, manifests: &[u8]) -> Result<Vec<u8>, String> {
        let name = &self.name;
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        let mut input = child.stdin.take().expect("it was asked for");
        // written beside the reading, or both would wait for each other
        let output = std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(manifests));
            child.wait_with_output()
        });
        let output = output.map_err(|error| format!("{name}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let ended = format!("{name} ended with {}", output.status);
            return Err(match said.trim() {
                "" => ended,
                said => format!("{ended}: {said}"),
            });
        }
        if output.stdout.trim_ascii().is_empty() {
            return Err(format!("post-renderer {name} produced empty output"));
        }
        Ok(output.stdout)
    }
}
