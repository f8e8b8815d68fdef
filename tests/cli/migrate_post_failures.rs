//! Sessions are sent whatever becomes of the server, the connection or the program: none is lost, and none is sent twice
//! but what was under way.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::http_server::{Answer, Server, status, taken};
use crate::migrate_post::{PATH, assert_no_token, place_with, sent, waiting, words};
use crate::place::{Listing, Place};
use crate::ran::{Ran, wait};

/// Makes an answer, each time anew.
type MakeAnswer = fn() -> Answer;

#[test]
fn a_server_that_fails_once_is_asked_again() {
    let failures: [(&str, MakeAnswer); 6] = [
        ("500: oops", || status("500 Internal Server Error", "", "oops")),
        ("503", || status("503 Service Unavailable", "Retry-After: 3600\r\n", "")),
        ("", || Answer::Broken("")),
        ("", || Answer::Broken("HTTP/1.1 200 O")),
        ("", || Answer::Broken("SSH-2.0-OpenSSH_9.2\r\n")),
        ("in time", || Answer::Silence),
    ];
    for (reason, failure) in failures {
        let place = place_with(2);
        let server = Server::start(move |number, _| if number == 0 { failure() } else { taken() });
        let ran = place.run(&words(&server, "--post-timeout 700ms --json"));
        let post = &ran.exits(0).tells("; sending again in 1 ms").tells(reason).document()["post"];
        assert_eq!(
            (&post["retries"], &post["sessions_sent"], &post["sessions_left"]),
            (&json!(1), &json!(2), &json!(0))
        );
        assert_eq!(server.requests().len(), 2);
        assert_eq!(waiting(&place), "0");
    }
}

#[test]
fn a_server_that_is_gone_stops_the_sending_and_the_same_command_goes_on() {
    let place = place_with(4);
    let server = Server::start(|number, _| match number {
        1..=4 => status("503 Service Unavailable", "", "down for repair"),
        _ => taken(),
    });
    let words = words(&server, "--batch-size 1");
    let ran = place.run(&words);
    ran.exits(15)
        .prints("post: stopped: 503: down for repair")
        .prints("post: 3 sessions still to be sent: the same command goes on");
    assert_eq!(server.requests().len(), 5, "one attempt and three more");
    assert_eq!(waiting(&place), "3");
    place.run(&words).exits(0).prints("post: 3 sessions in 3 batches sent to ");
    // What failed comes last, so that it holds nothing up.
    assert_eq!(sent(&server.requests())[5..], [["a 1-3"], ["a 1-4"], ["a 1-2"]]);

    let closed = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/a", closed.local_addr().expect("an address"));
    drop(closed);
    let words = format!("migrate a.json --into new.db --retry-waits 1ms --json --post {url}");
    let ran = place.run(&words);
    let document = ran.exits(15).document();
    assert_eq!(document["exit_code"], 15);
    assert!(document["post"]["stopped"].as_str().is_some_and(|why| why.contains("refused")), "{document}");
    assert_eq!(document["post"]["sessions_left"], 4);
}

#[test]
fn a_batch_that_is_refused_is_told_and_stays_and_the_others_go_on() {
    for code in [
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "408 Request Timeout",
        "409 Conflict",
        "413 Payload Too Large",
        "422 Unprocessable Content",
        "429 Too Many Requests",
    ] {
        let place = place_with(3);
        let server = Server::start(move |number, request| match number {
            1 => {
                let token =
                    request.headers.iter().find(|it| it.starts_with("authorization: ")).expect("it is there");
                status(code, "", &format!("no\u{1b}[31m week 1\n{token} {}", "so long ".repeat(9000)))
            }
            _ => taken(),
        });
        let words = words(&server, "--batch-size 1");
        let ran = place.run(&words);
        let number = &code[..3];
        ran.exits(3).prints(&format!(
            "refused: a 1-2 to 1-2, 1 session: {number}: no [31m week 1 authorization: [hidden] so long"
        ));
        ran.prints("post: 1 session still to be sent: put right what is named above, then run the same command again");
        assert_no_token(&place, &ran);
        assert_eq!(server.requests().len(), 3, "not tried again");
        let noted = place
            .ask("new.db", "SELECT status || substr(failure, 1, 8) FROM bulk_sync_queue WHERE sent IS NULL");
        assert_eq!(noted, format!("'{number}{number}: no '"));
        let length = place.ask("new.db", "SELECT max(length(failure)) < 300 FROM bulk_sync_queue");
        assert_eq!(length, "1");
        let again = place.run(&format!("{words} --json"));
        assert_eq!(again.exits(0).document()["post"]["sessions_sent"], 1);
        assert_eq!(sent(&server.requests())[3..], [["a 1-2"]]);
        let left = place.ask(
            "new.db",
            "SELECT count(*) FROM bulk_sync_queue WHERE failure IS NOT NULL OR status IS NOT NULL",
        );
        assert_eq!(left, "0");
    }
}

#[test]
fn a_redirect_is_not_followed_since_the_token_is_for_one_server() {
    for (code, location) in [
        ("301", "/elsewhere"),
        ("302", "http://sesame.Open/42==@{}/x"),
        ("307", "http://{}/x"),
        ("308", "//{}/x"),
    ] {
        let elsewhere = Server::start(|_, _| taken());
        let host = elsewhere.url("")["http://".len()..].to_owned();
        let (named, location) = (host.clone(), location.replace("{}", &host));
        let place = place_with(1);
        let server = Server::start(move |_, _| {
            status(&format!("{code} Moved"), &format!("Location: {location}\r\n"), "")
        });
        let ran = place.run(&words(&server, ""));
        ran.exits(3).prints(code).prints("post: 1 session still to be sent");
        if code != "301" {
            ran.prints(&format!("{code}: it says to ask {named} instead, which is not done"));
        }
        assert_no_token(&place, &ran);
        assert_eq!((server.requests().len(), elsewhere.requests().len()), (1, 0));
    }
}

#[test]
fn the_status_decides_however_the_body_of_the_answer_goes_on() {
    let huge = || {
        let mut bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        bytes.resize(30 << 20, b'x');
        Answer::Bytes(bytes)
    };
    let answers: [MakeAnswer; 5] = [
        || Answer::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        huge,
        || Answer::Broken("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"),
        || Answer::Endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nfff\r\n"),
        || status("202 Accepted", "Content-Encoding: gzip\r\n", "no gzip"),
    ];
    for answer in answers {
        let place = place_with(2);
        let server = Server::start(move |_, _| answer());
        place
            .run(&words(&server, "--post-timeout 2s"))
            .exits(0)
            .prints("post: 2 sessions in 1 batch sent to ");
        assert_eq!(server.requests().len(), 1);
        assert_eq!(waiting(&place), "0");
    }
    let place = place_with(2);
    let server = Server::start(|_, _| Answer::Endless("HTTP/1.1 422 No\r\nConnection: close\r\n\r\nno "));
    place.run(&words(&server, "--post-timeout 1s")).exits(3).prints("422: no x");
    assert_eq!(server.requests().len(), 1);
    let server = Server::start(|_, _| Answer::Endless("HTTP/1.1 200 OK\r\nx-endless: "));
    let ran = place.run(&words(&server, "--post-timeout 700ms --retry-waits 1ms"));
    ran.exits(15);
}

/// A server that takes some requests and holds the next one, of which it tells.
fn holding(from: usize, sender: Sender<()>) -> Server {
    Server::start(move |number, _| {
        if number == from {
            sender.send(()).expect("the test listens");
            return Answer::Silence;
        }
        taken()
    })
}

fn start(mut command: Command, words: &str) -> Child {
    command.args(words.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

#[test]
fn killed_between_batches_the_same_command_sends_the_rest_and_only_what_was_under_way_again() {
    let place = place_with(10);
    let (sender, receiver) = channel();
    let server = holding(2, sender);
    let words = words(&server, "--batch-size 2");
    let child = start(place.command(), &words);
    receiver.recv_timeout(Duration::from_mins(1)).expect("the third request comes");
    kill_process(Pid::from_child(&child), Signal::KILL).expect("it is there");
    assert_eq!(wait(child).status.code(), None);
    assert_eq!(waiting(&place), "6", "the import is there, and the queue");
    assert_eq!(place.ask("new.db", "SELECT count(*) FROM progress_logs"), "10");
    place.run(&words).exits(0).prints("post: 6 sessions in 3 batches sent to ");
    let sent = sent(&server.requests());
    assert_eq!(
        sent[3], sent[2],
        "the batch under way is sent again: nobody knows whether the server took it"
    );
    let all: Vec<&String> =
        sent.iter().enumerate().filter(|(at, _)| *at != 2).flat_map(|(_, it)| it).collect();
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (10, 10));
}

#[test]
fn an_interruption_stops_a_request_and_a_wait_and_says_what_is_left() {
    let place = place_with(4);
    let (sender, receiver) = channel();
    let server = holding(1, sender);
    let words = words(&server, "--batch-size 2");
    let before = place.listing();
    let child = start(place.command(), &words);
    receiver.recv_timeout(Duration::from_mins(1)).expect("the second request comes");
    let ran = interrupt(&place, child, before);
    ran.fails(130, "the import is done, 2 sessions are sent and 2 are still queued")
        .hints("the same command goes on");
    place.run(&words).exits(0).prints("post: 2 sessions in 1 batch sent to ");

    // A server that is down, with the waits that there are: the signal comes in the second one.
    let (sender, receiver) = channel();
    let server = Server::start(move |number, _| {
        if number == 1 {
            sender.send(()).expect("the test listens");
        }
        status("503 Service Unavailable", "", "")
    });
    let before = place.listing();
    let child = start(place.command(), &format!("migrate a.json --into new.db --post {}", server.url("/")));
    receiver.recv_timeout(Duration::from_mins(1)).expect("the second request comes");
    std::thread::sleep(Duration::from_millis(200));
    let ran = interrupt(&place, child, before);
    ran.fails(130, "0 sessions are sent and 4 are still queued")
        .tells("127.0.0.1:")
        .tells(": 503; sending again in 1 s")
        .tells(": 503; sending again in 5 s");
}

fn interrupt(place: &Place, child: Child, before: Listing) -> Ran {
    let began = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is there");
    let output = wait(child);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    Ran::new("interrupted".to_owned(), output, before, place.listing())
}

#[test]
fn two_runs_at_once_send_each_session_once() {
    let place = place_with(6);
    let server = Server::start(|_, _| {
        std::thread::sleep(Duration::from_millis(40));
        taken()
    });
    let words = words(&server, "--batch-size 1");
    place.run("migrate a.json --into new.db").exits(0);
    let children = [start(place.command(), &words), start(place.command(), &words)];
    for child in children {
        let output = wait(child);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn what_was_taken_and_could_not_be_noted_is_sent_again() {
    let place = place_with(2);
    let database = place.path("new.db");
    let mut other: Option<Connection> = None;
    let server = Server::start(move |number, _| {
        drop(other.take());
        if number == 0 {
            let connection = Connection::open(&database).expect("it opens");
            connection
                .execute_batch("BEGIN IMMEDIATE")
                .expect("nothing is locked while a request is under way");
            other = Some(connection);
        }
        taken()
    });
    let words = words(&server, "--busy-timeout 100ms");
    place.run(&words).fails(11, "the server took 2 sessions, and that could not be noted");
    assert_eq!(waiting(&place), "2");
    // The other one goes with the next request.
    let url = server.url(PATH);
    place.run(&format!("migrate a.json --into second.db --post {url}")).exits(0);
    place.run(&words).exits(0).prints("post: 2 sessions in 1 batch sent to ");
}

#[test]
fn what_the_server_said_is_told_where_it_cannot_be_noted() {
    for (answer, said) in [
        ("422 No", "the server did not take sessions of \"a\" (422: no such week)"),
        ("503 No", "(503: no such week)"),
    ] {
        let place = place_with(1);
        let database = place.path("new.db");
        let mut other: Option<Connection> = None;
        let server = Server::start(move |_, _| {
            let connection = other.get_or_insert_with(|| Connection::open(&database).expect("it opens"));
            if connection.is_autocommit() {
                connection.execute_batch("BEGIN IMMEDIATE").expect("nothing is locked meanwhile");
            }
            status(answer, "", "no such week")
        });
        let ran = place.run(&words(&server, "--busy-timeout 100ms"));
        ran.fails(11, said).tells("that could not be noted; the import is done").adds(&["new.db"]);
    }
}

#[cfg(unix)]
#[test]
fn two_runs_at_once_by_way_of_a_link_send_each_session_once() {
    let place = place_with(6);
    let server = Server::start(|_, _| {
        std::thread::sleep(Duration::from_millis(40));
        taken()
    });
    place.make_folder("folder");
    place.run("migrate a.json --into folder/new.db").exits(0);
    std::os::unix::fs::symlink("folder/new.db", place.path("link.db")).expect("linked");
    let words = words(&server, "--batch-size 1");
    let children = ["link.db", "folder/new.db"]
        .map(|database| start(place.command(), &words.replace("new.db", database)));
    for child in children {
        let output = wait(child);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(server.requests().len(), 6);
}
