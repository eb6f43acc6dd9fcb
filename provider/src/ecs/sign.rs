//! Signatures, version 3: `ACS3-HMAC-SHA256`.
//!
//! Source: Alibaba Cloud, "Request syntax and signature method V3".

use crate::account::text::encode;
use sha2::{Digest, Sha256};

/// The algorithm's name.
const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Bytes of a block of SHA-256, which is what HMAC fills a key up to.
const BLOCK: usize = 64;

/// What is signed.
pub(super) struct Unsigned<'a> {
    /// `POST`.
    pub(super) method: &'a str,
    /// Path, as it is sent.
    pub(super) path: &'a str,
    /// Names and values, not encoded.
    pub(super) query: &'a [(String, String)],
    /// All headers that are signed, with names in any case.
    pub(super) headers: &'a [(String, String)],
    /// [`hex_digest`] of the body.
    pub(super) payload: &'a str,
}

/// Pairs as they are signed: sorted by their encoded names, everything but unreserved characters encoded.
pub(super) fn canonical_query(query: &[(String, String)]) -> String {
    let pairs = query
        .iter()
        .map(|(key, value)| (encode(key), encode(value)));
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort();
    let pairs = pairs.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// Headers in lower case, sorted, the values of one name joined.
fn canonical_headers(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match joined.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(value);
            }
            None => joined.push((name, value.to_owned())),
        }
    }
    joined.sort();
    joined
}

/// The request as it is signed, and the names of its signed headers.
fn canonical_request(request: &Unsigned<'_>) -> (String, String) {
    let headers = canonical_headers(request.headers);
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"));
    let lines: String = lines.collect();
    let query = canonical_query(request.query);
    let Unsigned {
        method,
        path,
        payload,
        ..
    } = request;
    let text = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}");
    (text, names)
}

/// The value of the header `Authorization`. It is secret for as long as its date is good.
pub(super) fn authorization(request: &Unsigned<'_>, id: &str, secret: &str) -> String {
    let (canonical, names) = canonical_request(request);
    let to_sign = format!("{ALGORITHM}\n{}", hex_digest(canonical.as_bytes()));
    let signature = hex(&hmac(secret.as_bytes(), to_sign.as_bytes()));
    format!("{ALGORITHM} Credential={id},SignedHeaders={names},Signature={signature}")
}

/// SHA-256 in hexadecimal digits.
pub(super) fn hex_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let hashed: [u8; 32];
    let key = if key.len() > BLOCK {
        hashed = Sha256::digest(key).into();
        &hashed[..]
    } else {
        key
    };
    let padded = |with: u8| {
        let mut block = [with; BLOCK];
        for (place, byte) in block.iter_mut().zip(key) {
            *place ^= byte;
        }
        block
    };
    let mut inner = Sha256::new();
    inner.update(padded(0x36));
    inner.update(message);
    let mut outer = Sha256::new();
    outer.update(padded(0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// RFC 4231, test cases 1, 2 and 6.
    #[test]
    fn hmac_of_the_standard() {
        let of = |key: &[u8], message: &[u8]| hex(&hmac(key, message));
        assert_eq!(
            of(&[0x0b; 20], b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            of(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            of(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    /// The example of the documentation.
    #[test]
    fn golden_run_instances() {
        let query = pairs(&[
            (
                "ImageId",
                "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
            ),
            ("RegionId", "cn-shanghai"),
        ]);
        let payload = hex_digest(b"");
        let headers = pairs(&[
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", &payload),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ]);
        let request = Unsigned {
            method: "POST",
            path: "/",
            query: &query,
            headers: &headers,
            payload: &payload,
        };
        let (canonical, _) = canonical_request(&request);
        assert_eq!(
            hex_digest(canonical.as_bytes()),
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
        );
        assert_eq!(
            authorization(&request, "YourAccessKeyId", "YourAccessKeySecret"),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;\
             x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
             Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    /// Vectors of the vendor's own library, for Python and for Go.
    #[test]
    fn golden_vectors_of_the_vendor() {
        let query = pairs(&[("test", "ok"), ("empty", "")]);
        let headers = pairs(&[("x-acs-test", "http"), ("x-acs-TEST", "https")]);
        let payload = "55e12e91650d2fec56ec74e1d3e4ddbfce2ef3a65890c2a19ecf88a307e76a23";
        for (method, signature) in [
            (
                "GET",
                "d16b30a7699ae9e43875b13195b2f81bcc3ed10c14a9b5eb780e51619aa50be1",
            ),
            (
                "",
                "4ab59fffe3c5738ff8a2729f90cc04fe18b02a4b15b2102cbaf92f9ff3df2ea3",
            ),
        ] {
            let request = Unsigned {
                method,
                path: "/",
                query: &query,
                headers: &headers,
                payload,
            };
            let signed = authorization(&request, "acesskey", "secret");
            let expected = format!(
                "ACS3-HMAC-SHA256 Credential=acesskey,SignedHeaders=x-acs-test,Signature={signature}"
            );
            assert_eq!(signed, expected, "{method}");
        }
    }

    #[test]
    fn queries_are_encoded_and_sorted() {
        let query = pairs(&[("b", "a b"), ("Tag.1.Key", "flr:session"), ("a", "*/~+")]);
        assert_eq!(
            canonical_query(&query),
            "Tag.1.Key=flr%3Asession&a=%2A%2F~%2B&b=a%20b"
        );
    }
}
