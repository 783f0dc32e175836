//! The house rules: floors, purity, size, and the few doors that are allowed. The table of rooms is the one in `src/lib.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, its tests not counted.
const LONGEST: usize = 400;
/// What a pure room does not name: it neither waits nor looks around, and is told the time.
const IMPURE: [&str; 15] = [
    "tokio::",
    "hyper::",
    "tracing::",
    "prometheus::",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];
/// Where samael may be named: metadata in, documents of the lab out. Built without xmlsec it verifies nothing, so nothing that is
/// posted goes near it.
const SAMAEL: [&str; 2] = ["src/saml/metadata.rs", "src/mint/document.rs"];
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "manager", "types", "misc"];

struct Room {
    name: String,
    floor: u32,
    pure: bool,
}

struct Source {
    /// From the root of the repository, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// The first part of the path below `src`: the room that the file belongs to.
    fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap();
        below.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The lines with their numbers, without comments. A URL in a string ends its line early, which hides no path.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap()))
    }

    /// The same up to the tests, which stand at the end.
    fn code_without_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = if self.path.ends_with("/tests.rs") { 0 } else { usize::MAX };
        self.code().take(tests).take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    /// How many modules lie between the code of this file and the crate.
    fn depth(&self) -> usize {
        let names = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { names - 1 } else { names }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found
}

/// The files of rooms: all but the two roots and the pages of the manual.
fn rooms_files() -> Vec<Source> {
    let no_room = |source: &Source| ["lib", "main", "manual"].contains(&source.room());
    sources("src").into_iter().filter(|source| !no_room(source)).collect()
}

/// The rows `| floor | room | pure | … |` of `src/lib.rs`.
fn rooms() -> Vec<Room> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("//! |")?.split('|').map(str::trim);
        let floor = cells.next()?.parse().ok()?;
        let name = cells.next()?.trim_matches('`').to_owned();
        Some(Room { floor, name, pure: cells.next()? == "pure" })
    };
    text.lines().filter_map(row).collect()
}

/// What is wrong, a line each; the assertion shows all of it.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_room_stands_in_the_table_of_the_library() {
    let in_table: BTreeSet<String> = rooms().into_iter().map(|room| room.name).collect();
    let on_disk: BTreeSet<String> = rooms_files().iter().map(|source| source.room().to_owned()).collect();
    assert_eq!(in_table, on_disk, "the table of rooms in src/lib.rs, and the rooms in src");
}

#[test]
fn a_room_imports_only_from_floors_below_its_own() {
    let rooms = rooms();
    let floor = |name: &str| rooms.iter().find(|room| room.name == name).map(|room| room.floor);
    let mut problems = Vec::new();
    for source in rooms_files() {
        let (here, own) = (source.room(), floor(source.room()));
        for (number, line) in source.code() {
            if line.contains("crate::{") {
                problems.push(format!(
                    "{}:{number}: one `use crate::room::…` a room, so that floors can be read",
                    source.path
                ));
            }
            let up = "super::".repeat(source.depth());
            let named = line.split("crate::").skip(1).chain(line.split(up.as_str()).skip(1));
            for path in named {
                let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let Some(theirs) = floor(&name) else { continue };
                if name != here && Some(theirs) >= own {
                    let own = own.unwrap_or_default();
                    problems
                        .push(format!("{}:{number}: {here} (floor {own}) names {name} (floor {theirs})", source.path));
                }
            }
        }
    }
    none(&problems);
}

#[test]
fn pure_rooms_are_told_everything() {
    let rooms = rooms();
    assert!(rooms.iter().filter(|room| room.pure).count() >= 9);
    let pure = |source: &Source| rooms.iter().any(|room| room.pure && room.name == source.room());
    let mut problems = Vec::new();
    for source in rooms_files().iter().filter(|source| pure(source)) {
        for (number, line) in source.code_without_tests() {
            let named = IMPURE.iter().filter(|word| line.contains(**word));
            problems.extend(named.map(|word| format!("{}:{number}: {word} in a pure room", source.path)));
            if line.contains("use std::{") {
                problems
                    .push(format!("{}:{number}: one `use std::…` a module, so that purity can be read", source.path));
            }
        }
    }
    none(&problems);
}

#[test]
fn every_file_says_its_job_first_and_stays_short() {
    let mut problems = Vec::new();
    for source in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        if !source.text.starts_with("//! ") {
            problems.push(format!("{}: the first line is no `//!` that says its job", source.path));
        }
        let lines = source.code_without_tests().count();
        if source.path.starts_with("src/") && lines > LONGEST {
            problems.push(format!("{}: {lines} lines without tests, more than {LONGEST}", source.path));
        }
        let named = |name: &&&str| source.path.split(['/', '.']).any(|part| part == **name);
        problems.extend(EMPTY_NAMES.iter().filter(named).map(|name| format!("{}: `{name}` says nothing", source.path)));
    }
    none(&problems);
}

#[test]
fn samael_is_named_behind_its_doors_alone() {
    let names =
        |source: &Source| source.code().any(|(_, line)| line.contains("samael::") || line.contains("use samael"));
    let found: Vec<String> = sources("src").into_iter().filter(names).map(|source| source.path).collect();
    assert_eq!(found, SAMAEL);
}

#[test]
fn no_code_is_unsafe() {
    let problems: Vec<String> = sources("src")
        .iter()
        .filter(|source| source.code().any(|(_, line)| line.contains("unsafe ") || line.contains("unsafe_code")))
        .map(|source| format!("{}: unsafe", source.path))
        .collect();
    none(&problems);
}
