//! Many dumps at once, read by several threads.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::place::Place;

/// A folder of dumps with times of their own, some of them damaged; each has so many bytes of filler.
fn folder(count: u64, filler: usize) -> Place {
    let place = Place::new();
    fs::create_dir(place.path("dumps")).expect("a folder");
    for number in 0..count {
        let sessions: Vec<Value> = (1..=6)
            .map(|day| {
                json!({"weekNumber": number % 3 + 1, "dayNumber": day, "completed": true,
                       "completedAt": format!("2025-01-{:02}T10:00:00Z", number % 28 + 1),
                       "notes": "n".repeat(filler / 6)})
            })
            .collect();
        let state =
            json!({"progressHistory": {"programId": format!("p{}", number % 7), "sessions": sessions}});
        let mut text = json!({"store": json!({"state": state, "version": 1}).to_string()}).to_string();
        if number % 10 == 3 {
            text.truncate(text.len() / 2);
        }
        let name = format!("dumps/{number:03}.json");
        place.write(&name, &text);
        // Not in the order of their names.
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + number * 7919 % 1000);
        let file = File::options().append(true).open(place.path(&name)).expect("the file opens");
        file.set_modified(at).expect("a time");
    }
    place
}

#[test]
fn what_is_written_and_told_is_the_same_for_every_number_of_threads() {
    let place = folder(120, 600);
    let mut first = None;
    for threads in [1, 2, 7] {
        let ran = place.run(&format!("migrate dumps --into new.db --threads {threads} --json"));
        let document = ran.exits(3).document();
        assert_eq!(document["totals"]["files"], 120);
        assert_eq!(document["totals"]["unreadable"], 12);
        let bytes = place.read("new.db");
        let (known_bytes, known) = first.get_or_insert_with(|| (bytes.clone(), document.clone()));
        assert!(bytes == *known_bytes, "{threads} threads wrote another file");
        assert_eq!(document, *known, "{threads} threads");
        fs::remove_file(place.path("new.db")).expect("removed");
    }
}

/// Files that need several times what may be in memory at once.
#[test]
fn files_wait_for_room_in_their_order_and_a_failure_ends_those_that_wait() {
    let place = folder(45, 1 << 20);
    let ran = place.run("migrate dumps --into new.db --threads 5 --json");
    assert_eq!(ran.exits(3).document()["totals"]["files"], 45);
    let sessions = place.ask("new.db", "SELECT count(*) FROM events WHERE event_type = 'workout_session'");
    assert_eq!(sessions, "240");
    place.execute(
        "strict.db",
        "CREATE TABLE events (_event_id TEXT PRIMARY KEY, _created_at TEXT, event_type TEXT CHECK (event_type = 'other'),
                              payload TEXT)",
    );
    place.run("migrate dumps --into strict.db --threads 5").exits(1);
}
