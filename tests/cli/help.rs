//! Help, versions, completions.

use crate::place::Place;

/// The flags under the heading `Options:` of a help text, in order, without those that every program has.
fn first_options(help: &str) -> Vec<&str> {
    let (_, options) = help.split_once("\nOptions:\n").expect("a heading");
    let own = options.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    let flags = own.filter(|line| line.trim_start().starts_with('-'));
    let long = flags.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
    long.filter(|flag| !matches!(*flag, "--help" | "--version")).collect()
}

#[test]
fn help_shows_examples_and_the_most_used_options_first() {
    let place = Place::new();
    for (verb, first) in [
        ("export", &["--output", "--table", "--order-by", "--overwrite", "--dry-run"][..]),
        ("verify", &["--quick", "--data", "--independent", "--against"]),
        ("restore", &["--overwrite", "--discard-old", "--as", "--no-verify", "--strict"]),
        ("inspect", &["--columns", "--table"]),
        ("diff", &["--table", "--max-rows"]),
        ("digest", &["--check", "--table"]),
        (
            "migrate",
            &[
                "--into",
                "--list",
                "--origin",
                "--map",
                "--device",
                "--captured-at",
                "--key",
                "--all-keys",
                "--dry-run",
            ],
        ),
    ] {
        let ran = place.run(&format!("{verb} --help"));
        ran.exits(0).tells_nothing().prints("Examples:\n").prints(&format!("\n  parklite {verb} "));
        assert_eq!(first_options(&ran.stdout), first, "{verb}");
        let short = place.run(&format!("{verb} -h"));
        short.exits(0).tells_nothing().prints("Examples:\n");
        assert_eq!(first_options(&short.stdout), first, "{verb}");
        assert_eq!(place.run(&format!("help {verb}")).exits(0).stdout, ran.stdout);
    }
}

#[test]
fn the_general_help_names_verbs_examples_and_exit_codes() {
    let ran = Place::new().run("--help");
    ran.exits(0).tells_nothing().prints("Examples:\n").prints("Exit codes: 0 done");
    for verb in ["export", "verify", "restore", "inspect", "diff", "digest", "migrate", "completions"] {
        assert!(ran.stdout.lines().any(|line| line.starts_with(&format!("  {verb} "))), "{verb}");
    }
    for code in ["1 ", "2 ", "3 ", "4 ", "10 ", "11 ", "12 ", "13 ", "14 ", "15 ", "130 "] {
        assert!(
            ran.stdout.contains(&format!(" {code}")) || ran.stdout.contains(&format!("\n{code}")),
            "{code}"
        );
    }
}

#[test]
fn help_of_migrate_breaks_no_line_before_it_is_full() {
    let ran = Place::new().run("migrate --help");
    let (_, after) =
        ran.exits(0).stdout.split_once("\nProfiles of Chrome").expect("what follows the options");
    let lines: Vec<&str> = after.lines().skip(1).collect();
    for pair in
        lines.windows(2).filter(|pair| !pair.iter().any(|line| line.is_empty() || line.starts_with(' ')))
    {
        let next = pair[1].split(' ').next().unwrap_or_default();
        let is_full = pair[0].len() + 1 + next.len() > 100 || pair[0] == "Examples:";
        assert!(is_full, "{pair:?}");
    }
    for line in lines.iter().filter(|line| line.starts_with(' ')) {
        assert!(line.len() < 80, "{line}");
    }
}

#[test]
fn verify_help_says_what_each_level_proves() {
    let ran = Place::new().run("verify --help");
    ran.exits(0).prints("Levels:\n  --quick ").prints("\n  --data ").prints("\n  (default) ");
}

#[test]
fn the_version_is_printed() {
    let place = Place::new();
    let expected = format!("parklite {}\n", env!("CARGO_PKG_VERSION"));
    for words in ["--version", "-V"] {
        assert_eq!(place.run(words).exits(0).tells_nothing().stdout, expected);
    }
    place.run("export --version").exits(0).prints(env!("CARGO_PKG_VERSION"));
}

/// The verbs that the general help names.
fn verbs(place: &Place) -> Vec<String> {
    let help = place.run("--help").stdout.clone();
    let (_, verbs) = help.split_once("\nCommands:\n").expect("a heading");
    let lines = verbs.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(ToString::to_string).collect()
}

#[test]
fn every_verb_has_a_manual_page_with_every_flag_of_its_help() {
    let place = Place::new();
    let verbs = verbs(&place);
    assert!(verbs.len() >= 6 && verbs.iter().any(|verb| verb == "man"), "{verbs:?}");
    for verb in &verbs {
        let page = place.run(&format!("man {verb}"));
        page.exits(0).tells_nothing().changes_nothing().prints(".SH \"EXIT STATUS\"").prints(".SH EXAMPLES");
        let plain = page.stdout.replace("\\-", "-").replace("\\f", "");
        for flag in first_options(&place.run(&format!("{verb} --help")).stdout) {
            assert!(plain.contains(flag), "{verb} {flag}");
        }
        place.write("page.1", &page.stdout);
        let mut troff = place.in_here("groff");
        troff.args(["-k", "-man", "-ww", "-z", "page.1"]);
        match troff.output() {
            Ok(output) => assert!(output.status.success() && output.stderr.is_empty(), "{verb}: {output:?}"),
            Err(_) => crate::place::skipped("there is no groff"),
        }
    }
    let general = place.run("man");
    general.exits(0).prints("EXIT STATUS");
    for verb in &verbs {
        assert!(general.stdout.replace("\\-", "-").contains(&format!("parklite-{verb}")), "{verb}");
    }
    place.run("man fly").exits(2).prints_nothing();
}

#[test]
fn completions_know_verbs_and_flags() {
    let place = Place::new();
    for (shell, flag) in [("bash", "--order-by"), ("zsh", "--order-by"), ("fish", "order-by")] {
        let ran = place.run(&format!("completions {shell}"));
        ran.exits(0).tells_nothing().changes_nothing().prints("parklite").prints("export").prints(flag);
    }
    let bash = place.run("completions bash");
    place.write("parklite.bash", &bash.stdout);
    let mut syntax = place.in_here("bash");
    syntax.args(["-n", "parklite.bash"]);
    match syntax.output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => crate::place::skipped("there is no bash"),
    }
}

#[test]
fn pages_and_scripts_are_documents_where_one_is_asked_for() {
    let place = Place::new();
    for (words, part) in [("man export", ".TH"), ("completions bash", "complete")] {
        let document = place.run(&format!("{words} --json")).exits(0).document();
        assert!(document["text"].as_str().is_some_and(|text| text.contains(part)), "{document}");
    }
    place.run("man exprt").fails(2, "exprt");
}
