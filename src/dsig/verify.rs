//! Verification, in the order that keeps hostile input cheap: shape, algorithms, SignatureValue by registered keys, digest.

use smallvec::SmallVec;

use super::algorithm::{Hash, SignatureAlgorithm, SignatureScheme};
use super::digest::digest;
use super::failure::{AlgorithmError, Failure, ValueError};
use super::grammar::{DS, Grammar, Method, ShapeError, canonicalization};
use super::key::{KeyKind, TrustedKey};
use super::key_info::{NamedCertificate, named};
use super::near_miss;
use crate::limits::Limits;
use crate::xml::{Algorithm, Canonical, Document, NodeId};

/// What a verification is made with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The registered keys, the current one first.
    pub keys: &'a [&'a TrustedKey],
    /// Bounds.
    pub limits: &'a Limits,
    /// Whether a failure is looked into: a bounded amount of work, which hostile posts must not be able to buy.
    pub diagnose: bool,
}

/// An element whose signature, or that of an element around it, was verified by a registered key. Nothing outside this room
/// can make one, and nothing can change the document behind it.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'d> {
    document: &'d Document,
    node: NodeId,
}

impl<'d> Signed<'d> {
    /// The document.
    pub fn document(&self) -> &'d Document {
        self.document
    }

    /// The element that is vouched for.
    pub fn node(&self) -> NodeId {
        self.node
    }
}

/// Everything that the signatures of a response say.
#[derive(Debug)]
pub struct Signatures<'d> {
    document: &'d Document,
    examined: SmallVec<[Examined; 2]>,
}

/// Signatures out of place that are examined, of each kind: any one refuses the response, and a flood of them says no more.
const OUT_OF_PLACE: usize = 4;

/// One signature.
#[derive(Debug)]
pub struct Examined {
    /// The Signature.
    pub signature: NodeId,
    /// The element that holds it.
    pub parent: NodeId,
    /// The signature algorithm, where it is one that is judged.
    pub algorithm: Option<SignatureAlgorithm>,
    /// The digest algorithm, where it is one that is judged.
    pub digest: Option<Hash>,
    /// SignedInfo is canonicalised otherwise than exclusively without comments.
    pub unusual_canonicalization: Option<Algorithm>,
    /// The Reference is canonicalised `#WithComments`.
    pub comments_in_reference: bool,
    /// The registered key that verified it, or why none did.
    pub result: Result<usize, Failure>,
    /// The certificate that KeyInfo names; looked at only when the verification failed.
    pub named: Option<NamedCertificate>,
}

impl Examined {
    /// A signature of which nothing is known but why it does not hold so far.
    fn new(signature: NodeId, parent: NodeId, failure: Failure) -> Self {
        Self {
            signature,
            parent,
            algorithm: None,
            digest: None,
            unusual_canonicalization: None,
            comments_in_reference: false,
            result: Err(failure),
            named: None,
        }
    }
}

/// Examines every signature of a document. `signable` are the Response and the Assertion, as far as they exist.
pub fn verify<'d>(document: &'d Document, signable: &[NodeId], context: &Context<'_>) -> Signatures<'d> {
    let mut examined = SmallVec::new();
    for parent in signable {
        let mut signatures = document.children_named(*parent, DS, "Signature");
        if let Some(signature) = signatures.next() {
            examined.push(examine(document, signature, *parent, context));
        }
        examined.extend(signatures.take(OUT_OF_PLACE).map(|second| {
            let name = document.local_name(*parent).to_owned();
            refused(document, second, *parent, context, ShapeError::Several(name))
        }));
    }
    let strays = document
        .descendants(NodeId::DOCUMENT)
        .filter(|node| document.is(*node, DS, "Signature") && !signable.contains(&document.parent(*node)));
    examined.extend(strays.take(OUT_OF_PLACE).map(|stray| {
        let parent = document.parent(stray);
        let name = document.written_name(parent).to_owned();
        refused(document, stray, parent, context, ShapeError::Stray(name))
    }));
    Signatures { document, examined }
}

impl<'d> Signatures<'d> {
    /// One for each signature found, those of the Response and of the Assertion first; of those out of place, the first few.
    pub fn examined(&self) -> &[Examined] {
        &self.examined
    }

    /// Proof that an element is vouched for: every signature there is holds, and one of them covers the element.
    pub fn signed(&self, node: NodeId) -> Option<Signed<'d>> {
        let all_hold = self.examined.iter().all(|examined| examined.result.is_ok());
        let covers = |examined: &Examined| {
            let mut around = node;
            while around != examined.parent && around != NodeId::DOCUMENT {
                around = self.document.parent(around);
            }
            around == examined.parent
        };
        let covered = all_hold && self.examined.iter().any(covers);
        covered.then_some(Signed { document: self.document, node })
    }
}

/// A signature that is refused for where it stands.
fn refused(
    document: &Document,
    signature: NodeId,
    parent: NodeId,
    context: &Context<'_>,
    error: ShapeError,
) -> Examined {
    let mut examined = Examined::new(signature, parent, Failure::Shape(error, signature));
    examined.named = named(document, signature, context.keys);
    if let Ok(grammar) = Grammar::read(document, signature) {
        examined.algorithm = SignatureAlgorithm::of_uri(grammar.signature_method.uri);
        examined.digest = Hash::of_uri(grammar.digest_method.uri);
    }
    examined
}

fn examine(document: &Document, signature: NodeId, parent: NodeId, context: &Context<'_>) -> Examined {
    let mut examined = Examined::new(signature, parent, Failure::NoKeys);
    examined.result = verify_one(document, &mut examined, context);
    if let Err(failure) = &mut examined.result {
        examined.named = named(document, signature, context.keys);
        let stranger = examined.named.as_ref().filter(|named| named.registered.is_none());
        if let (Failure::SignatureValue { by_named, .. }, Some(stranger), true) = (failure, stranger, context.diagnose)
        {
            let key = TrustedKey::from_der(&stranger.certificate.der).ok();
            *by_named = key.map(|key| {
                let own = Context { keys: &[&key], diagnose: false, ..*context };
                !matches!(
                    verify_one(document, &mut Examined { named: None, result: Ok(0), ..examined }, &own),
                    Err(Failure::SignatureValue { .. } | Failure::Algorithm(..))
                )
            });
        }
    }
    examined
}

fn verify_one(document: &Document, examined: &mut Examined, context: &Context<'_>) -> Result<usize, Failure> {
    let shape = |(error, node)| Failure::Shape(error, node);
    let limits = context.limits;
    let longest = document.source().len().saturating_mul(limits.canonical_factor);
    let grammar = Grammar::read(document, examined.signature).map_err(shape)?;

    // all that is named is looked at before anything is computed
    examined.algorithm = SignatureAlgorithm::of_uri(grammar.signature_method.uri);
    examined.digest = Hash::of_uri(grammar.digest_method.uri);
    let algorithm = known(&grammar.signature_method, "SignatureMethod", examined.algorithm)?;
    let hash = known(&grammar.digest_method, "DigestMethod", examined.digest)?;
    let canonical = canonicalization(grammar.canonicalization.uri);
    let canonical = known(&grammar.canonicalization, "CanonicalizationMethod", canonical)?;
    examined.unusual_canonicalization = (!canonical.exclusive || canonical.comments).then_some(canonical);
    let (transform, reference_algorithm) = grammar.reference_canonicalization().map_err(shape)?;
    examined.comments_in_reference = reference_algorithm.comments;
    own_reference(document, examined.parent, &grammar).map_err(shape)?;

    let candidates = candidates(document, examined, algorithm, &grammar.signature_method, context)?;
    let value = base64_value(document, grammar.signature_value, "SignatureValue")?;

    let signed_info = Canonical {
        algorithm: canonical,
        prefix_list: &grammar.canonicalization.prefix_list,
        ..Canonical::exclusive(document, grammar.signed_info)
    };
    let over = digest(algorithm.hash, &signed_info, longest)
        .map_err(|error| Failure::Canonical(error, grammar.signed_info))?;
    let verified = candidates.iter().copied().find(|(_, key)| key.verifies(algorithm, &over, &value));
    let Some((index, _)) = verified else {
        if let Some(length) = wrong_length(&candidates, &value) {
            return Err(Failure::Value(length, grammar.signature_value));
        }
        let near_miss =
            context.diagnose.then(|| near_miss::of_signed_info(&signed_info, algorithm, &candidates, &value, longest));
        let node = grammar.signature_value;
        return Err(Failure::SignatureValue { near_miss: near_miss.flatten(), by_named: None, node });
    };

    // From here on a registered key vouches for SignedInfo.
    let expected = base64_value(document, grammar.digest_value, "DigestValue")?;
    let length = hash.backend().output_len();
    if expected.len() != length {
        let error = ValueError::Length { value: "DigestValue", expected: length, got: expected.len() };
        return Err(Failure::Value(error, grammar.digest_value));
    }
    // A Reference to `#id` selects no comments, whatever the transform says ([xmldsig 4.4.3.3]).
    let element = Canonical {
        prefix_list: &transform.prefix_list,
        without: Some(examined.signature),
        ..Canonical::exclusive(document, examined.parent)
    };
    let got = digest(hash, &element, longest).map_err(|error| Failure::Canonical(error, examined.parent))?;
    if got.as_ref() != expected.as_slice() {
        let near_miss = context.diagnose.then(|| near_miss::of_reference(&element, hash, &expected, longest));
        return Err(Failure::Digest {
            near_miss: near_miss.flatten(),
            signed: encode(&expected),
            got: encode(got.as_ref()),
            node: examined.parent,
        });
    }
    Ok(index)
}

fn known<T>(method: &Method<'_>, role: &'static str, algorithm: Option<T>) -> Result<T, Failure> {
    let error = match algorithm {
        Some(_) if method.has_parameters => AlgorithmError::Parameters { role },
        Some(algorithm) => return Ok(algorithm),
        None => AlgorithmError::Unknown { role, uri: method.uri.to_owned() },
    };
    Err(Failure::Algorithm(error, method.node))
}

/// The Reference must point to the very element that holds the Signature.
fn own_reference(document: &Document, parent: NodeId, grammar: &Grammar<'_>) -> Result<(), (ShapeError, NodeId)> {
    let reference = grammar.reference;
    let name = || document.local_name(parent).to_owned();
    let uri = document.attribute(reference, "URI").ok_or((ShapeError::NoUri, reference))?;
    let id = document.attribute(parent, "ID").filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| (ShapeError::NoId(name()), parent))?;
    if uri.strip_prefix('#') == Some(id) {
        return Ok(());
    }
    let target = uri.strip_prefix('#').and_then(|wanted| {
        document.descendants(NodeId::DOCUMENT).find(|node| document.attribute(*node, "ID") == Some(wanted))
    });
    let uri = match target {
        Some(target) => format!("`{uri}`, the {}", document.local_name(target)),
        None => format!("`{uri}`"),
    };
    Err((ShapeError::OtherElement { uri, parent: name(), expected: format!("`#{id}`") }, reference))
}

type Candidates<'a> = SmallVec<[(usize, &'a TrustedKey); 2]>;

/// The registered keys that this algorithm can be verified with.
fn candidates<'a>(
    document: &Document,
    examined: &Examined,
    algorithm: SignatureAlgorithm,
    method: &Method<'_>,
    context: &Context<'a>,
) -> Result<Candidates<'a>, Failure> {
    let Some(current) = context.keys.first() else { return Err(Failure::NoKeys) };
    let all = || context.keys.iter().copied().enumerate().filter(|(_, key)| key.fits(algorithm));
    let strong: Candidates<'a> = all().filter(|(_, key)| !is_weak(key.kind()) && key.supports(algorithm)).collect();
    if !strong.is_empty() {
        return Ok(strong);
    }
    // A stranger's key explains a misfit better than a weakness of ours: it is then the key that is wrong.
    let stranger = named(document, examined.signature, context.keys).is_some_and(|named| named.registered.is_none());
    if stranger {
        return Ok(SmallVec::new());
    }
    let error = match all().next() {
        None => AlgorithmError::KeyKind { algorithm, key: current.kind() },
        Some((_, key)) if is_weak(key.kind()) => AlgorithmError::WeakKey(key.kind()),
        Some((_, key)) => AlgorithmError::Unsupported { algorithm, key: key.kind() },
    };
    Err(Failure::Algorithm(error, method.node))
}

fn is_weak(kind: KeyKind) -> bool {
    matches!(kind, KeyKind::Rsa { bits, sound_exponent } if bits < 1024 || !sound_exponent)
}

fn wrong_length(candidates: &Candidates<'_>, value: &[u8]) -> Option<ValueError> {
    let (_, first) = candidates.first()?;
    let fits = candidates.iter().any(|(_, key)| key.signature_len() == value.len());
    let expected = first.signature_len();
    (!fits).then_some(ValueError::Length { value: "SignatureValue", expected, got: value.len() })
}

/// A decoded value; that of an RSA key of 4096 bits needs no allocation.
type Decoded = SmallVec<[u8; 768]>;

/// Strict base64 but for XML white space, which producers wrap it with.
fn base64_value(document: &Document, node: NodeId, name: &'static str) -> Result<Decoded, Failure> {
    let text = document.text_in(node);
    let mut value = Decoded::new();
    text.split_ascii_whitespace().for_each(|line| value.extend_from_slice(line.as_bytes()));
    let decoded = base64_simd::STANDARD.decode_inplace(&mut value);
    let length = decoded.map_err(|_| Failure::Value(ValueError::NotBase64(name), node))?.len();
    value.truncate(length);
    Ok(value)
}

fn encode(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

impl std::fmt::Display for AlgorithmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown { role, uri } => write!(f, "{role} names `{uri}`, which is not accepted"),
            Self::Parameters { role } => write!(f, "{role} carries parameters, which no algorithm of SAML has"),
            Self::KeyKind { algorithm, key } => {
                write!(f, "the signature says {}, but the registered key is {key}", algorithm.as_str())
            }
            Self::WeakKey(KeyKind::Rsa { sound_exponent: false, .. }) => f.write_str(
                "the registered RSA key has a public exponent below 65537, with which signatures can be forged",
            ),
            Self::WeakKey(kind) => write!(f, "the registered key is {kind}, too short to be believed"),
            Self::Unsupported { algorithm, key } => {
                write!(f, "no verifier exists for {} with a key of {key}", algorithm.as_str())
            }
        }
    }
}

impl SignatureAlgorithm {
    /// Whether this is plain RSA (PKCS #1 v1.5), the only scheme that Microsoft documents.
    pub fn is_rsa_pkcs1(self) -> bool {
        self.scheme == SignatureScheme::RsaPkcs1
    }
}
