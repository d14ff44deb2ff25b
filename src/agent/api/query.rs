//! Query parameters: reading them, and the rules for options of each verb.

use super::fault::Faults;
use super::status::Status;
use std::num::{IntErrorKind, ParseIntError};

/// Decoded parameters in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Query {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Query(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key, true), decode(value, true))
                })
                .collect(),
        )
    }

    /// The first value of a parameter, or nothing.
    pub(crate) fn get(&self, key: &str) -> &str {
        let found = self.0.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A switch: on when it is there, unless it says no. Kubernetes takes what it cannot read for
    /// yes.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.has(key) && !matches!(self.get(key), "0" | "f" | "F" | "false" | "False" | "FALSE")
    }

    /// A number, if it is there.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Status> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error: ParseIntError| {
            let why = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: {why}"))
        })
    }
}

/// Decodes `%XX`, and `+` in queries. Bytes that are no UTF-8 become replacement characters.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |offset: usize| {
            bytes.get(at + offset).and_then(|digit| char::from(*digit).to_digit(16))
        };
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).expect("two digits make one byte"));
                at += 3;
                continue;
            }
            (b'+', ..) if plus => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// How unknown and repeated fields are treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// Options of create, update and patch.
#[derive(Clone, Debug)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) validation: FieldValidation,
    /// Who writes, when the request says so.
    pub(crate) manager: String,
    /// Takes fields over from others (apply only).
    pub(crate) force: bool,
}

/// Reads the options of a write; `verb` is `Create`, `Update` or `Patch`.
pub(crate) fn write_options(
    query: &Query,
    verb: &str,
    apply: bool,
) -> Result<WriteOptions, Status> {
    let mut faults = Faults::new();
    let manager = query.get("fieldManager");
    if verb == "Patch" {
        if !apply && query.has("force") {
            faults.forbidden("force", "may not be specified for non-apply patch");
        }
        if apply && manager.is_empty() {
            faults.required("fieldManager", "is required for apply patch");
        }
    }
    if manager.len() > 128 {
        faults.too_long("fieldManager", 128);
    }
    if manager.chars().any(char::is_control) {
        faults.invalid("fieldManager", manager, "should not contain control characters");
    }
    let dry_run = dry_run(query.all("dryRun"), &mut faults);
    let validation = match query.get("fieldValidation") {
        "" | "Warn" => FieldValidation::Warn,
        "Ignore" => FieldValidation::Ignore,
        "Strict" => FieldValidation::Strict,
        other => {
            faults.unsupported("fieldValidation", other, &["", "Ignore", "Strict", "Warn"]);
            FieldValidation::Warn
        }
    };
    if !faults.is_empty() {
        return Err(Status::invalid_as("meta.k8s.io", &format!("{verb}Options"), "", &faults));
    }
    let manager = manager.to_owned();
    Ok(WriteOptions { dry_run, validation, manager, force: query.flag("force") })
}

/// Reads `dryRun`, of which `All` is the one stage.
pub(crate) fn dry_run<'a>(stages: impl Iterator<Item = &'a str>, faults: &mut Faults) -> bool {
    let mut on = false;
    for stage in stages.filter(|stage| !stage.is_empty()) {
        if stage == "All" {
            on = true;
        } else {
            faults.unsupported("dryRun", stage, &["All"]);
        }
    }
    on
}

/// Which versions a list may show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    /// Nothing was said.
    Unset,
    Exact,
    NotOlderThan,
}

/// Options of list and watch.
#[derive(Clone, Debug)]
pub(crate) struct ListOptions {
    pub(crate) labels: String,
    pub(crate) fields: String,
    /// `None` when nothing was said.
    pub(crate) version: Option<u64>,
    pub(crate) version_match: Match,
    pub(crate) limit: usize,
    pub(crate) resume: String,
    pub(crate) watch: bool,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: Option<bool>,
    pub(crate) timeout: Option<u64>,
}

/// Reads the options of a list or watch.
pub(crate) fn list_options(query: &Query) -> Result<ListOptions, Status> {
    let watch = query.flag("watch");
    let text = query.get("resourceVersion");
    let version = match text {
        "" => None,
        text => Some(text.parse().map_err(|_| bad_version(text))?),
    };
    let initial_events = query.has("sendInitialEvents").then(|| query.flag("sendInitialEvents"));
    let resume = query.get("continue").to_owned();
    let mut faults = Faults::new();
    let wanted = query.get("resourceVersionMatch");
    if watch {
        check_watch(wanted, initial_events, query.flag("allowWatchBookmarks"), &mut faults);
    } else {
        check_list(wanted, text, initial_events, &resume, &mut faults);
    }
    if !faults.is_empty() {
        return Err(Status::invalid_as("meta.k8s.io", "ListOptions", "", &faults));
    }
    if !resume.is_empty() && version.is_some_and(|version| version > 0) {
        let message = "specifying resource version is not allowed when using continue";
        return Err(Status::bad_request(message));
    }
    Ok(ListOptions {
        labels: query.get("labelSelector").into(),
        fields: query.get("fieldSelector").into(),
        version,
        version_match: match wanted {
            "Exact" => Match::Exact,
            "NotOlderThan" => Match::NotOlderThan,
            _ => Match::Unset,
        },
        limit: query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0),
        resume,
        watch,
        bookmarks: query.flag("allowWatchBookmarks"),
        initial_events,
        timeout: query.number("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok()),
    })
}

/// A resourceVersion that is no number.
pub(crate) fn bad_version(text: &str) -> Status {
    Status::bad_request(format!(
        "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid \
         syntax"
    ))
}

fn check_watch(wanted: &str, initial: Option<bool>, bookmarks: bool, faults: &mut Faults) {
    const FIELD: &str = "resourceVersionMatch";
    if initial.is_some() {
        if wanted != "NotOlderThan" {
            faults.forbidden(
                FIELD,
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            );
            if !wanted.is_empty() {
                faults.unsupported(FIELD, wanted, &["NotOlderThan"]);
            }
        }
        if initial == Some(true) && wanted == "NotOlderThan" && !bookmarks {
            faults.forbidden(
                "allowWatchBookmarks",
                "sendInitialEvents requires setting allowWatchBookmarks to true",
            );
        }
    } else if !wanted.is_empty() {
        faults.forbidden(
            FIELD,
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        );
    }
}

fn check_list(
    wanted: &str,
    version: &str,
    initial: Option<bool>,
    resume: &str,
    faults: &mut Faults,
) {
    const FIELD: &str = "resourceVersionMatch";
    if initial.is_some() {
        faults.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
    }
    if wanted.is_empty() {
        return;
    }
    if version.is_empty() {
        faults.forbidden(
            FIELD,
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        );
    }
    if !resume.is_empty() {
        faults.forbidden(FIELD, "resourceVersionMatch is forbidden when continue is provided");
    }
    if wanted != "Exact" && wanted != "NotOlderThan" {
        faults.unsupported(FIELD, wanted, &["Exact", "NotOlderThan", ""]);
    }
    if wanted == "Exact" && version == "0" {
        faults.forbidden(
            FIELD,
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse(Some("a=b%20c+d&watch=maybe&x=%zz%e9&follow=false&n=12"));
        assert_eq!(query.get("a"), "b c d");
        assert_eq!(query.get("x"), "%zz\u{fffd}");
        assert_eq!(
            (query.flag("watch"), query.flag("follow"), query.flag("none")),
            (true, false, false)
        );
        assert_eq!(query.number("n").expect("it is one"), Some(12));
        assert_eq!(query.number("none").expect("it may be absent"), None);
        let message = query.number("a").expect_err("it is text").message;
        assert_eq!(message, "strconv.ParseInt: parsing \"b c d\": invalid syntax");
    }
}
