//! The system calls of a job that are about files of its world: the points at which something goes wrong.

use std::collections::{BTreeMap, HashSet};

use crate::strace::{Call, Trace, Traced};
use crate::support::ending;
use crate::worlds::World;

/// What is called on files and folders, by any part of the program.
const CALLS: &str = "%file,%desc";

/// One call of a job, by name and by number within its thread.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) call: String,
    pub(crate) number: usize,
    /// The arguments it had when nothing went wrong, in each thread that came so far.
    pub(crate) arguments: Vec<String>,
}

impl Point {
    pub(crate) fn is_about(&self, text: &str) -> bool {
        self.arguments.iter().any(|arguments| arguments.contains(text))
    }
}

/// Every call by which the job of `world` touches its files, or asks about them, when nothing goes wrong.
///
/// Of calls that are repeated very often, such as reading pages, only the first, the last and some between.
pub(crate) fn points_of(world: &World, injections: &[String]) -> Vec<Point> {
    const MOST_OF_ONE_CALL: usize = 150;
    let mut points = Vec::new();
    for of_one_call in all_points_of(world, injections).into_values() {
        let (count, all) = (of_one_call.len(), of_one_call.into_iter().enumerate());
        let stride = count.div_ceil(MOST_OF_ONE_CALL);
        let is_chosen = |index: usize| index < 20 || index + 20 >= count || index.is_multiple_of(stride);
        points.extend(all.filter(|(index, _)| is_chosen(*index)).map(|(_, point)| point));
    }
    points
}

fn all_points_of(world: &World, injections: &[String]) -> BTreeMap<String, Vec<Point>> {
    let visit = world.enter();
    let trace = Trace { calls: CALLS.to_string(), injections: injections.to_vec(), ..Trace::default() };
    let Traced { output: ended, calls, .. } = trace.run(&visit.command());
    assert!(ended.status.success(), "{:?}: {}", world.job, ending(&ended));
    let listed: Vec<&str> = calls
        .iter()
        .filter(|call| call.arguments.contains("O_DIRECTORY"))
        .map(|call| &*call.result)
        .collect();
    // Nothing can go wrong when a folder that was listed is closed: Rust's library relies on that.
    let is_listed = |call: &Call| call.name == "close" && listed.contains(&&*call.arguments);
    let left_out: HashSet<_> = calls.iter().filter(|call| is_listed(call)).map(Call::point).collect();
    let mut points = BTreeMap::<(String, usize), Vec<String>>::new();
    // What other jobs do as well is tried with them: these take long.
    let is_tried = |call: &Call| {
        !world.job.spills() || ["/temp/", "\"temp/"].iter().any(|folder| call.arguments.contains(folder))
    };
    for call in calls.iter().filter(|call| is_point(call) && call.touches(visit.path()) && is_tried(call)) {
        if !left_out.contains(&call.point()) {
            points.entry(call.point()).or_default().push(call.arguments.clone());
        }
    }
    let mut by_call = BTreeMap::<String, Vec<Point>>::new();
    for ((call, number), arguments) in points {
        by_call.entry(call.clone()).or_default().push(Point { call, number, arguments });
    }
    by_call
}

fn is_point(call: &Call) -> bool {
    !matches!(call.name.as_str(), "execve" | "getcwd" | "chdir")
}
