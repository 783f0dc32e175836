//! samlgate judges SAML sign-ins to Microsoft Entra ID as Entra would.
//!
//! A `SAMLResponse` that an identity provider posts to Entra is read once and strictly, its signatures are verified with the
//! registered keys alone, and its claims are compared with what the tenant is set to expect. The outcome is a
//! [`Verdict`](verdict::Verdict): one check for each of 23 questions, in the order in which Entra asks them. Entra tells its
//! first objection alone; the verdict tells all of them, predicts the AADSTS code of the first, and says how to mend
//! each. `samlgate verify` does this offline, for files and recordings. `samlgate serve` does it as a proxy in front of
//! Entra, which either watches (`observe`) or holds back what is not accepted (`enforce`).
//!
//! # The path of one message
//!
//! ```text
//!  socket ── proxy::route ──┬─ pass: forwarded unread          verify: a file, a form, a recording
//!                           ├─ refuse: a fixed sentence              │
//!                           └─ inspect                               │
//!                                │ the exact bytes ──────────┐       │
//!  inspect (knows the order)     ▼                           │       ▼
//!   saml::binding, encoding   form fields, escapes, base64   │   cli::input
//!   xml::parse                one strict tree, within limits │
//!   dsig::verify              Signed, or why not             │
//!   saml::claims              from the very nodes that were digested; else marked unsigned
//!   check::run_all            one check for every CheckId    │
//!   check::conclude           the policy; the predicted code │
//!                                ▼                           ▼
//!                             Verdict                 proxy::forward: the same bytes
//!                                ├─ cli: a report, or JSON
//!                                ├─ observe: a log line and its metrics
//!                                └─ capture: a line of a file
//!
//!  the answer of the upstream streams on; a copy of it ── answer::read ── observe: did the prediction come true?
//! ```
//!
//! Every check is made even where the signature fails, over claims that are marked unsigned: whoever tests wants to see
//! all faults in one go.
//!
//! # The rooms
//!
//! Each module here is a room, and each room stands on a floor. A room imports only from floors below its own; rooms on one
//! floor do not know each other. A pure room does no input or output, keeps no state and reads no clock: `now` is an argument.
//! `tests/it/house.rs` reads this table and holds the code to it.
//!
//! | floor | room | | its job |
//! | ---: | --- | --- | --- |
//! | 13 | `cli` | | the commands, one a file, and their output for people |
//! | 12 | `app` | | the wiring: from a configuration to a running service |
//! | 11 | `config` | | TOML as written, resolved into what the program runs on |
//! | 10 | `drive` | | a load on its way: signers, connections, the clock |
//! | 9 | `load` | pure | a load on paper: what is sent when, what must come back, what is said of it |
//! | 9 | `proxy` | | the sockets of the proxy: routes, bodies, forwarding, TLS |
//! | 9 | `admin` | | metrics, health and the last verdicts, for the operator |
//! | 9 | `source` | | documents at URLs of the configuration: asked for, kept, asked for again |
//! | 9 | `lab` | | the fake ends: an identity provider, and Entra by logic of its own |
//! | 8 | `inspect` | pure | from posted bytes to a verdict: knows the order of the steps |
//! | 8 | `mint` | pure | the mirror of it: from claims and a named fault to posted bytes |
//! | 7 | `capture` | | verdicts and answers as lines of a file |
//! | 7 | `replay` | | what was seen before: used assertions, requests that passed |
//! | 7 | `observe` | | events: each is a log line and its metrics |
//! | 7 | `trace` | | spans for a collector of OpenTelemetry; empty without the feature `otlp` |
//! | 6 | `doctor` | pure | pre-flight: what Entra holds compared with what the identity provider publishes |
//! | 6 | `check` | pure | the checks, and the policy that weighs them |
//! | 5 | `answer` | pure | what the upstream answered: a code, a session, a request on its way |
//! | 5 | `tenant` | pure | what Entra is set to expect: federations, certificates, users |
//! | 4 | `saml` | pure | the POST binding, the response, its claims, metadata |
//! | 3 | `dsig` | pure | XML signatures in the one shape that SAML has |
//! | 2 | `runbook` | pure | what is known of each check, code and alert, and what to do |
//! | 2 | `xml` | pure | one strict parser, its tree, canonical forms |
//! | 1 | `verdict` | pure | the vocabulary of reports |
//! | 0 | `cause` | pure | an error and everything beneath it |
//! | 0 | `door` | | the door of a small listener |
//! | 0 | `file_text` | pure | the text of an operator's file, in the encodings of PowerShell |
//! | 0 | `html` | pure | text in HTML, as text |
//! | 0 | `limits` | pure | every bound on a posted message |
//! | 0 | `personal` | pure | text about a person, hidden unless asked for by name |
//! | 0 | `trust` | | by what a server is verified |
//!
//! The manual is the module `manual` of these pages; its text stands in `src/manual`.

pub mod admin;
pub mod answer;
pub mod app;
pub mod capture;
mod cause;
pub mod check;
pub mod cli;
pub mod config;
pub mod doctor;
mod door;
pub mod drive;
pub mod dsig;
pub mod file_text;
mod html;
pub mod inspect;
pub mod lab;
pub mod limits;
pub mod load;
#[cfg(doc)]
pub mod manual;
pub mod mint;
pub mod observe;
pub mod personal;
pub mod proxy;
pub mod replay;
mod runbook;
pub mod saml;
pub mod source;
pub mod tenant;
pub mod trace;
pub mod trust;
pub mod verdict;
pub mod xml;
