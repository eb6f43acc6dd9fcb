//! EC2: what there is, and the life of a volume.

mod attach;
mod images;
mod instances;
mod params;
mod places;
mod select;
mod snapshots;
mod tags;
mod volumes;

use super::context::Context;
use super::error::{Result, ServiceError, bad, error};
use crate::stand_in::Answer;
use crate::stand_in::encoding::Xml;
use params::Params;

type Operation = fn(&Context<'_>, &Params<'_>) -> Result;

fn operation(name: &str) -> Option<Operation> {
    let found: Operation = match name {
        "DescribeSnapshots" => snapshots::describe,
        "DeleteSnapshot" => snapshots::delete,
        "DescribeVolumes" => volumes::describe,
        "CreateVolume" => volumes::create,
        "DeleteVolume" => volumes::delete,
        "AttachVolume" => attach::attach,
        "DetachVolume" => attach::detach,
        "DescribeInstances" => instances::describe,
        "ModifyInstanceAttribute" => instances::modify,
        "DescribeImages" => images::describe,
        "DeregisterImage" => images::deregister,
        "DescribeAvailabilityZones" => places::zones,
        "DescribeRegions" => places::regions,
        "CreateTags" => tags::create,
        _ => return None,
    };
    Some(found)
}

pub(crate) fn answer(context: &Context<'_>) -> Result {
    let name = &context.call.operation;
    let operation = operation(name).ok_or_else(|| {
        let message = format!("The action {name} is not valid for this web service.");
        bad("InvalidAction", message)
    })?;
    let params = Params(&context.call.parameters);
    if context
        .state()
        .settings
        .denied
        .contains(&format!("ec2:{name}"))
    {
        let message = "You are not authorized to perform this operation.";
        return Err(error(403, "UnauthorizedOperation", message));
    }
    if params.flag("DryRun") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(error(412, "DryRunOperation", message));
    }
    operation(context, &params)
}

/// An answer of an operation.
fn reply(context: &Context<'_>, fill: impl FnOnce(&mut Xml)) -> Answer {
    let mut xml = Xml::default();
    let name = &context.call.operation;
    let root = format!("{name}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"");
    xml.inside(&root, |xml| {
        xml.text("requestId", &context.request_id);
        fill(xml);
    });
    Answer::new(200, "text/xml;charset=UTF-8", xml.finish())
}

/// The answer of what has nothing to say.
fn done(context: &Context<'_>) -> Answer {
    reply(context, |xml| {
        xml.text("return", true);
    })
}

fn missing(name: &str) -> ServiceError {
    let message = format!("The request must contain the parameter {name}");
    bad("MissingParameter", message)
}
