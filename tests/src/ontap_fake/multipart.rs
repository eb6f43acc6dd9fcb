//! Bytes as `multipart/form-data` with one part.

use crate::stand_in::Answer;

/// Data as an answer. The boundary is one that the data does not have; it begins with what is chosen at
/// random.
pub(crate) fn answer(data: &[u8], name: &str, random: &str) -> Answer {
    let mut boundary = format!("------------------------{random}");
    while has(data, boundary.as_bytes()) {
        boundary.push('x');
    }
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(data);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Answer::new(
        200,
        &format!("multipart/form-data; boundary={boundary}"),
        body,
    )
}

/// The data of the one part that a request sends.
pub(crate) fn data<'a>(content_type: &str, body: &'a [u8]) -> Option<&'a [u8]> {
    let boundary = content_type.split(';').find_map(|part| {
        let value = part.trim().strip_prefix("boundary=")?;
        Some(value.trim_matches('"'))
    })?;
    let rest = body.strip_prefix(format!("--{boundary}\r\n").as_bytes())?;
    let start = find(rest, b"\r\n\r\n")? + 4;
    let end = find(rest, format!("\r\n--{boundary}").as_bytes())?;
    rest.get(start..end)
}

fn find(all: &[u8], what: &[u8]) -> Option<usize> {
    all.windows(what.len()).position(|window| window == what)
}

fn has(all: &[u8], what: &[u8]) -> bool {
    find(all, what).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_never_in_the_data() {
        let taken = "\r\n--------------------------1";
        let answer = answer(taken.as_bytes(), "data", "1");
        let kind = &answer.headers[0].1;
        assert!(
            kind.ends_with("boundary=------------------------1x"),
            "{kind}"
        );
        assert_eq!(data(kind, &answer.body), Some(taken.as_bytes()));
    }
}
