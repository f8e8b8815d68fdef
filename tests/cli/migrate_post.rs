//! Sessions are sent to a server, each once, and nothing goes anywhere else. `migrate_post_failures` has what goes wrong.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http_server::{Request, Server, status, taken};
use crate::migrate_bulk_sync::dump;
use crate::place::Place;
use crate::ran::Ran;

pub(crate) const PATH: &str = "/api/progress/{program_id}/bulk-sync";
const TOKEN: &str = "Bearer sesame.Open/42==";

/// A place with the sessions 1-1 to 1-`days` of the program `a`, all completed, and a file with a token.
pub(crate) fn place_with(days: u32) -> Place {
    let place = Place::new();
    place.write("a.json", dump_of("a", days));
    place.write("token", format!("Authorization: {TOKEN}\n"));
    place
}

fn dump_of(program: &str, days: u32) -> String {
    dump(program, &(1..=days).map(|day| (1, day, true)).collect::<Vec<_>>())
}

/// The words that import and send, with retries at once.
pub(crate) fn words(server: &Server, more: &str) -> String {
    let url = server.url(PATH);
    format!("migrate a.json --into new.db --post {url} --header-file token --retry-waits 1ms,1ms,1ms {more}")
}

/// Week and day of each session of each request, with its program.
pub(crate) fn sent(requests: &[Request]) -> Vec<Vec<String>> {
    let of = |request: &Request| {
        let program = request.line.strip_prefix("POST /api/progress/").expect("its path");
        let program = program.strip_suffix("/bulk-sync HTTP/1.1").expect("its path").to_owned();
        let sessions = request.body["sessions"].as_array().expect("sessions");
        sessions.iter().map(|it| format!("{program} {}-{}", it["week_number"], it["day_number"])).collect()
    };
    requests.iter().map(of).collect()
}

pub(crate) fn waiting(place: &Place) -> String {
    place.ask("new.db", "SELECT count(*) FROM bulk_sync_queue WHERE sent IS NOT session")
}

/// The file has nothing of the token, whatever it is a part of.
pub(crate) fn assert_no_token(place: &Place, ran: &Ran) {
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
fn a_file_of_headers_that_is_none_is_refused_without_a_word_of_it() {
    let large = vec![b'a'; 70_000];
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
        (&large, "64 KiB"),
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
    let request = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
    let made = place.in_here("sh").args(["-c", request]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        crate::place::skipped("there is no openssl");
        return;
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
        command.args(["--post", &url, "--post-timeout", "2s"]);
        if let Some(file) = trusted {
            command.env("SSL_CERT_FILE", file);
        }
        place.finish(command)
    };
    let refused = run(None);
    let trusted = run(Some("cert.pem"));
    drop(server);
    refused.exits(15).prints("no trusted connection to it").does_not_print("sending again");
    refused.prints("still to be sent: put right what is named above");
    assert!(!refused.stderr.contains("sending again"), "it is not tried again: {}", refused.stderr);
    assert_no_token(&place, &refused);
    // After the handshake this server waits, as it knows no POST.
    trusted.exits(15).prints("stopped: it did not answer in time");
}
