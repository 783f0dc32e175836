//! Responses made ahead of the requests that post them, by threads that do nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::load::{self, Case, Expected, Picker, Script, Shard};
use crate::mint::{Errand, MintError, Minter, Person};

/// What was signed ahead is posted until it is so old; the shortest life of a sign-in here is three minutes.
const FRESH: Duration = Duration::from_secs(100);

/// What is made for each request.
#[derive(Debug, Clone)]
pub struct Minting {
    /// Which case each request is.
    pub script: Script,
    /// The minters, one a key, used in turns.
    pub minters: Vec<Minter>,
    /// What must come back for each case, for each minter in their order.
    pub expected: Vec<Vec<(Case, Expected)>>,
    /// Who signs in.
    pub people: Vec<Person>,
    /// How often each of them does.
    pub picker: Picker,
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// Which generator of how many this is.
    pub shard: Shard,
}

/// A form, ready to be posted.
pub(super) struct Signed {
    /// Its number in the whole load.
    pub(super) number: u64,
    pub(super) case: Case,
    pub(super) expected: Expected,
    pub(super) form: Bytes,
    /// By which an answer is known to be of this request.
    pub(super) token: Arc<str>,
    made: Instant,
}

impl Signed {
    pub(super) fn is_fresh(&self) -> bool {
        self.made.elapsed() < FRESH
    }
}

impl Minting {
    /// Makes the response of a request; the number is the one in the whole load.
    pub(super) fn make(&self, number: u64) -> Result<Signed, MintError> {
        let case = self.script.case(self.seed, number);
        let key = usize::try_from(number / self.shard.of % self.minters.len().max(1) as u64).unwrap_or_default();
        let minter = self.minters.get(key).ok_or(MintError::NoKey("a key that signs"))?;
        let token = load::token(self.seed, number);
        let relay_state = load::relay_state(&token);
        let errand = Errand { request: None, relay_state: &relay_state, number };
        let person = self.people.get(self.picker.pick(self.seed, number));
        let minted = match person {
            Some(person) => minter.mint_for(person, case.fault(), Timestamp::now(), errand)?,
            None => minter.mint(case.fault(), Timestamp::now(), errand)?,
        };
        let expected = self.expected(key, case);
        Ok(Signed { number, case, expected, form: minted.form().into(), token: token.into(), made: Instant::now() })
    }

    /// What must come back for a case of a key.
    fn expected(&self, key: usize, case: Case) -> Expected {
        let known = self.expected.get(key).and_then(|known| known.iter().find(|(of, _)| *of == case));
        known.map_or(Expected { rejected: false, code: None }, |(_, expected)| *expected)
    }

    /// What must come back for a sound one of the key that signs this number.
    pub(super) fn expected_of_sound(&self, number: u64) -> Expected {
        let key = usize::try_from(number / self.shard.of % self.minters.len().max(1) as u64).unwrap_or_default();
        self.expected(key, Case::Sound)
    }
}

/// What the signers have done.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) signed: AtomicU64,
    pub(super) nanos: AtomicU64,
}

impl Work {
    /// Microseconds for one.
    pub(super) fn micros(&self) -> f64 {
        let signed = self.signed.load(Ordering::Relaxed).max(1);
        (self.nanos.load(Ordering::Relaxed) / signed) as f64 / 1000.0
    }
}

/// The numbers, here, of one worker's requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) worker: u64,
    pub(super) workers: u64,
    /// Of all workers together.
    pub(super) limit: u64,
}

impl Numbers {
    /// The worker's request of this place.
    pub(super) fn at(self, place: u64) -> Option<u64> {
        let number = place.checked_mul(self.workers)?.checked_add(self.worker)?;
        (number < self.limit).then_some(number)
    }

    /// How many there are.
    pub(super) fn count(self) -> u64 {
        self.limit / self.workers + u64::from(self.worker < self.limit % self.workers)
    }
}

/// Starts so many threads that sign for one worker; at most `ahead` forms wait.
pub(super) fn start(
    minting: &Arc<Minting>,
    numbers: Numbers,
    signers: usize,
    ahead: usize,
    work: &Arc<Work>,
) -> std::io::Result<mpsc::Receiver<Signed>> {
    let (sender, receiver) = mpsc::channel(ahead.max(1));
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..signers.max(1) {
        let (minting, sender, next, work) = (Arc::clone(minting), sender.clone(), Arc::clone(&next), Arc::clone(work));
        let sign = move || {
            while let Some(number) = numbers.at(next.fetch_add(1, Ordering::Relaxed)) {
                let begun = Instant::now();
                let signed = match minting.make(minting.shard.whole(number)) {
                    Ok(signed) => signed,
                    Err(error) => {
                        // every case was made once before the start
                        tracing::error!(%error, number, "a response cannot be made");
                        continue;
                    }
                };
                let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
                work.nanos.fetch_add(nanos, Ordering::Relaxed);
                work.signed.fetch_add(1, Ordering::Relaxed);
                if sender.blocking_send(signed).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("signer".to_owned()).spawn(sign)?;
    }
    Ok(receiver)
}
