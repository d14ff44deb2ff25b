//! What wharf says to faults of the user's input: each case is a small source with a fault, and the
//! whole text and exit code that come of it. The cases stand in `tests/faults/*.txt`:
//!
//! ```text
//! ### wharf::yaml::tab             the code that must be said
//! $ wharf render .                 run in a folder of these files
//! @ web.yaml                       a file, up to the next line that begins like this one
//! @escaped bad.yaml                one whose text has `\xNN`, `\u{…}` and `\n`
//! @link out.yaml -> /etc/hosts     a link
//! @package                         a `Package.yaml` without a fault
//! = 1                              the exit code, and then standard error
//! ```
//!
//! `WHARF_UPDATE=1 cargo test faults` writes what is said into the files, to be read before it is
//! kept.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

const PACKAGE: &str = "apiVersion: wharf.dev/v1\nkind: Package\nname: shop\nversion: 1.0.0\n";

/// One case as it stands in its file.
struct Case<'a> {
    /// All lines before the exit code.
    given: &'a str,
    expected: &'a str,
}

impl<'a> Case<'a> {
    fn read(text: &'a str) -> Case<'a> {
        let (given, expected) = text.split_once("\n= ").unwrap_or((text.trim_end(), ""));
        Case { given, expected: expected.trim_end() }
    }

    fn code(&self) -> &'a str {
        self.given.split_whitespace().next().expect("a case begins with its code")
    }

    /// Exit code and standard error.
    fn run(&self) -> String {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("project");
        fs::create_dir(&folder).expect("a folder in it");
        let mut arguments: Vec<&str> = Vec::new();
        let (_, parts) = self.given.split_once('\n').expect("a case has a command");
        for part in parts.split("\n@") {
            if let Some(line) = part.strip_prefix("$ wharf ") {
                arguments = line.trim().split(' ').collect();
                continue;
            }
            if part == "package" {
                fs::write(folder.join("Package.yaml"), PACKAGE).expect("a file");
                continue;
            }
            let (head, text) = part.split_once('\n').unwrap_or((part, ""));
            let (kind, name) = head.split_once(' ').expect("a file has a name");
            let path = folder.join(name.split(" -> ").next().expect("a name"));
            fs::create_dir_all(path.parent().expect("it is in the folder")).expect("its folder");
            match kind {
                "" => fs::write(path, format!("{text}\n")).expect("a file"),
                "escaped" => fs::write(path, unescaped(text)).expect("a file"),
                "link" => {
                    let target = name.split(" -> ").nth(1).expect("a link leads somewhere");
                    std::os::unix::fs::symlink(target, path).expect("a link");
                }
                other => panic!("what is @{other}?"),
            }
        }
        let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .args(arguments)
            .current_dir(&folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .output()
            .expect("wharf runs");
        let exit = output.status.code().map_or("a signal".to_owned(), |code| code.to_string());
        let said = String::from_utf8(output.stderr).expect("text");
        let said = said.replace(home.path().to_str().expect("a path of text"), "~");
        let mut whole = format!("{exit}\n");
        for line in said.lines() {
            whole.push_str(line.trim_end());
            whole.push('\n');
        }
        whole.trim_end().to_owned()
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        if let Some(hex) = after.strip_prefix('x') {
            bytes.push(u8::from_str_radix(&hex[..2], 16).expect("two hexadecimal digits"));
            rest = &hex[2..];
        } else if let Some((hex, after)) =
            after.strip_prefix("u{").and_then(|after| after.split_once('}'))
        {
            let character = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
            let character = character.expect("a character");
            bytes.extend_from_slice(character.to_string().as_bytes());
            rest = after;
        } else {
            bytes.push(b'\n');
            rest = after.strip_prefix('n').expect("an escape that is known");
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes.push(b'\n');
    bytes
}

#[test]
fn every_fault_is_told_as_it_should_be() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let update = std::env::var_os("WHARF_UPDATE").is_some();
    let mut wrong = String::new();
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a file of cases");
        let text = format!("\n{text}");
        let cases: Vec<Case> = text.split("\n### ").skip(1).map(Case::read).collect();
        let said: Vec<String> = std::thread::scope(|scope| {
            let halves = cases.chunks(cases.len().div_ceil(2).max(1));
            let running: Vec<_> = halves
                .map(|half| scope.spawn(|| half.iter().map(Case::run).collect::<Vec<_>>()))
                .collect();
            running.into_iter().flat_map(|half| half.join().expect("no panic")).collect()
        });
        let mut now = String::new();
        for (case, said) in cases.iter().zip(said) {
            let named = said.contains(case.code());
            if !named || said != case.expected && !update {
                let (file, given) = (path.display(), case.given);
                let _ = write!(wrong, "{file}: ### {given}\n= {said}\n\n");
            }
            let _ = write!(now, "### {}\n= {said}\n\n", case.given);
        }
        if update {
            fs::write(&path, now.trim_end().to_owned() + "\n").expect("the file of cases");
        }
    }
    assert!(wrong.is_empty(), "these were said and are not what is kept:\n{wrong}");
}
