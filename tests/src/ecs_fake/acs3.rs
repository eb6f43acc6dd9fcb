//! Signatures of version 3, `ACS3-HMAC-SHA256`, worked out anew from the request.
//!
//! Source: "Request structure and signature of version 3" of Alibaba Cloud's API documentation.

use crate::stand_in::Request;
use crate::stand_in::encoding::{hex, pairs, percent_encode};
use crate::stand_in::hash::{hmac, sha256};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// What the `Authorization` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) key: String,
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
}

impl Authorization {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let field = |name: &str| {
            let mut fields = rest.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let signed_headers = field("SignedHeaders")?.split(';');
        Some(Self {
            key: field("Credential")?.to_owned(),
            signed_headers: signed_headers.map(str::to_owned).collect(),
            signature: field("Signature")?.to_owned(),
        })
    }
}

fn canonical_query(query: &str) -> String {
    let encode = |part: String| percent_encode(part.as_bytes());
    let all = pairs(query).into_iter();
    let mut all: Vec<_> = all
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    all.sort();
    let joined = all.iter().map(|(name, value)| format!("{name}={value}"));
    joined.collect::<Vec<_>>().join("&")
}

/// What is signed; none if a signed header is missing. `payload` is the hash that the request claims.
pub(crate) fn string_to_sign(
    request: &Request,
    signed_headers: &[String],
    payload: &str,
) -> Option<String> {
    let mut headers = String::new();
    for name in signed_headers {
        let value = request.header(name)?;
        headers.push_str(&format!("{name}:{}\n", value.trim()));
    }
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{}\n{payload}",
        request.method,
        request.path,
        canonical_query(&request.query),
        signed_headers.join(";"),
    );
    Some(format!(
        "{ALGORITHM}\n{}",
        hex(&sha256(canonical.as_bytes()))
    ))
}

/// The signature over it.
pub(crate) fn sign(secret: &str, to_sign: &str) -> String {
    hex(&hmac(secret.as_bytes(), to_sign.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, query: &str, headers: &[(&str, &str)]) -> Request {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Request {
            method: method.to_owned(),
            path: "/".to_owned(),
            query: query.to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: Vec::new(),
            certificate: None,
        }
    }

    /// The example of the documentation.
    #[test]
    fn signatures_are_those_of_the_documentation() {
        let query =
            "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai";
        let empty = hex(&sha256(b""));
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", &empty),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ];
        let request = request("POST", query, &headers);
        let signed: Vec<_> = headers.iter().map(|(name, _)| (*name).to_owned()).collect();
        let to_sign = string_to_sign(&request, &signed, &empty).expect("all headers");
        assert_eq!(
            to_sign,
            "ACS3-HMAC-SHA256\n7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
        );
        assert_eq!(
            sign("YourAccessKeySecret", &to_sign),
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    /// What the tests of the vendor's clients in Python and Go expect.
    #[test]
    fn signatures_are_those_of_the_vendors_tests() {
        let payload = "55e12e91650d2fec56ec74e1d3e4ddbfce2ef3a65890c2a19ecf88a307e76a23";
        let headers = [("x-acs-test", "http"), ("x-acs-test", "https")];
        let cases = [
            (
                "GET",
                "d16b30a7699ae9e43875b13195b2f81bcc3ed10c14a9b5eb780e51619aa50be1",
            ),
            (
                "",
                "4ab59fffe3c5738ff8a2729f90cc04fe18b02a4b15b2102cbaf92f9ff3df2ea3",
            ),
        ];
        for (method, expected) in cases {
            let request = request(method, "test=ok&empty=", &headers);
            let signed = ["x-acs-test".to_owned()];
            let to_sign = string_to_sign(&request, &signed, payload).expect("all headers");
            assert_eq!(sign("secret", &to_sign), expected, "{method}");
        }
    }

    #[test]
    fn headers_are_read() {
        let text = "ACS3-HMAC-SHA256 Credential=LTAI, SignedHeaders=host;x-acs-date,Signature=ab";
        let read = Authorization::parse(text).expect("a signature");
        assert_eq!((read.key.as_str(), read.signature.as_str()), ("LTAI", "ab"));
        assert_eq!(read.signed_headers, ["host", "x-acs-date"]);
        for wrong in ["", "ACS3-HMAC-SHA256 Credential=a", "AWS4-HMAC-SHA256 x=y"] {
            assert_eq!(Authorization::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn queries_are_encoded_anew() {
        assert_eq!(
            canonical_query("b=a+%2Ab~&Tag.1.Key=flr%3Asession&b=a"),
            "Tag.1.Key=flr%3Asession&b=a&b=a%20%2Ab~"
        );
    }
}
