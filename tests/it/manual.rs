//! The manual keeps to the truth: what it names exists, and what exists it names.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use samlgate::limits::Limits;
use samlgate::proxy::Bounds;
use samlgate::tenant::{Directory, UserType};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("src/manual").join(name).with_extension("md")).unwrap()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn every_file_and_every_test_that_the_manual_names_exists() {
    let mut missing = Vec::new();
    let mut named = 0;
    for name in [
        "preflight",
        "operation",
        "alerts",
        "clients",
        "connect",
        "graph",
        "threats",
        "limits",
        "privacy",
        "capture",
        "lab",
        "load",
        "performance",
        "scale",
    ] {
        let page = page(name);
        let is_path = |word: &&str| {
            ["src/", "tests/", "fixtures/", "benches/", "deploy/"].iter().any(|start| word.starts_with(start))
        };
        for word in quoted(&page).filter(is_path) {
            named += 1;
            let (path, test) = word.split_once("::").unwrap_or((word, ""));
            let there = root().join(path).exists();
            let text = || fs::read_to_string(root().join(path)).unwrap_or_default();
            if !there || (!test.is_empty() && !text().contains(&format!("fn {test}("))) {
                missing.push(format!("src/manual/{name}.md: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
    assert!(named > 200, "only {named} files are named");
}

#[test]
fn every_class_of_attack_has_its_section_with_fixtures_of_its_own() {
    let page = page("threats");
    let mut wrong = Vec::new();
    let mut classes = BTreeSet::new();
    for folder in fs::read_dir(root().join("fixtures/attacks")).unwrap() {
        let folder = folder.unwrap().path();
        let case: toml::Table = toml::from_str(&fs::read_to_string(folder.join("case.toml")).unwrap()).unwrap();
        let class = case["class"].as_str().unwrap().to_owned();
        let name = format!("`fixtures/attacks/{}`", folder.file_name().unwrap().to_string_lossy());
        let heading = format!("\n### {class}\n");
        let section = page.split_once(&heading).map(|(_, rest)| rest.split("\n### ").next().unwrap());
        if section.is_none() {
            wrong.push(format!("no section for {class}"));
        } else if page.contains(&name) && !section.is_some_and(|section| section.contains(&name)) {
            wrong.push(format!("{name} is of the class {class}, and named elsewhere alone"));
        }
        classes.insert(class);
    }
    for section in page.split("\n### ").skip(1) {
        let class = section.lines().next().unwrap();
        if !section.contains("`fixtures/") && !section.contains("::") {
            wrong.push(format!("{class}: neither a fixture nor a test"));
        }
        if section.contains("`fixtures/attacks/") && !classes.contains(class) {
            wrong.push(format!("{class}: no fixture bears this name"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn there_are_as_many_attacks_as_the_readme_says() {
    let attacks = fs::read_dir(root().join("fixtures/attacks")).unwrap().count();
    for page in ["README.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let said: Option<usize> =
            text.split("more than ").find_map(|rest| rest.split_once(" attacks ")?.0.parse().ok());
        let said = said.unwrap();
        assert!((said..said + 50).contains(&attacks), "{page}: more than {said} attacks, of {attacks}");
    }
}

/// Without an input it rehearses nothing.
#[test]
fn a_rehearsal_is_told_with_what_it_takes() {
    let pages = fs::read_dir(root().join("src/manual")).unwrap().map(|page| page.unwrap().path());
    for page in pages.chain([root().join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        for rest in text.split("samlgate rollover rehearse").skip(1) {
            assert!(rest.starts_with(" --config ") || rest.starts_with(" --key "), "{}: {rest:.40}", page.display());
        }
    }
}

#[test]
fn every_rule_has_its_line() {
    let page = page("threats");
    let missing: Vec<String> =
        (0..=22).map(|rule| format!("R{rule}")).filter(|rule| !page.contains(&format!("| {rule} |"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The fields of a struct of plain values as `Debug` shows them, large numbers in groups of three.
fn fields(debug: &dyn Debug) -> Vec<(String, String)> {
    let text = format!("{debug:?}");
    let inside = text.split_once('{').unwrap().1.trim_end_matches('}');
    let field = |field: &str| {
        let (name, value) = field.trim().split_once(": ").unwrap();
        let digits = value.trim_end_matches(|c: char| !c.is_ascii_digit());
        let grouped: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
        (name.to_owned(), format!("{}{}", grouped.join(","), value.strip_prefix(digits).unwrap()))
    };
    inside.split(", ").map(field).collect()
}

#[test]
fn every_bound_has_its_line_with_its_number() {
    let page = page("limits");
    let (limits, bounds) = (Limits::default(), Bounds::default());
    let all = fields(&limits).into_iter().chain(fields(&bounds));
    let lines = all.map(|(name, value)| format!("| `{name}` | {value} |"));
    let missing: Vec<String> = lines.filter(|line| !page.contains(line)).collect();
    assert!(missing.is_empty(), "src/manual/limits.md lacks\n{}\n", missing.join("\n"));
}

/// Reads `4,096`.
fn number(text: &str) -> Option<f64> {
    text.trim().replace(',', "").parse().ok()
}

/// What a sum comes to, from left to right.
fn worked_out(sum: &str) -> Option<f64> {
    let mut words = sum.split_whitespace();
    let mut value = number(words.next()?)?;
    while let Some(sign) = words.next() {
        let other = number(words.next()?)?;
        value = match sign {
            "+" => value + other,
            "−" => value - other,
            "×" => value * other,
            "÷" => value / other,
            _ => return None,
        };
    }
    Some(value)
}

#[test]
fn the_page_on_scale_works_its_sums_out_and_knows_the_bounds() {
    let page = page("scale");
    let mut sums = 0;
    for (sum, said) in quoted(&page).filter_map(|words| words.split_once(" = ")) {
        sums += 1;
        let digits = said.split_once('.').map_or(0, |(_, digits)| i32::try_from(digits.len()).unwrap());
        let (value, told) = (worked_out(sum).unwrap_or(f64::NAN), number(said).unwrap_or(f64::NAN));
        assert!((value - told).abs() <= 0.51 * 10_f64.powi(-digits), "`{sum} = {said}`: it is {value}");
    }
    assert!(sums >= 20, "{sums} sums");
    let bounds: Vec<String> =
        fields(&Bounds::default()).into_iter().map(|(name, value)| format!("| `{name}` | {value} |")).collect();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert!(bounds.iter().any(|bound| row.starts_with(bound)), "{row}");
    }
}

#[test]
fn every_file_that_lets_personal_text_out_is_named() {
    let page = page("privacy");
    let named: BTreeSet<String> = quoted(&page).filter(|word| word.starts_with("src/")).map(str::to_owned).collect();
    let mut found = BTreeSet::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                if code.contains(".expose()") {
                    found.insert(path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/"));
                }
            }
        }
    }
    let silent: Vec<_> = found.difference(&named).collect();
    assert!(silent.is_empty(), "src/manual/privacy.md does not name {silent:?}");
}

/// The rules for Prometheus, file by file.
fn rules() -> Vec<String> {
    let files = fs::read_dir(root().join("deploy/prometheus/rules")).unwrap();
    files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_alert_has_its_section_and_names_it() {
    let page = page("alerts");
    let sections: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut alerts = BTreeSet::new();
    for text in rules() {
        for rule in text.split("- alert: ").skip(1) {
            let name = rule.lines().next().unwrap();
            // one label says for all of them where they lead, and without it they lead to the listener's own default
            let runbook = format!(
                "runbook_url: \"{{{{ with $externalLabels.samlgate_runbooks }}}}{{{{ . }}}}{{{{ else }}}}http://127.0.0.1:9464/runbooks\
                 {{{{ end }}}}/{name}\"\n"
            );
            assert!(rule.contains(&runbook), "{name}: its link is not {runbook}");
            alerts.insert(name.to_owned());
        }
    }
    assert_eq!(alerts, sections.into_iter().map(str::to_owned).collect());
}

#[test]
fn the_room_for_tunnels_is_that_of_the_rules() {
    let room = format!("samlgate_tunnels_open > 0.8 * {}\n", Bounds::default().tunnels);
    assert!(rules().iter().any(|rules| rules.contains(&room)), "{room}");
}

#[test]
fn what_rules_and_dashboard_ask_for_is_a_metric() {
    let metrics = page("operation");
    let mut texts = rules();
    texts.push(fs::read_to_string(root().join("deploy/grafana/samlgate.json")).unwrap());
    let mut unknown = BTreeSet::new();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    for name in texts.iter().flat_map(|text| text.split(|letter| !is_part(letter))) {
        let Some(family) = name.strip_prefix("samlgate_") else { continue };
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| family.strip_suffix(end)).unwrap_or(family);
        // a label, which says where links lead
        if family != "runbooks" && !metrics.contains(&format!("| `{family}` |")) {
            unknown.insert(name);
        }
    }
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_columns_of_users_are_those_that_are_read() {
    let page = page("graph");
    let table = page.split("| column | needed |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<Vec<&str>> = table.lines().skip(2).map(|row| row.split('|').map(str::trim).collect()).collect();
    let main: Vec<&str> = rows.iter().map(|row| row[1].trim_matches('`')).collect();
    let mut read = 0;
    for row in &rows {
        let (column, is_needed) = (row[1].trim_matches('`'), row[2] == "yes");
        for name in [column].into_iter().chain(quoted(row[3])) {
            let header: Vec<&str> = main.iter().map(|other| if *other == column { name } else { other }).collect();
            let cell = |name: &&str| match *name {
                "UserPrincipalName" | "UPN" => "a@domain.company",
                "OnPremisesImmutableId" | "ImmutableId" | "SourceAnchor" => "1wfM9xV8fUSHbcAbDlqeOA==",
                "AccountEnabled" => "True",
                "BlockCredential" => "False",
                "Mail" | "Email" | "EmailAddress" => "mail@domain.company",
                "ProxyAddresses" | "ProxyAddress" => "SMTP:b@domain.company;c@domain.company",
                "UserType" => "Guest",
                other => unreachable!("{other}"),
            };
            let cells: Vec<&str> = header.iter().map(cell).collect();
            let loaded = Directory::load(format!("{}\n{}\n", header.join(","), cells.join(",")).as_bytes()).unwrap();
            let user = loaded.directory.users().next().unwrap();
            let proxies: Vec<&str> = user.proxy_addresses().collect();
            let told = (user.upn, user.immutable_id, user.account_enabled, user.mail, user.user_type);
            let id = Some("1wfM9xV8fUSHbcAbDlqeOA==");
            let expected = ("a@domain.company", id, Some(true), Some("mail@domain.company"), Some(UserType::Guest));
            assert_eq!((told, proxies), (expected, vec!["b@domain.company", "c@domain.company"]), "{name}");
            read += 1;
        }
        let header: Vec<&str> = main.iter().copied().filter(|other| *other != column).collect();
        let text = format!("{}\n{}\n", header.join(","), vec![""; header.len()].join(","));
        assert_eq!(Directory::load(text.as_bytes()).is_err(), is_needed, "{column}");
    }
    assert_eq!((rows.len(), read), (6, 13));
}
