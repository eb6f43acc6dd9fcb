//! Images behind other people's servers: HTTP, S3, NBD.

use crate::points::transcript;
use crate::schema::check;
use crate::stage::{Running, Stage, until};
use flr_tests::image::image_path;
use flr_tests::require::require;
use flr_tests::servers::{free_address, moto, nginx, python_with};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

/// The same commands over an address and over the image itself.
#[track_caller]
fn assert_same(stage: &Stage, address: &str) {
    let remote = |args: &[&str], path: &str| {
        stage
            .run(&[args, &[&format!("{address}{path}")]].concat())
            .ended_with(0)
            .out
    };
    let local = |args: &[&str], path: &str| {
        stage
            .run(&[args, &[&format!("web01.img{path}")]].concat())
            .ended_with(0)
            .out
    };
    for (args, path) in [
        (&["cat"][..], ":/var/log/syslog"),
        (&["cat", "--range", "100-70000"], "::raw"),
        (&["ls", "-l", "-R"], ":/home/"),
    ] {
        let name = |text: String| text.replace(address, "IMAGE").replace("web01.img", "IMAGE");
        assert_eq!(
            name(remote(args, path)),
            name(local(args, path)),
            "{args:?} {path}"
        );
    }
    let said = stage.run(&["volumes", "--json", address]).ended_with(0);
    assert_eq!(said.out.lines().map(check).count(), 9);
    stage
        .run(&["cp", &format!("{address}:/etc/"), "there"])
        .ended_with(0);
    stage.run(&["cp", "web01.img:/etc/", "here"]).ended_with(0);
    stage
        .shell("diff -r --no-dereference here there && rm -r here there")
        .ended_with(0);
}

#[test]
fn an_image_behind_http() {
    let stage = Stage::new();
    let folder = stage.path("www");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(image_path("web01"), folder.join("web01.img")).unwrap();
    let Some(server) = nginx(&folder, "") else {
        return;
    };
    let url = format!("{}/web01.img", server.url());
    assert_same(&stage, &url);
    if require(&["qemu-img"]) {
        let convert = "qemu-img create -q -f qcow2 www/vm.img 64M";
        stage.shell(convert).ended_with(0);
        let said = stage.run(&["volumes", &format!("{}/vm.img", server.url())]);
        println!("{said:?}");
        assert_eq!(said.code, 7, "{}", said.err);
    }
    let missing = format!("{}/nothing.img", server.url());
    stage
        .run(&["volumes", &missing])
        .ended_with(10)
        .told(&["nothing.img", "hint: "]);
    let nobody = format!("http://{}/web01.img", free_address());
    let said = stage.run(&["volumes", &nobody]);
    println!("{said:?}");
    assert_eq!(said.code, 5, "{}", said.err);
    assert!(said.err.contains("hint: "), "{}", said.err);
    let said = stage.run(&["volumes", "http://example.com/web01.img"]);
    println!("{said:?}");
    assert_eq!(said.code, 2, "{}", said.err);
    let said = stage.run(&["points", &url]).ended_with(7);
    said.told(&["it has no points in time"]);
    let said = stage.run(&["cat", &format!("{url}@yesterday:/etc/hostname")]);
    println!("{said:?}");
    assert_ne!(said.code, 0);
}

#[test]
fn an_image_that_changes_meanwhile_is_refused() {
    let stage = Stage::new();
    let folder = stage.path("www");
    std::fs::create_dir(&folder).unwrap();
    let image = folder.join("image");
    // Larger than what is read ahead.
    let grow = |path: &Path| {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(1 << 30).unwrap();
    };
    std::fs::copy(image_path("web01"), &image).unwrap();
    grow(&image);
    // A server tells two versions of one second and one size apart by nothing.
    stage.shell("touch -d 2026-11-01 www/image").ended_with(0);
    let Some(server) = nginx(&folder, "") else {
        return;
    };
    let url = format!("{}/image::raw", server.url());
    // It is opened, and read up to where the pipe is full.
    let mut command = stage.flr(&["cat", &url]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(&mut out, &mut first).unwrap();
    let other = folder.join("other");
    std::fs::write(&other, vec![7; 64 << 20]).unwrap();
    grow(&other);
    std::fs::rename(other, &image).unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut out, &mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    println!("{} {err}", rest.len());
    assert_ne!(output.status.code(), Some(0), "{err}");
    assert!(err.contains("changed"), "{err}");
    assert!(
        !rest
            .windows(4096)
            .step_by(4096)
            .any(|piece| piece.iter().all(|byte| *byte == 7))
    );
}

#[test]
fn an_object_of_s3() {
    let stage = Stage::new();
    let Some(server) = moto() else { return };
    let script = "import boto3, sys\n\
                  s3 = boto3.client('s3', endpoint_url=sys.argv[1])\n\
                  s3.create_bucket(Bucket='images')\n\
                  s3.put_object(Bucket='images', Key='a/web01.img', Body=open(sys.argv[2], 'rb'))\n";
    let image = image_path("web01").display().to_string();
    if python_with(script, &[&server.url(), &image], &[]).is_none() {
        return;
    }
    let endpoint = server.url();
    stage.configure(&format!(
        "[source.pics]\ntype = \"s3\"\nbucket = \"images/a\"\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\n"
    ));
    let said = stage.run(&["source", "ls"]).ended_with(0);
    assert!(said.out.contains("pics"), "{}", said.out);
    for address in ["s3://images/a/web01.img", "s3:images/a/web01.img"] {
        let args = [
            "cat",
            "--endpoint-url",
            &endpoint,
            &format!("{address}:/etc/hostname"),
        ];
        assert_eq!(stage.run(&args).ended_with(0).out, "web01\n", "{address}");
    }
    assert_same(&stage, "pics:web01.img");
    let said = stage.run(&["volumes", "pics:nothing.img"]).ended_with(10);
    said.told(&["nothing.img", "hint: "]);
    let said = stage.run(&[
        "volumes",
        "--endpoint-url",
        &endpoint,
        "s3://nobody/nothing.img",
    ]);
    println!("{said:?}");
    said.ended_with(10);
}

/// Starts a server of NBD and waits for its socket.
fn nbd(stage: &Stage, program: &str, args: &[&str]) -> Running {
    let socket = stage.path("nbd.sock");
    let _ = std::fs::remove_file(&socket);
    let mut command = Command::new(program);
    command.args(args).current_dir(stage.path("."));
    let running = Running::of(command.stdin(Stdio::null()));
    until("the server listens", || {
        UnixStream::connect(&socket).is_ok()
    });
    running
}

#[test]
fn an_export_of_nbd() {
    if !require(&["qemu-nbd", "nbdkit", "qemu-img"]) {
        return;
    }
    let stage = Stage::new();
    let path = stage.path("nbd.sock").display().to_string();
    let (socket, uri) = (
        format!("--socket={path}"),
        format!("nbd+unix:///?socket={path}"),
    );
    let qemu = ["--read-only", "--persistent", "--shared=8", &socket];
    let server = nbd(
        &stage,
        "qemu-nbd",
        &[&qemu[..], &["-f", "raw", "web01.img"]].concat(),
    );
    assert_same(&stage, &uri);
    drop(server);
    // What qemu reads out of its own format.
    stage
        .shell("qemu-img convert -O qcow2 web01.img disk.qcow2")
        .ended_with(0);
    let server = nbd(
        &stage,
        "qemu-nbd",
        &[&qemu[..], &["-f", "qcow2", "disk.qcow2"]].concat(),
    );
    assert_same(&stage, &uri);
    drop(server);
    // Several exports.
    let image = image_path("web01");
    let folder = format!("dir={}", image.parent().unwrap().display());
    let args = [
        "--foreground",
        "--readonly",
        "--unix",
        &path,
        "file",
        &folder,
    ];
    let server = nbd(&stage, "nbdkit", &args);
    let uri = |export: &str| format!("nbd+unix:///{export}?socket={path}");
    let said = stage.run(&["cat", &format!("{}:/etc/hostname", uri("web01.img"))]);
    assert_eq!(said.ended_with(0).out, "web01\n");
    let said = stage.run(&["volumes", &uri("nothing")]).ended_with(10);
    said.told(&["nothing", "hint: "]);
    drop(server);
    let said = stage.run(&["volumes", &uri("web01.img")]);
    println!("{said:?}");
    assert_ne!(said.code, 0);
    // Over TCP.
    let address = free_address();
    let port = format!("--port={}", address.port());
    let mut command = Command::new("nbdkit");
    command.args([
        "--foreground",
        "--readonly",
        "--ipaddr=127.0.0.1",
        &port,
        "file",
    ]);
    let _server = Running::of(command.arg(image).stdin(Stdio::null()));
    until("the server listens", || {
        std::net::TcpStream::connect(address).is_ok()
    });
    assert_same(&stage, &format!("nbd://{address}/"));
}

#[test]
fn what_is_said_of_urls() {
    let stage = Stage::new();
    transcript("urls", &stage);
}
