//! What a hostile chart cannot do: read beside its folder, start anything, reach a network, or take
//! time and memory without end.

use super::Folder;
use super::repositories::Web;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

/// Renders one template of a chart called `evil`.
fn render(folder: &Folder, template: &str) -> super::Run {
    folder.write("evil/Chart.yaml", "apiVersion: v2\nname: evil\nversion: 1.0.0\n");
    folder.write("evil/templates/a.yaml", template);
    folder.wharf(&["template", "evil"])
}

#[test]
fn templates_read_nothing_beside_their_chart() {
    let folder = Folder::new();
    folder.write("secret", "hunter2");
    folder.write("evil/inside", "inside");
    let template = "a: {{ .Files.Get \"inside\" }}
b: {{ .Files.Get \"../secret\" | quote }}
c: {{ .Files.Get \"/etc/hostname\" | quote }}
d: {{ len (.Files.Glob \"../*\") }}
e: {{ len (.Files.Glob \"/etc/*\") }}
f: {{ len (.Files.Lines \"../secret\") }}
g: {{ (.Files.Glob \"**secret\").AsConfig | quote }}
";
    let run = render(&folder, template);
    assert!(
        run.fine().contains("a: inside\nb: \"\"\nc: \"\"\nd: 0\ne: 0\nf: 0\ng: \"{}\"\n"),
        "{run:#?}"
    );
    for word in ["env \"HOME\"", "expandenv \"$HOME\"", "exec \"id\"", "readFile \"secret\""] {
        let name = word.split(' ').next().expect("a word");
        let said = format!("function \"{name}\" not defined");
        render(&folder, &format!("a: {{{{ {word} }}}}\n")).fails(1, &[&said]);
    }
}

#[test]
fn links_lead_nowhere_but_to_charts_of_the_same_work_tree() {
    let folder = Folder::new();
    folder.write("secret", "hunter2");
    folder.chart("evil", "1.0.0", "");
    symlink("../secret", folder.path("evil/file")).expect("a link");
    let refused = ["wharf::source::escapes", "a link that leads out of the package"];
    folder.wharf(&["template", "evil"]).fails(1, &refused);
    std::fs::remove_file(folder.path("evil/file")).expect("it is there");
    // a chart beside it may be linked to from `charts`, where both are one project
    folder.chart("shared", "1.0.0", "");
    std::fs::create_dir(folder.path("evil/charts")).expect("a folder");
    symlink("../../shared", folder.path("evil/charts/shared")).expect("a link");
    folder.wharf(&["template", "evil"]).fails(1, &refused);
    std::fs::create_dir(folder.path(".git")).expect("a folder");
    let run = folder.wharf(&["template", "evil"]);
    assert!(run.fine().contains("# Source: evil/charts/shared/templates/map.yaml"), "{run:#?}");
    // what is there besides charts stays out of reach, also by way of them
    symlink("../secret", folder.path("shared/file")).expect("a link");
    folder.wharf(&["template", "evil"]).fails(1, &refused);
    std::fs::remove_file(folder.path("shared/file")).expect("it is there");
    symlink("../../.git", folder.path("evil/charts/git")).expect("a link");
    folder.wharf(&["template", "evil"]).fails(1, &refused);
}

#[test]
fn nothing_is_asked_of_the_network() {
    let folder = Folder::new();
    folder.write("files/schema.json", "{}");
    let web = Web::serve(folder.path("files"), None);
    let run = render(&folder, "a: {{ getHostByName \"localhost\" | quote }}\n");
    assert!(run.fine().ends_with("a: \"\"\n"), "{run:#?}");
    let run = folder.wharf(&["template", "evil", "--enable-dns"]);
    assert!(run.fine().contains("127.0.0.1") || run.out.contains("::1"), "{run:#?}");
    let schema = format!("{{\"$ref\": \"{}/schema.json\"}}", web.address);
    folder.write("evil/values.schema.json", &schema);
    assert_eq!(folder.wharf(&["template", "evil"]).code, Some(1));
    assert!(web.asked().is_empty());
}

#[test]
fn templates_end_and_say_where() {
    let folder = Folder::new();
    let begun = Instant::now();
    for (template, said) in [
        (
            "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
            "evil/templates/a.yaml:1",
        ),
        ("{{ repeat 2000000000 \"abcdefgh\" }}", "evil/templates/a.yaml:1"),
        (
            "{{ $a := list . }}{{ range until 40 }}{{ $a = concat $a $a }}{{ end }}",
            "2097152 items are more than 1048576",
        ),
        ("{{ until 2000000000 | len }}", "evil/templates/a.yaml:1"),
        ("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}", "evil/templates/a.yaml:1"),
    ] {
        render(&folder, template).fails(1, &["wharf::render::template", said]);
    }
    assert!(begun.elapsed() < Duration::from_secs(120), "it took {:?}", begun.elapsed());
}
