//! The system calls of a job that are about files of its world: the points at which something goes wrong.

use std::collections::{HashMap, HashSet};

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
    /// Where it comes first among all calls.
    position: usize,
    /// The arguments it had when nothing went wrong, in each thread that came so far.
    pub(crate) arguments: Vec<String>,
}

impl Point {
    pub(crate) fn is_about(&self, text: &str) -> bool {
        self.arguments.iter().any(|arguments| arguments.contains(text))
    }
}

/// Every call by which the job of `world` touches its files, or asks about them, when nothing goes wrong, in the order
/// in which they come.
pub(crate) fn points_of(world: &World, injections: &[String]) -> Vec<Point> {
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
    // What other jobs do as well is tried with them: these take long.
    let is_own = |call: &Call| {
        !world.job.spills() || ["/temp/", "\"temp/"].iter().any(|folder| call.arguments.contains(folder))
    };
    let is_tried = |call: &Call| {
        is_point(call) && is_own(call) && call.touches(visit.path()) && !left_out.contains(&call.point())
    };
    let mut points = HashMap::<(String, usize), Point>::new();
    for (position, call) in calls.iter().enumerate().filter(|(_, call)| is_tried(call)) {
        let (name, number) = call.point();
        let new = || Point { call: name, number, position, arguments: Vec::new() };
        points.entry(call.point()).or_insert_with(new).arguments.push(call.arguments.clone());
    }
    let mut points: Vec<_> = points.into_values().collect();
    points.sort_by_key(|point| point.position);
    points
}

fn is_point(call: &Call) -> bool {
    !matches!(call.name.as_str(), "execve" | "getcwd" | "chdir")
}
