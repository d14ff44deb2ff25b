//! Charts on the command line: flags, repositories, and what hostile ones cannot do.

mod flags;
mod repositories;
mod safety;
mod tls;

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A folder of charts, and the means to run commands in it.
pub(crate) struct Folder {
    folder: tempfile::TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    #[track_caller]
    pub(crate) fn fine(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:#?}");
        &self.out
    }

    #[track_caller]
    pub(crate) fn fails(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for text in texts {
            assert!(self.err.contains(text), "no `{text}` in:\n{}", self.err);
        }
    }
}

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// A chart with one template, which says the chart's version.
    pub(crate) fn chart(&self, name: &str, version: &str, more: &str) {
        let head = format!("apiVersion: v2\nname: {name}\nversion: {version}\n{more}");
        self.write(&format!("{name}/Chart.yaml"), &head);
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Chart.Name }}\n  \
                   namespace: {{ .Release.Namespace }}\ndata:\n  version: {{ .Chart.Version }}\n  \
                   release: {{ .Release.Name }}\n";
        self.write(&format!("{name}/templates/map.yaml"), map);
    }

    /// A program in this folder, with this folder as home.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.path()).env("HOME", self.folder.path());
        for variable in ["KUBECONFIG", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "DOCKER_CONFIG"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Has Helm know a repository called `mine`.
    pub(crate) fn helm_home(&self, address: &str, more: &str) {
        let entry =
            format!("apiVersion: ''\nrepositories:\n- name: mine\n  url: {address}\n{more}");
        self.write(".config/helm/repositories.yaml", &entry);
    }

    pub(crate) fn wharf(&self, args: &[&str]) -> Run {
        run(self.command(env!("CARGO_BIN_EXE_wharf"), args))
    }

    pub(crate) fn helm(&self, args: &[&str]) -> Run {
        run(self.command("helm", args))
    }
}

pub(crate) fn run(mut command: Command) -> Run {
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}
