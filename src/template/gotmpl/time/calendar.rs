//! Days and dates of the Gregorian calendar, for every second that 64 bits can hold.

/// The months' names.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The days' names.
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const DAY: u64 = 86_400;
/// 400 years, after which the calendar repeats itself.
const ERA_DAYS: u64 = 146_097;
/// Counting begins on the first of March of minus this year: all seconds of 64 bits are after it.
const ERAS_BEFORE: u64 = 730_692_556;
/// Days from the first of March of the year 0 to 1970.
const TO_1970: u64 = 719_468;
/// Seconds from where counting begins to 1970.
const START: u64 = (ERAS_BEFORE * ERA_DAYS + TO_1970) * DAY;

/// A date, and the seconds of its day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Civil {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: usize,
    /// From 1.
    pub(super) day: i64,
    /// From 0, Sunday.
    pub(super) weekday: usize,
    pub(super) seconds: i64,
}

impl Civil {
    /// The date of a time in seconds since 1970, at an offset.
    pub(super) fn of(seconds: i64, offset: i64) -> Civil {
        let absolute = seconds.wrapping_add(offset).cast_unsigned().wrapping_add(START);
        let days = absolute / DAY;
        let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // months from March
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let january = u64::from(month >= 10);
        let year =
            (era * 400 + year_of_era + january).cast_signed() - (ERAS_BEFORE * 400).cast_signed();
        Civil {
            year,
            month: small((month + 2) % 12 + 1),
            day: day.cast_signed(),
            weekday: small((days + 3) % 7),
            seconds: (absolute % DAY).cast_signed(),
        }
    }

    /// Hour, minute and second.
    pub(super) fn clock(&self) -> (i64, i64, i64) {
        (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60)
    }

    /// The day of the year, from 1.
    pub(super) fn year_day(&self) -> i64 {
        days_before(self.month, self.year) + self.day
    }
}

fn small(number: u64) -> usize {
    usize::try_from(number).expect("a month or a day")
}

/// Days of the year before a month.
pub(super) fn days_before(month: usize, year: i64) -> i64 {
    const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    BEFORE[month - 1] + i64::from(month > 2 && is_leap(year))
}

/// Days of a month.
pub(super) fn days_in(month: usize, year: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Seconds since 1970 of a date and a number of seconds; month and day may lie outside of their
/// ranges, and count on.
pub(super) fn seconds(year: i64, month: i64, day: i64, seconds: i64) -> i64 {
    let months = i128::from(month) - 1;
    let year = i128::from(year) + months.div_euclid(12);
    let month = months.rem_euclid(12);
    // years from March
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100
        + (153 * month + 2) / 5
        + i128::from(day)
        - 1;
    let days = era * i128::from(ERA_DAYS) + day_of_era - i128::from(TO_1970);
    wrap(days * i128::from(DAY) + i128::from(seconds))
}

#[expect(clippy::cast_possible_truncation, reason = "Go's arithmetic of times wraps around")]
fn wrap(number: i128) -> i64 {
    number as i64
}
