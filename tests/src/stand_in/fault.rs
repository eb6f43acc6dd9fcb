//! What can be made wrong with one request.

use std::time::Duration;

/// When a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing has been done.
    BeforeEffect,
    /// It has been done, and the caller does not learn of it.
    AfterEffect,
}

/// A fault of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FakeFault {
    /// An error with this status (500, 503), with the code and the envelope of the service.
    Status(When, u16),
    /// Any error, in the envelope of the service.
    Error {
        /// When.
        when: When,
        /// Status of the answer.
        status: u16,
        /// Code, such as `InternalError`.
        code: String,
        /// More than the code: `Reason` of EBS direct, `x-acs-retry-after` of Alibaba Cloud in ms.
        reason: Option<String>,
    },
    /// Too many requests: 400 of EBS direct, Lightsail and Alibaba Cloud (`Throttling.Api`), 503 of EC2.
    Throttled,
    /// Too many requests for this account: 400 `ThrottlingException` of EBS direct, `Throttling.User` of
    /// Alibaba Cloud; else as `Throttled`.
    AccountThrottled,
    /// No answer; the connection stays open until the other side closes it.
    NoAnswer(When),
    /// No answer; nothing more can be read from the connection.
    HalfClosed(When),
    /// The connection is reset after so many bytes of the answer (its head counts).
    Reset(When, usize),
    /// The body comes with so many bytes a second, in pieces of a tenth of a second.
    SlowBody(u64),
    /// The connection ends after so many bytes of the body, of which all were promised.
    TruncatedBody(usize),
    /// One byte of the body is flipped, at this place modulo its length; headers say what was right.
    FlippedByte(usize),
    /// The session's token has expired.
    ExpiredToken,
    /// The signature's time is refused, and the `Date` of this answer is as many seconds ahead.
    ClockSkew(i64),
    /// This one sees what was there so long ago.
    Stale(Duration),
    /// No more volumes: `VolumeLimitExceeded` of EC2, `QuotaExceed.PostPaidDisk` of Alibaba Cloud,
    /// `ServiceQuotaExceededException` of the others.
    Quota,
    /// It takes so much longer.
    Delayed(Duration),
}
