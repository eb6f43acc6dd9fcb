//! The proxy that breaks calls, seen by Amazon's own client in front of moto: what it makes up is what
//! that client takes for the real thing.

use flr_tests::proxy::{Fault, Proxy};
use flr_tests::servers;
use std::time::Duration;

/// One line for each call: what came of it, in the client's words.
const SCRIPT: &str = r#"
import sys, boto3, botocore.config, botocore.exceptions
url, service, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
def new(patience):
    config = botocore.config.Config(retries={'max_attempts': 0}, read_timeout=patience)
    return boto3.client(service, endpoint_url=url, config=config)
# The first call loads half of moto.
first, others = new(60), new(3)
def call(client):
    if service == 'ec2':
        client.create_volume(AvailabilityZone='us-east-1a', Size=1)
    elif service == 'ebs':
        client.list_snapshot_blocks(SnapshotId='snap-0123456789abcdef0')
    else:
        client.get_disks()
for index in range(count):
    try:
        call(others if index else first)
        print('good')
    except botocore.exceptions.ClientError as error:
        print(error.response['Error']['Code'], error.response['ResponseMetadata']['HTTPStatusCode'])
    except botocore.exceptions.BotoCoreError as error:
        print(type(error).__name__)
    except Exception as error:
        print('other', type(error).__name__)
"#;

fn run(service: &str, faults: &[Fault], upstream: std::net::SocketAddr) -> Option<(Proxy, String)> {
    let rule = {
        let faults = faults.to_vec();
        move |call: &flr_tests::proxy::Call| faults[call.index].clone()
    };
    let proxy = Proxy::start(upstream, rule);
    let count = faults.len().to_string();
    let output = servers::python_with(SCRIPT, &[&proxy.url(), service, &count], &[])?;
    Some((proxy, String::from_utf8(output.stdout).unwrap()))
}

#[test]
fn ec2_fails_in_its_own_words_and_what_had_an_effect_is_known() {
    let Some(moto) = servers::moto() else { return };
    let faults = [
        Fault::None,
        Fault::InternalError,
        Fault::Unavailable,
        Fault::Throttled,
        Fault::TimeoutBefore,
        Fault::TimeoutAfter,
        Fault::HalfClosed,
        Fault::Slow(Duration::from_millis(400)),
        Fault::ExpiredToken,
        Fault::Skewed(-600),
        Fault::Quota,
        Fault::Late(Duration::from_millis(50)),
    ];
    let Some((proxy, said)) = run("ec2", &faults, moto.address()) else {
        return;
    };
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(
        said,
        [
            "good",
            "InternalError 500",
            "Unavailable 503",
            "RequestLimitExceeded 400",
            "ReadTimeoutError",
            "ReadTimeoutError",
            "ConnectionClosedError",
            "good",
            "RequestExpired 400",
            "RequestExpired 400",
            "VolumeLimitExceeded 400",
            "good",
        ]
    );
    let requests = proxy.requests();
    assert_eq!(requests[0].action().as_deref(), Some("CreateVolume"));
    assert_eq!(requests.len(), faults.len());
    // None, TimeoutAfter, HalfClosed, Slow and Late had their effect; the others had none.
    let script = "import boto3, sys\n\
                  ec2 = boto3.client('ec2', endpoint_url=sys.argv[1])\n\
                  print(len(ec2.describe_volumes()['Volumes']))\n";
    let output = servers::python_with(script, &[&moto.url()], &[]).unwrap();
    assert_eq!(output.stdout, b"5\n");
}

#[test]
fn ebs_and_lightsail_fail_in_their_own_words() {
    let nobody = servers::free_address();
    let faults = [
        Fault::InternalError,
        Fault::Throttled,
        Fault::ExpiredToken,
        Fault::Skewed(600),
        Fault::Quota,
    ];
    let Some((_proxy, said)) = run("ebs", &faults, nobody) else {
        return;
    };
    let expected = "InternalServerException 500\nRequestThrottledException 400\n\
                    ExpiredTokenException 403\nInvalidSignatureException 403\n\
                    ServiceQuotaExceededException 402\n";
    assert_eq!(said, expected);
    let Some((proxy, said)) = run("lightsail", &faults, nobody) else {
        return;
    };
    let expected = "ServiceException 500\nThrottlingException 400\n\
                    ExpiredTokenException 403\nInvalidSignatureException 403\n\
                    OperationFailureException 400\n";
    assert_eq!(said, expected);
    assert_eq!(proxy.requests()[0].action().as_deref(), Some("GetDisks"));
}

#[test]
fn a_stale_answer_is_that_of_an_earlier_moment() {
    let Some(moto) = servers::moto() else { return };
    let proxy = Proxy::start(moto.address(), |call| match call.index {
        2 => Fault::Stale,
        _ => Fault::None,
    });
    let script = "import boto3, sys\n\
                  ec2 = boto3.client('ec2', endpoint_url=sys.argv[1])\n\
                  count = lambda: print(len(ec2.describe_volumes()['Volumes']))\n\
                  count()\n\
                  ec2.create_volume(AvailabilityZone='us-east-1a', Size=1)\n\
                  count()\n\
                  count()\n";
    let Some(output) = servers::python_with(script, &[&proxy.url()], &[]) else {
        return;
    };
    assert_eq!(output.stdout, b"0\n0\n1\n");
}
