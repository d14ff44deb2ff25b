//! Names of releases: which are allowed, and those that a template makes.

use super::{Chance, Failed};
use crate::base::diag::Diagnostic;
use crate::object::selector::is_subdomain;
use crate::template::gotmpl::{self, Job, Map, Options, Set, Source, stack};
use std::collections::BTreeMap;

const PATTERN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const LONGEST: usize = 53;

/// The name that a template makes, as `--name-template` of Helm does it: with all functions and
/// without values.
///
/// # Errors
/// When it is no template, or one that fails.
pub fn from_template(text: &str, chance: &Chance) -> Result<String, Failed> {
    const NAME: &str = "name-template";
    let run = || {
        let set = Set::parse(&[Source { name: NAME.into(), text: text.into() }])?;
        let data = Map::any(BTreeMap::new());
        let job = Job { name: NAME.into(), data, base_path: "".into() };
        let options = Options { strict: true, ..Options::default() };
        let made = gotmpl::render(&set, &[job], &chance.world(None, false), &options)?;
        Ok(made
            .first()
            .map(|made| String::from_utf8_lossy(&made.text).into_owned())
            .unwrap_or_default())
    };
    stack::with_room(run).map_err(|error: gotmpl::RenderError| {
        let text = error.message.lossy().into_owned();
        Diagnostic::error("wharf::values::release_name", text).into()
    })
}

/// Refuses what Kubernetes would not take, in Helm's words.
pub(super) fn check(name: &str) -> Result<(), Diagnostic> {
    if is_subdomain(name) && name.len() <= LONGEST {
        return Ok(());
    }
    let text = format!(
        "release name check failed: release name {name:?}: invalid release name, must match regex \
         {PATTERN} and the length must not be longer than {LONGEST}"
    );
    Err(Diagnostic::error("wharf::values::release_name", text)
        .help("use small letters, digits and single dashes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_and_judged() {
        let chance = Chance::reproducible("");
        let make = |text| {
            let failed = |failed: Failed| {
                failed.faults.iter().map(|fault| fault.message.clone()).collect::<String>()
            };
            from_template(text, &chance).map_err(failed)
        };
        assert_eq!(make("shop-{{ \"BLUE\" | lower }}").as_deref(), Ok("shop-blue"));
        assert_eq!(make("a-{{ randAlpha 3 | lower }}").map(|name| name.len()), Ok(5));
        assert!(make("a{{").is_err_and(|text| text.contains("unclosed action")));
        assert!(make("{{ .Values.x }}").is_err());
        for (name, fine) in [
            ("shop", true),
            ("shop-1.eu", true),
            ("Shop", false),
            ("shop_1", false),
            ("-shop", false),
            ("shop-", false),
            ("shop.-eu", false),
            ("shop..eu", false),
            ("shop.", false),
            ("s", true),
            ("shop\n", false),
            ("", false),
            (&"a".repeat(53), true),
            (&"a".repeat(54), false),
        ] {
            assert_eq!(check(name).is_ok(), fine, "{name}");
        }
    }
}
