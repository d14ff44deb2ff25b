//! Layouts, zones and durations against what Go's time gives.

use super::zone::Zone;
use super::{Time, duration};
use crate::template::gotmpl::value::Object;

/// The expected texts are those of Go 1.26.
#[test]
fn formats() {
    #[track_caller]
    fn check(seconds: i64, zone: &str, layout: &str, expected: &str) {
        let mut time = Time::unix(seconds, Zone::named(zone.as_bytes(), "UTC"));
        time.nanos = 14_300_000;
        assert_eq!(String::from_utf8_lossy(&time.format(layout.as_bytes())), expected, "{layout}");
    }
    check(
        1_704_067_200,
        "America/New_York",
        "2006-01-02 15:04 MST -0700",
        "2023-12-31 19:00 EST -0500",
    );
    check(1_704_067_200, "america/new_york", "15:04 MST Z07:00", "00:00 UTC Z");
    check(
        1_720_000_000,
        "Australia/Lord_Howe",
        "Mon Jan _2 3:04:05.000pm MST",
        "Wed Jul  3 8:16:40.014pm +1030",
    );
    check(
        0,
        "UTC",
        "Monday, January 2 06 002 __2 .999999999 ,00 _2006 Janet",
        "Thursday, January 1 70 001   1 .0143 ,01 _1970 Janet",
    );
    check(i64::MIN, "UTC", "2006-01-02T15:04:05", "292277026596-12-04T15:30:08");
    check(253_402_300_800, "Europe/London", "2006 Z070000 -07", "10000 Z +00");
    check(-62_135_596_801, "UTC", "2006-01-02", "0000-12-31");
}

#[test]
fn reads() {
    #[track_caller]
    fn check(layout: &str, text: &str, expected: &str) {
        let time =
            Time::parse(layout.as_bytes(), text.as_bytes(), &Zone::local("America/New_York"));
        let shown =
            time.map_or_else(|message| message, |time| time.text().expect("a text").to_string());
        assert_eq!(shown, expected, "{layout} {text}");
    }
    check("2006-01-02", "2024-07-01", "2024-07-01 00:00:00 -0400 EDT");
    check(
        "2006-01-02T15:04:05Z07:00",
        "2024-02-28T23:30:00.5+05:30",
        "2024-02-28 23:30:00.5 +0530 +0530",
    );
    check("2006 MST", "2024 EST", "2024-01-01 00:00:00 -0500 EST");
    check("2006 MST", "2024 XYZ", "2024-01-01 00:00:00 +0000 XYZ");
    check("2006 002 pm3", "2024 366 pm1", "2024-12-31 13:00:00 -0500 EST");
    check("2006-01-02", "2023-02-29", r#"parsing time "2023-02-29": day out of range"#);
    check("2006-01-02", "2023-13-01", r#"parsing time "2023-13-01": month out of range"#);
    check("2006-01-02", "", r#"parsing time "" as "2006-01-02": cannot parse "" as "2006""#);
    check("2006", "2024é", r#"parsing time "2024\xc3\xa9": extra text: "\xc3\xa9""#);
    check("Z07:00", "+25:00", r#"parsing time "+25:00": time zone offset hour out of range"#);
}

#[test]
fn durations() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = duration::parse(text.as_bytes()).map_or_else(|message| message, duration::text);
        assert_eq!(shown, expected, "{text}");
    }
    check("1h30m", "1h30m0s");
    check("-1.5h", "-1h30m0s");
    check("1.5us", "1.5µs");
    check("2562047h47m16.854775807s", "2562047h47m16.854775807s");
    check("0", "0s");
    check("1", r#"time: missing unit in duration "1""#);
    check("1h-1m", r#"time: unknown unit "h-" in duration "1h-1m""#);
    check("9999999h", r#"time: invalid duration "9999999h""#);
    assert_eq!(duration::text(duration::round(-1_500_000_000, 1_000_000_000)), "-2s");
}
