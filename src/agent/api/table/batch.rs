//! Columns of Jobs and `CronJob`s.

use super::cell::{age, count, human_duration, join, name, since};
use super::workload::{CONTAINERS, IMAGES, template};
use super::{AGE, Column, Columns, NAME};
use crate::yaml::Node;
use jiff::Timestamp;

pub(crate) static JOB: Columns = Columns {
    columns: &[
        NAME,
        Column::text("Status", "Status of the job."),
        Column::text(
            "Completions",
            "The number of pods which reached phase Succeeded. The value increases monotonically \
             for a given spec. However, it may decrease in reaction to scale down of elastic \
             indexed jobs.",
        ),
        Column::text("Duration", "Time required to complete the job."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |object, now| {
        let mut cells = vec![
            name(object),
            status(object).into(),
            completions(object).into(),
            duration(object, now).into(),
            age(object, now),
        ];
        cells.extend(template(object));
        cells
    },
};

pub(crate) static CRON_JOB: Columns = Columns {
    columns: &[
        NAME,
        Column::text(
            "Schedule",
            "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron.",
        ),
        Column::text(
            "Timezone",
            "The time zone name for the given schedule, see \
             https://en.wikipedia.org/wiki/List_of_tz_database_time_zones. If not specified, this \
             will default to the time zone of the kube-controller-manager process. The set of \
             valid time zone names and the time zone offset is loaded from the system-wide time \
             zone database by the API server during CronJob validation and the controller manager \
             during execution. If no system-wide time zone database can be found a bundled version \
             of the database is used instead. If the time zone name becomes invalid during the \
             lifetime of a CronJob or due to a change in host configuration, the controller will \
             stop creating new new Jobs and will create a system event with the reason \
             UnknownTimeZone. More information can be found in \
             https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones",
        ),
        Column {
            kind: "boolean",
            ..Column::text(
                "Suspend",
                "This flag tells the controller to suspend subsequent executions, it does not \
                 apply to already started executions.  Defaults to false.",
            )
        },
        Column::integer("Active", "A list of pointers to currently running jobs."),
        Column::text(
            "Last Schedule",
            "Information when was the last time the job was successfully scheduled.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |object, now| {
        let text = |path: &[&str]| object.str_at(path).unwrap_or("<none>").to_owned();
        let last = object.at(&["status", "lastScheduleTime"]);
        let suspended = match object.at(&["spec", "suspend"]).and_then(Node::as_bool) {
            Some(true) => "True",
            Some(false) => "False",
            None => "<unset>",
        };
        let active = object.items_at(&["status", "active"]).len();
        let pod = ["spec", "jobTemplate", "spec", "template", "spec", "containers"];
        let containers = object.items_at(&pod);
        vec![
            name(object),
            text(&["spec", "schedule"]).into(),
            text(&["spec", "timeZone"]).into(),
            suspended.into(),
            i64::try_from(active).unwrap_or(i64::MAX).into(),
            last.map_or_else(|| "<none>".to_owned(), |last| since(Some(last), now)).into(),
            age(object, now),
            join(containers, "name").into(),
            join(containers, "image").into(),
            "<none>".into(),
        ]
    },
};

const SELECTOR: Column = Column::text(
    "Selector",
    "A label query over pods that should match the pod count. Normally, the system sets this field \
     for you. More info: \
     https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
)
.wide();

fn status(job: &Node) -> &'static str {
    let has = |kind: &str| {
        job.items_at(&["status", "conditions"]).iter().any(|condition| {
            condition.str_at(&["type"]) == Some(kind)
                && condition.str_at(&["status"]) == Some("True")
        })
    };
    let deleted = job.at(&["metadata", "deletionTimestamp"]).is_some();
    let mut states = [
        ("Complete", has("Complete")),
        ("Failed", has("Failed")),
        ("Terminating", deleted),
        ("Suspended", has("Suspended")),
        ("FailureTarget", has("FailureTarget")),
        ("SuccessCriteriaMet", has("SuccessCriteriaMet")),
    ]
    .into_iter();
    states.find(|(_, holds)| *holds).map_or("Running", |(state, _)| state)
}

fn completions(job: &Node) -> String {
    let succeeded = count(job, &["status", "succeeded"]);
    match (job.i64_at(&["spec", "completions"]), count(job, &["spec", "parallelism"])) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, many) if many > 1 => format!("{succeeded}/1 of {many}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn duration(job: &Node, now: Timestamp) -> String {
    let time = |key: &str| job.str_at(&["status", key])?.parse::<Timestamp>().ok();
    let Some(start) = time("startTime") else { return String::new() };
    let end = time("completionTime").unwrap_or(now);
    human_duration(end.as_second() - start.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_job_shows_how_far_it_is() {
        let start = "2024-01-01T00:00:00Z";
        let condition = |kind: &str| json!([{"type": kind, "status": "True"}]);
        for (spec, state, expected) in [
            (json!({"completions": 2}), json!({}), ["Running", "0/2", ""]),
            (json!({}), json!({"startTime": start, "succeeded": 1}), ["Running", "1/1", "90s"]),
            (json!({"parallelism": 3}), json!({}), ["Running", "0/1 of 3", ""]),
            (
                json!({"completions": 1}),
                json!({"conditions": condition("Complete"), "succeeded": 1, "startTime": start,
                    "completionTime": "2024-01-01T00:00:05Z"}),
                ["Complete", "1/1", "5s"],
            ),
            (
                json!({"completions": 1}),
                json!({"conditions": condition("FailureTarget")}),
                ["FailureTarget", "0/1", ""],
            ),
        ] {
            let job = Node::from(json!({"metadata": {"name": "j"}, "spec": spec, "status": state}));
            let cells = (JOB.cells)(&job, "2024-01-01T00:01:30Z".parse().expect("a time"));
            let shown: Vec<&str> = cells[1..4].iter().filter_map(Node::as_str).collect();
            assert_eq!(shown, expected, "{job:?}");
        }
    }
}
