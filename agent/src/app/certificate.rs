//! Who a server says it is: the first certificate of a TLS 1.2 handshake, through x509-parser.
//!
//! Names only; whether they are true is for the client to check. Later versions encrypt this.

use x509_parser::objects::oid2abbrev;
use x509_parser::oid_registry::OidRegistry;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// Parts of a name that are kept.
const MOST_PARTS: usize = 16;

/// Characters kept of one part.
const MOST_TEXT: usize = 256;

/// Subject and issuer, the most particular part first, for example `CN=a.test, O=Example, C=NL`.
pub(super) fn names(body: &[u8]) -> Option<(String, String)> {
    // A list with its length in three bytes, of certificates with theirs in three bytes each.
    let der = body.get(3..)?;
    let ([high, middle, low], rest) = der.split_first_chunk::<3>()?;
    let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).ok()?;
    let (_, certificate) = X509Certificate::from_der(rest.get(..length)?).ok()?;
    let registry = OidRegistry::default().with_x509();
    Some((name(certificate.subject(), &registry), name(certificate.issuer(), &registry)))
}

fn name(name: &X509Name<'_>, registry: &OidRegistry<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_attributes()
        .take(MOST_PARTS)
        .map(|part| {
            let value = part.as_str().map(|text| text.chars().take(MOST_TEXT).collect::<String>());
            let key = oid2abbrev(part.attr_type(), registry)
                .map_or_else(|_| part.attr_type().to_id_string(), str::to_owned);
            format!("{key}={}", value.unwrap_or_default())
        })
        .collect();
    parts.reverse();
    parts.join(", ")
}
