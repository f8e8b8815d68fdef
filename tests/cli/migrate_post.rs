//! Sessions are sent to a server, each once, whatever becomes of the server, the connection or the program.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::http_server::{Answer, Request, Server, status, taken};
use crate::migrate_bulk_sync::dump;
use crate::place::Place;
use crate::ran::{Ran, wait};

const PATH: &str = "/api/progress/{program_id}/bulk-sync";
const TOKEN: &str = "Bearer sesame.Open/42==";

/// A place with the sessions 1-1 to 1-`days` of the program `a`, all completed, and a file with a token.
fn place_with(days: u32) -> Place {
    let place = Place::new();
    place.write("a.json", dump_of("a", days));
    place.write("token", format!("Authorization: {TOKEN}\n"));
    place
}

fn dump_of(program: &str, days: u32) -> String {
    dump(program, &(1..=days).map(|day| (1, day, true)).collect::<Vec<_>>())
}

/// The words that import and send, with retries at once.
fn words(server: &Server, more: &str) -> String {
    let url = server.url(PATH);
    format!("migrate a.json --into new.db --post {url} --header-file token --retry-waits 1ms,1ms,1ms {more}")
}

/// Week and day of each session of each request, with its program.
fn sent(requests: &[Request]) -> Vec<Vec<String>> {
    let of = |request: &Request| {
        let program = request.line.strip_prefix("POST /api/progress/").expect("its path");
        let program = program.strip_suffix("/bulk-sync HTTP/1.1").expect("its path").to_owned();
        let sessions = request.body["sessions"].as_array().expect("sessions");
        sessions.iter().map(|it| format!("{program} {}-{}", it["week_number"], it["day_number"])).collect()
    };
    requests.iter().map(of).collect()
}

fn waiting(place: &Place) -> String {
    place.ask("new.db", "SELECT count(*) FROM bulk_sync_queue WHERE sent IS NOT session")
}

/// The file has nothing of the token, whatever it is a part of.
fn assert_no_token(place: &Place, ran: &Ran) {
    let database = place.read("new.db");
    assert!(database.windows(6).all(|part| part != b"sesame"), "the token is in the database");
    assert!(!ran.stdout.contains("sesame") && !ran.stderr.contains("sesame"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn sessions_are_sent_in_the_bodies_that_are_emitted_with_the_headers_of_the_file_and_not_again() {
    let place = place_with(5);
    place.write("b.json", dump_of("push pull/legs", 2));
    let server = Server::start(|_, _| taken());
    let url = server.url(PATH);
    let words =
        format!("migrate a.json b.json --into new.db --batch-size 3 --header-file token --post {url}");
    let ran = place.run(&words);
    ran.exits(0).adds(&["new.db"]).prints("post: 7 sessions in 3 batches sent to ");
    let requests = server.requests();
    let emitted = place.run("migrate a.json b.json --emit bulk-sync --batch-size 3");
    let emitted: Vec<Value> =
        emitted.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(requests.iter().map(|request| request.body.clone()).collect::<Vec<_>>(), emitted);
    let b = "push%20pull%2Flegs";
    assert_eq!(
        sent(&requests),
        [
            vec!["a 1-1".to_owned(), "a 1-2".to_owned(), "a 1-3".to_owned()],
            vec!["a 1-4".to_owned(), "a 1-5".to_owned()],
            vec![format!("{b} 1-1"), format!("{b} 1-2")]
        ]
    );
    for request in &requests {
        let has = |header: &str| request.headers.iter().any(|it| it == header);
        assert!(
            has(&format!("authorization: {TOKEN}")) && has("content-type: application/json"),
            "{request:?}"
        );
        assert!(has(&format!("host: {}", &url[7..url.len() - PATH.len()])), "{request:?}");
    }
    assert_no_token(&place, &ran);
    let again = place.run(&format!("{words} --json"));
    let post = &again.exits(0).document()["post"];
    assert_eq!((&post["sessions_known"], &post["sessions_queued"]), (&json!(7), &json!(0)));
    assert_eq!((&post["url"], &post["refusals"]), (&json!(url), &json!([])));
    assert_eq!(server.requests().len(), 3, "nothing twice");
    place.run("migrate a.json --into other.db --post http://127.0.0.1:1/ --dry-run").exits(0);
}

#[test]
fn a_session_that_changes_is_sent_again_and_one_that_does_not_is_not() {
    let place = place_with(3);
    let server = Server::start(|_, _| taken());
    let words = words(&server, "");
    place.run(&words).exits(0);
    let later = dump("a", &[(1, 1, true), (1, 2, true)]).replace("2025-01-09T10", "2025-02-09T10");
    place.write("a.json", later);
    place.run(&words).exits(0).prints("post: 1 session in 1 batch sent to ");
    assert_eq!(sent(&server.requests()), [vec!["a 1-1", "a 1-2", "a 1-3"], vec!["a 1-2"]]);
    let last = &server.requests()[1].body["sessions"][0];
    assert_eq!(last["completed_at"], "2025-02-09T10:00:00.000Z");
    place.run(&words).exits(0).prints("post: 0 sessions in 0 batches sent to ");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn open_sessions_are_sent_where_that_is_asked_for_and_a_program_can_be_chosen() {
    let place = place_with(2);
    place.write("a.json", dump("a", &[(1, 1, true), (1, 2, false)]));
    place.write("b.json", dump_of("b", 1));
    let server = Server::start(|_, _| taken());
    let words = words(&server, "b.json");
    place.run(&format!("{words} --program a")).exits(0);
    place.run(&format!("{words} --program a --all-sessions")).exits(0);
    place.run(&words).exits(0);
    assert_eq!(sent(&server.requests()), [["a 1-1"], ["a 1-2"], ["b 1-1"]]);
}

#[test]
fn a_dry_run_sends_nothing_writes_nothing_and_says_how_many_it_would_be() {
    let place = place_with(4);
    let server = Server::start(|_, _| taken());
    let words = words(&server, "");
    let dry = place.run(&format!("{words} --dry-run"));
    dry.exits(0).changes_nothing().prints("post: 4 sessions would be sent to ");
    place.run(&words).exits(0);
    place.write("a.json", dump_of("a", 6));
    let dry = place.run(&format!("{words} --dry-run --json"));
    let post = &dry.exits(0).changes_nothing().document()["post"];
    assert_eq!((&post["sessions_queued"], &post["sessions_sent"]), (&json!(2), &json!(0)));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_fails_once_is_asked_again() {
    let failures: [(&str, fn() -> Answer); 6] = [
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
        let post = &ran.exits(0).tells("sending again in 1ms: ").tells(reason).document()["post"];
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
    ran.exits(15).prints("post: stopped: 503: down for repair").prints("post: 3 sessions still to be sent");
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
        ran.prints("post: 1 session still to be sent");
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
    let answers: [Box<dyn FnMut(usize, &Request) -> Answer + Send>; 5] = [
        Box::new(|_, _| Answer::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        Box::new(move |_, _| huge()),
        Box::new(|_, _| Answer::Broken("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")),
        Box::new(|_, _| {
            Answer::Endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nfff\r\n")
        }),
        Box::new(|_, _| status("202 Accepted", "Content-Encoding: gzip\r\n", "no gzip")),
    ];
    for answer in answers {
        let place = place_with(2);
        let server = Server::start(answer);
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
        .tells("sending again in 1s: 503")
        .tells("in 5s: 503");
}

fn interrupt(place: &Place, child: Child, before: crate::place::Listing) -> Ran {
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
fn a_file_of_headers_that_is_none_is_refused_without_a_word_of_it() {
    let place = place_with(1);
    let server = Server::start(|_, _| taken());
    for (content, line) in [
        (&b"sesame\n"[..], "line 1 "),
        (b"X-Ok: 1\nBearer sesame", "line 2 "),
        (b"\n\nAuthorization:\n", "line 3 "),
        (b"Authorization: \xff\xfesesame", "line 1 "),
        (b"A b: sesame", "line 1 "),
        (b"Host: sesame", "line 1 "),
        (b"Authorization: sesame\r\nAuthorization: sesame2\r\n", "line 2 "),
        (b"\x00\x01\x02sesame", "line 1 "),
        (&[b'a'; 70_000], "64 KiB"),
    ] {
        place.write("token", content);
        for more in ["", "--dry-run", "--json"] {
            let ran = place.run(&words(&server, more));
            ran.exits(2).changes_nothing().tells(line);
            assert!(!ran.stderr.contains("sesame") && !ran.stdout.contains("sesame"), "{}", ran.stderr);
        }
    }
    let url = server.url(PATH);
    let with =
        |file: &str| place.run(&format!("migrate a.json --into new.db --post {url} --header-file {file}"));
    place.make_folder("folder");
    with("missing").fails(10, "there is no such file of headers").changes_nothing();
    with("folder").fails(2, "the file of headers is a folder").changes_nothing();
    assert_eq!(server.requests().len(), 0);
    with("/dev/null").exits(0);
}

#[test]
fn an_address_that_gives_something_away_is_refused_before_anything_is_done() {
    let place = place_with(1);
    for (url, part) in [
        ("http://app.example/x", "plain http:// to another machine"),
        ("https://ada:sesame@app.example/x", "a name or a password"),
        ("app.example", "no URL"),
        ("ftp://app.example/", "neither https:// nor http://"),
        ("https://app.example/{program}", "{program_id}"),
    ] {
        let ran = place.run(&format!("migrate a.json --into new.db --post {url}"));
        ran.fails(2, part).changes_nothing();
        assert!(!ran.stderr.contains("sesame"), "{}", ran.stderr);
    }
    for words in [
        "migrate a.json --post https://app.example/",
        "migrate a.json --into new.db --post https://app.example/ --emit bulk-sync",
        "migrate a.json --list --post https://app.example/",
        "migrate a.json --into new.db --header-file token",
    ] {
        place.run(words).exits(2).changes_nothing();
    }
    let mut command = place.command();
    command.args("migrate a.json --into new.db --post https://app.example/".split(' '));
    command.env("ALL_PROXY", "socks5://127.0.0.1:1");
    place.finish(command).fails(2, "SOCKS").changes_nothing();
}

#[test]
fn an_address_without_the_program_is_for_one_program() {
    let place = place_with(1);
    place.write("b.json", dump_of("b", 1));
    let server = Server::start(|_, _| taken());
    let url = server.url("/progress/a/bulk-sync");
    let ran = place.run(&format!("migrate a.json b.json --into new.db --post {url}"));
    ran.fails(2, "the address is of one program").hints("{program_id}").changes_nothing();
    place.run(&format!("migrate a.json b.json --into new.db --post {url} --program a")).exits(0);
    let ran = place.run(&format!("migrate a.json b.json --into new.db --post {url} --program b"));
    ran.fails(2, "the address is of one program");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_program_that_no_address_can_name_is_told_and_not_sent() {
    let place = place_with(1);
    place.write("b.json", dump_of("..", 1));
    let server = Server::start(|_, _| taken());
    let ran = place.run(&words(&server, "b.json"));
    ran.exits(3).prints("refused: .. 1-1 to 1-1, 1 session: the program cannot be part of an address");
    assert_eq!(sent(&server.requests()), [["a 1-1"]]);
}

#[test]
fn a_table_of_that_name_that_is_somebody_elses_is_left_alone() {
    let place = place_with(1);
    place.execute("new.db", "CREATE TABLE bulk_sync_queue (id INTEGER PRIMARY KEY)");
    let server = Server::start(|_, _| taken());
    place.run(&words(&server, "")).fails(2, "what belongs to the events cannot go here").changes_nothing();
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn what_was_taken_and_could_not_be_noted_is_sent_again() {
    let place = place_with(2);
    let database = place.path("new.db");
    let mut other = None;
    let server = Server::start(move |number, _| {
        other = (number == 0).then(|| {
            let other = Connection::open(&database).expect("it opens");
            other.execute_batch("BEGIN IMMEDIATE").expect("nobody holds a lock while a request is under way");
            other
        });
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
fn a_queued_session_that_somebody_changed_is_not_sent() {
    let place = place_with(2);
    let server = Server::start(|_, _| status("404 Not Found", "", ""));
    let words = words(&server, "");
    place.run(&words).exits(3);
    place.execute("new.db", "UPDATE bulk_sync_queue SET session = '{\"week_number\":1}', url = url, week_number = 7 WHERE day_number = 2");
    let ran = place.run(&words);
    ran.fails(1, "a queued session is not as it was written: \"a\", week 7, day 2").hints("delete its row");
}

/// A program that ends with this value, also where a test fails.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The certificates are made with OpenSSL's program, which also is the server.
#[test]
fn a_server_whose_certificate_nobody_vouches_for_gets_nothing() {
    let place = place_with(1);
    let make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
    let made = place.in_here("sh").args(["-c", make]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return crate::place::skipped("there is no openssl");
    }
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        free.local_addr().expect("an address").port()
    };
    let mut server = place.in_here("openssl");
    server.args([
        "s_server",
        "-accept",
        &port.to_string(),
        "-cert",
        "cert.pem",
        "-key",
        "key.pem",
        "-www",
        "-quiet",
    ]);
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Ended(server.spawn().expect("it starts"));
    let is_up = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert!(is_up, "the server listens");
    let run = |trusted: Option<&str>| {
        let mut command = place.command();
        let url = format!("https://localhost:{port}/{{program_id}}");
        command.args([
            "migrate",
            "a.json",
            "--into",
            "new.db",
            "--header-file",
            "token",
            "--retry-waits",
            "1ms",
        ]);
        command.args(["--post", &url]);
        if let Some(file) = trusted {
            command.env("SSL_CERT_FILE", file);
        }
        place.finish(command)
    };
    let refused = run(None);
    let trusted = run(Some("cert.pem"));
    drop(server);
    refused.exits(15).prints("no trusted connection to it").does_not_print("sending again");
    assert!(!refused.stderr.contains("sending again"), "it is not tried again: {}", refused.stderr);
    assert_no_token(&place, &refused);
    // This server takes no POST; that it answers, or breaks off, comes after the handshake.
    trusted.does_not_print("no trusted connection");
}
