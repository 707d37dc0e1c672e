//! The certificate authority: one ECDSA P-256 key, kept in the data directory, 0600.
//!
//! From a signing request only the public key is taken; name, purpose and term are ours. The
//! server's key and certificate live in memory and are made anew at each start and long before
//! they expire, so a change of names needs no care and no private key lies on the disk but
//! the authority's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use watchpost_model::Timestamp;

use super::{Error, file, random, sha256, write_secret};
use crate::identity::Fingerprint;

const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// After how long the server's certificate is made anew; it is valid for a year.
pub const RENEW_AFTER: Duration = Duration::from_secs(180 * 86_400);

/// A certificate is valid from a little before now: clocks differ.
const SKEW: Duration = DAY;

/// Names by which every collector may be reached, whatever its host is called.
const ALWAYS: [&str; 4] = ["watchpost-collector", "localhost", "127.0.0.1", "::1"];

/// The authority, ready to sign.
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate.
    pub pem: String,
    /// SHA-256 of its DER.
    pub fingerprint: Fingerprint,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("sha256", &super::hex(&self.sha256())).finish_non_exhaustive()
    }
}

impl Authority {
    /// Reads `ca.crt` and `ca.key` in `directory`, making both on first use.
    ///
    /// # Errors
    /// One of the two is missing or unusable, or the directory can not be written.
    pub fn open(directory: &Path, now: Timestamp) -> Result<Self, Error> {
        let (certificate, key) = (directory.join("ca.crt"), directory.join("ca.key"));
        match (file::read(&certificate)?, file::read(&key)?) {
            (Some(pem), Some(secret)) => Self::load(pem, &secret, &certificate),
            (Some(_), None) => Err(Error::Half { path: key }),
            // A first start that died between the two files gave nothing away yet.
            (None, _) => {
                let (pem, secret) = make(now)?;
                write_secret(&key, &secret)?;
                write_secret(&certificate, &pem)?;
                Self::load(pem, &secret, &certificate)
            }
        }
    }

    fn load(pem: String, secret: &str, path: &Path) -> Result<Self, Error> {
        let bad = |reason: String| Error::Authority { path: path.to_owned(), reason };
        let key = KeyPair::from_pem(secret).map_err(|error| bad(format!("the key beside it: {error}")))?;
        let certificate =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| bad(error.to_string()))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| bad(error.to_string()))?;
        Ok(Self { certificate, pem, issuer })
    }

    /// The authority's certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The authority's certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the authority's certificate: what an enrolling agent pins.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(&self.certificate)
    }

    /// A new server key and certificate for `names` and the names every collector has. The chain
    /// carries the authority too, for agents that know only its hash.
    ///
    /// # Errors
    /// A name is neither a host name nor an address.
    pub fn server(&self, names: &[String], now: Timestamp) -> Result<Arc<CertifiedKey>, Error> {
        let mut all: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
        for name in names {
            CertificateParams::new(vec![name.clone()]).map_err(|_| Error::Name { name: name.clone() })?;
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        let mut params = CertificateParams::new(all)?;
        describe(&mut params, "watchpost-collector", YEAR, now)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = rustls::crypto::ring::sign::any_supported_type(&key)
            .map_err(|error| Error::Tls(error.to_string()))?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Ok(Arc::new(CertifiedKey::new(chain, signer)))
    }

    /// A client certificate, valid for a year, for the key in a signing request.
    ///
    /// # Errors
    /// The request is not valid.
    pub fn issue(&self, csr: &str, name: &str, now: Timestamp) -> Result<Issued, Error> {
        let request = CertificateSigningRequestParams::from_pem(csr)
            .map_err(|error| Error::Request(error.to_string()))?;
        self.sign(&request.public_key, name, now)
    }

    /// A new key and its client certificate, valid for a year. Returns the key as PEM.
    ///
    /// # Errors
    /// Signing fails.
    pub fn issue_with_key(&self, name: &str, now: Timestamp) -> Result<(Issued, String), Error> {
        let key = KeyPair::generate()?;
        Ok((self.sign(&key, name, now)?, key.serialize_pem()))
    }

    fn sign(&self, key: &impl PublicKeyData, name: &str, now: Timestamp) -> Result<Issued, Error> {
        let mut params = CertificateParams::default();
        describe(&mut params, name, YEAR, now)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(key, &self.issuer)?;
        Ok(Issued { pem: certificate.pem(), fingerprint: sha256(certificate.der()) })
    }
}

/// A self-signed authority for ten years: certificate and key, PEM.
fn make(now: Timestamp) -> Result<(String, String), Error> {
    let mut params = CertificateParams::default();
    let key = KeyPair::generate()?;
    // Two collectors on one desk have authorities of different names.
    let name = format!("Watchpost CA {}", super::hex(&random::<4>()?));
    describe(&mut params, &name, YEAR * 10, now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = false;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// What all certificates have: a name, a term and a random serial number.
fn describe(params: &mut CertificateParams, name: &str, term: Duration, now: Timestamp) -> Result<(), Error> {
    let seconds = u64::try_from(now.as_seconds()).unwrap_or(0);
    let date = date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date - SKEW;
    params.not_after = date + term;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let mut serial = random::<16>()?;
    // A serial number is positive and does not begin with a zero byte.
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(())
}
