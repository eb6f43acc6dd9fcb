//! Signatures of version 4, worked out anew from the request.

use crate::stand_in::Request;
use crate::stand_in::encoding::{hex, percent_decode, percent_encode};
use crate::stand_in::hash::{hmac, sha256};

/// What the `Authorization` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) key: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
}

impl Authorization {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            let mut fields = rest.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let scope: Vec<_> = field("Credential")?.split('/').collect();
        let [key, date, region, service, "aws4_request"] = scope[..] else {
            return None;
        };
        Some(Self {
            key: key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: field("SignedHeaders")?
                .split(';')
                .map(str::to_owned)
                .collect(),
            signature: field("Signature")?.to_owned(),
        })
    }
}

/// The path with each of its parts encoded once more than on the wire, as every service but S3 has it.
fn canonical_path(path: &str) -> String {
    let encoded = path.split('/').map(|part| percent_encode(part.as_bytes()));
    let path = encoded.collect::<Vec<_>>().join("/");
    if path.is_empty() {
        "/".to_owned()
    } else {
        path
    }
}

fn canonical_query(query: &str) -> String {
    let encode = |part: &str| percent_encode(&percent_decode(part, true));
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    let mut pairs: Vec<_> = pieces
        .map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            (encode(name), encode(value))
        })
        .collect();
    pairs.sort();
    let joined = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    joined.collect::<Vec<_>>().join("&")
}

/// The signature that this request has to have; none if a signed header is missing.
pub(crate) fn signature(
    secret: &str,
    authorization: &Authorization,
    amz_date: &str,
    request: &Request,
) -> Option<String> {
    let mut headers = String::new();
    for name in &authorization.signed_headers {
        let value = request.header(name)?;
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        headers.push_str(&format!("{name}:{value}\n"));
    }
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method,
        canonical_path(&request.path),
        canonical_query(&request.query),
        authorization.signed_headers.join(";"),
        hex(&sha256(&request.body)),
    );
    let Authorization {
        date,
        region,
        service,
        ..
    } = authorization;
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{amz_date}\n{date}/{region}/{service}/aws4_request\n{}",
        hex(&sha256(canonical.as_bytes()))
    );
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes());
    for part in [region.as_str(), service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    Some(hex(&hmac(&key, to_sign.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const DATE: &str = "20261120T120000Z";
    const SNAPSHOT: &str = "/snapshots/snap-0123456789abcdef0/blocks";

    fn signed(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut headers: Vec<_> = headers.iter().map(owned).collect();
        headers.push(("x-amz-date".to_owned(), DATE.to_owned()));
        headers.sort();
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: body.as_bytes().to_owned(),
            headers,
        };
        let host = request.header("host").expect("a host");
        let names = request.headers.iter().map(|(name, _)| name.as_str());
        let text = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/us-east-1/{}/aws4_request, SignedHeaders={}, Signature=0",
            host.split('.').next().expect("a service"),
            names.collect::<Vec<_>>().join(";")
        );
        let authorization = Authorization::parse(&text).expect("an authorization");
        signature(SECRET, &authorization, DATE, &request).expect("all headers")
    }

    /// What botocore signs, and an independent signer of twenty lines reproduced.
    #[test]
    fn signatures_are_those_of_botocore() {
        let ebs = ("host", "ebs.us-east-1.amazonaws.com");
        let block = format!(
            "{SNAPSHOT}/1001?blockToken=AAABAV3%2FPNhXOynVdMYHUpPsetaSvjLB1dtIGfbJv5OJ0sX855EzGTWos4a4"
        );
        assert_eq!(
            signed("GET", &block, &[ebs], ""),
            "1080ca21e049c9cfa46d2ff2f01ad70f4117e69a3472af2f6800056e7b719606"
        );
        let list = format!("{SNAPSHOT}?maxResults=10000&pageToken=AAA%2Bb%2F%3D%3D");
        assert_eq!(
            signed(
                "GET",
                &list,
                &[ebs, ("x-amz-security-token", "SESSION")],
                ""
            ),
            "f8f2da21dfe706feeaf7277339f288f25330957af4945a58c55d74b2d32925ed"
        );
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        let ec2 = ("host", "ec2.us-east-1.amazonaws.com");
        let body = "Action=DescribeVolumes&Version=2016-11-15&VolumeId.1=vol-0123456789abcdef0";
        assert_eq!(
            signed("POST", "/", &[ec2, ("content-type", form)], body),
            "25305d071a0d288b5b3a1496bc9b8209738a1c75a6c1d615d061f344a8d65ab6"
        );
        let lightsail = [
            ("host", "lightsail.us-east-1.amazonaws.com"),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "Lightsail_20161128.GetDiskSnapshots"),
        ];
        assert_eq!(
            signed("POST", "/", &lightsail, "{}"),
            "9dc522d73d51bf03dcdb42fc52a30a78d0bfa7f72d13855bf95bb0b774a0e585"
        );
    }
}
