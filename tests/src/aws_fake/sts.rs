//! STS: who am I?

use super::error::{Result, bad};
use crate::stand_in::Answer;
use crate::stand_in::Caller;
use crate::stand_in::encoding::Xml;

pub(crate) fn answer(operation: &str, caller: &Caller, request_id: &str) -> Result {
    if operation != "GetCallerIdentity" {
        let message = format!("The action {operation} is not valid for this web service.");
        return Err(bad("InvalidAction", message));
    }
    let mut xml = Xml::default();
    let root = "GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";
    xml.inside(root, |xml| {
        xml.inside("GetCallerIdentityResult", |xml| {
            xml.text("Arn", &caller.arn);
            xml.text("UserId", "AIDAFAKE000000000001");
            xml.text("Account", &caller.account);
        });
        xml.inside("ResponseMetadata", |xml| {
            xml.text("RequestId", request_id);
        });
    });
    Ok(Answer::new(200, "text/xml", xml.finish()))
}
