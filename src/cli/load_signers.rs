//! Who signs the responses of a load: keys, users, and what must come back for each case.

use jiff::Timestamp;

use super::load_args::RunArguments;
use super::signing;
use super::terminal::{Terminal, Trouble};
use crate::config::Config;
use crate::drive::Minting;
use crate::dsig::SigningKey;
use crate::lab::KeyForm;
use crate::load::{Case, Expected, Picker, Script};
use crate::mint::{Errand, Fault, Keys, Manner, Minter};
use crate::proxy::Mode;

/// Seeds that every reader of JSON keeps exactly.
const SEEDS: u64 = (1 << 53) - 1;

/// Who signs, and the names of the keys.
pub(super) struct Signers {
    pub(super) minting: Minting,
    pub(super) keys: Vec<String>,
}

/// Loads the keys, and finds out which cases can be made by them.
pub(super) fn of(config: &Config, script: Script, run: &RunArguments, terminal: &Terminal) -> Result<Signers, Trouble> {
    let now = Timestamp::now();
    let federation = signing::federation(&config.judge.federations, run.domain.as_deref())?;
    let known = run.key.iter().map(|file| signing::of_file(&federation, file, run.certificate.as_ref()));
    let known = known.collect::<Result<Vec<SigningKey>, Trouble>>()?;
    let (over, current): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|key| key.public().certificate().not_after < now);
    let stranger = signing::generated(KeyForm::Rsa2048, now)?;
    let manner = Manner { shape: run.shape, ..Manner::default() };
    let seed = match run.seed {
        Some(seed) => seed,
        // another one each time: whoever remembers IDs must not have seen them
        None => (now.as_microsecond().unsigned_abs() ^ u64::from(std::process::id()).rotate_left(32)) & SEEDS,
    };
    let minter = |key: &SigningKey| -> Result<Minter, Trouble> {
        let keys = Keys { current: key.clone(), expired: over.first().cloned(), stranger: Some(stranger.clone()) };
        let minter = Minter::new(federation.clone(), keys).map_err(|error| Trouble::new(error.to_string()))?;
        Ok(minter.in_manner(manner).seeded(seed))
    };
    let minters = current.iter().map(minter).collect::<Result<Vec<Minter>, Trouble>>()?;
    let Some(first) = minters.first() else {
        return Err(Trouble::new("expected a key whose certificate is valid, got none")
            .hint("a key whose certificate has expired is used for the fault expired_certificate alone"));
    };
    let enforced = (config.mode == Mode::Enforce).then_some(&config.judge.policy);
    let script = possible(script, first, terminal)?;
    let cases = script.cases();
    let of_minter = |minter: &Minter| -> Vec<(Case, Expected)> {
        let of_case = |case: &Case| (*case, Expected::of(*case, &minter.warns(case.fault()), enforced));
        cases.iter().chain(&[Case::Sound]).map(of_case).collect()
    };
    let people = first.people_found(run.users);
    Ok(Signers {
        keys: current.iter().map(|key| key.public().kind().to_string()).collect(),
        minting: Minting {
            expected: minters.iter().map(of_minter).collect(),
            picker: Picker::new(run.spread, people.len()),
            script,
            people,
            minters,
            seed,
            shard: run.shard,
        },
    })
}

/// The script without the cases that cannot be made here.
fn possible(script: Script, minter: &Minter, terminal: &Terminal) -> Result<Script, Trouble> {
    let mut left_out = Vec::new();
    for case in script.cases() {
        if let Err(error) = minter.mint(case.fault(), Timestamp::now(), Errand::default()) {
            let hint =
                if case == Case::Fault(Fault::ExpiredCertificate) { "give its key by another --key" } else { "" };
            terminal.note(&format!("{} is left out: {error}", case.as_str()), hint);
            left_out.push(case);
        }
    }
    match script {
        Script::Mix(mix) => {
            let mix = mix.without(&left_out).map_err(|error| Trouble::new(error.to_string()))?;
            Ok(Script::Mix(mix))
        }
        Script::Recorded(cases) => {
            let kept = cases.iter().map(|case| if left_out.contains(case) { Case::Sound } else { *case });
            Ok(Script::Recorded(kept.collect()))
        }
    }
}
