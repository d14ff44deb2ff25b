//! Versions and constraints against what Masterminds' semver says.

use super::{Constraint, Version};

/// The expected answers are those of `Masterminds/semver` 3.5.0.
#[test]
fn constraints() {
    #[track_caller]
    fn check(constraint: &str, version: &str, expected: bool) {
        let parsed = Constraint::parse(constraint.as_bytes()).expect("a constraint");
        let version = Version::parse(version.as_bytes()).expect("a version");
        assert_eq!(parsed.allows(&version), expected, "{constraint} {version:?}");
    }
    check("1.2", "1.2.9", true);
    check("1.2", "1.3.0", false);
    check("*", "9.9", true);
    check(">=1.20.0-0", "v1.33.1-eks-1", true);
    check(">=1.20.0", "v1.33.1-eks-1", false);
    check("1.2 - 1.4", "1.4.9", true);
    check("^0.0", "0.0.9", true);
    check("^0.0", "0.1.0", false);
    check("^1.2.3", "1.9.0", true);
    check("^0.2.3", "0.2.9", true);
    check("^0.2.3", "0.3.0", false);
    check("~1.2.3", "1.2.9", true);
    check("~1", "1.9.9", true);
    check("~>1.2, <1.2.5 || =>3", "4.0.0", true);
    check(">11", "11.1.0", false);
    check("<=11", "11.9.0", true);
    check("!=1.2.x", "1.2.3", false);
    check("=1.2.3+a", "1.2.3+b", true);
    check(">1.0.0-alpha.9", "1.0.0-alpha.10", true);
}

#[test]
fn faults() {
    #[track_caller]
    fn check(result: Result<impl Sized, String>, expected: &str) {
        assert_eq!(result.err().as_deref(), Some(expected));
    }
    check(Version::parse(b""), "invalid semantic version");
    check(Version::parse(b"1.2.3.4"), "invalid semantic version");
    check(Version::parse(b"1.2.3-01"), "version segment starts with 0");
    check(
        Version::parse(b"99999999999999999999"),
        "error parsing version segment: strconv.ParseUint: parsing \"99999999999999999999\": value out of range",
    );
    check(Version::parse(&[b'1'; 257]), "version string is too long (max 256 bytes)");
    check(Constraint::parse(b""), "improper constraint: \"\"");
    check(Constraint::parse(b">=1.2 foo"), "improper constraint: \">=1.2 foo\"");
    check(Constraint::parse(b"1x"), "constraint parser error");
    check(Constraint::parse(&[b'1'; 513]), "constraint string is too long (max 512 bytes)");
    check(Constraint::parse("1||".repeat(32).as_bytes()), "too many constraint groups (max 32)");
}
