//! Containers: what they see, what they may do, how they end.

use super::support::{Host, on_a_host, one_tree};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wharf::agent::runtime::{
    ContainerSpec, ContainerState, Mount, Propagation, Root, Seccomp, Source,
};

#[test]
fn a_program_runs_and_its_exit_code_and_output_are_kept() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let spec = host.script("pod", "hello", "echo hello; echo trouble >&2; exit 3");
        let (status, output) = host.run(&spec).await;
        assert_eq!(status.code, 3);
        assert_eq!(status.signal, None);
        assert!(!status.oom && status.finished >= status.started);
        assert!(output.contains("hello\n") && output.contains("trouble\n"), "{output}");
    });
}

/// Runs a script in a container that `change` has changed, and compares all of its output.
fn check(script: &'static str, change: impl FnOnce(&mut ContainerSpec) + 'static, expected: &str) {
    let expected = expected.to_owned();
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let mut spec = host.script("pod", "c", script);
        change(&mut spec);
        let (_, output) = host.run(&spec).await;
        assert_eq!(output.trim_end(), expected, "{script}");
    });
}

#[test]
fn users_groups_and_the_environment() {
    check(
        "id; pwd; echo $HOME $PATH",
        |_| {},
        "uid=0(root) gid=0(root) groups=0(root)\n/\n/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    );
    check(
        "id; pwd; echo $HOME $A $HOSTNAME; hostname; cat /proc/self/cwd/x 2>/dev/null",
        |spec| {
            spec.user.name = "app".to_owned();
            spec.user.groups = vec![4242];
            spec.cwd = "/made/for/it".to_owned();
            spec.env = vec![("A".to_owned(), "1".to_owned()), ("A".to_owned(), "2".to_owned())];
        },
        "uid=1000(app) gid=1001(app) groups=1001(app),1002(extra),4242\n/made/for/it\n/home 2 pod\npod",
    );
    check(
        "id -u; id -g; id -G",
        |spec| {
            spec.user.name = "app".to_owned();
            spec.user.uid = Some(77);
            spec.user.gid = Some(88);
        },
        "77\n88\n88",
    );
}

#[test]
fn capabilities_are_those_asked_for() {
    const SHOW: &str = "grep -E 'Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp:' /proc/self/status";
    let lines = |set: &str, privileges: u8, seccomp: u8| {
        format!(
            "CapPrm:\t{set}\nCapEff:\t{set}\nCapBnd:\t{set}\nCapAmb:\t0000000000000000\n\
             NoNewPrivs:\t{privileges}\nSeccomp:\t{seccomp}"
        )
    };
    let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    // without lists of devices nobody may make a device
    let usual = if one_tree() { "00000000a00425fb" } else { "00000000a80425fb" };
    check(SHOW, |_| {}, &lines(usual, 0, 2));
    let (add, drop) = (own(&["NET_ADMIN"]), own(&["ALL"]));
    check(
        SHOW,
        move |spec| {
            spec.security.add_capabilities = add;
            spec.security.drop_capabilities = drop;
            spec.security.no_new_privileges = true;
        },
        &lines("0000000000001000", 1, 2),
    );
    // a user other than root starts with none, and may gain those of the bounding set
    check(
        "grep -E 'Cap(Eff|Bnd)' /proc/self/status",
        |spec| {
            spec.user.uid = Some(1000);
            spec.security.seccomp = Seccomp::Unconfined;
        },
        &format!("CapEff:\t0000000000000000\nCapBnd:\t{usual}"),
    );
}

#[test]
fn the_default_filter_refuses_what_reaches_the_host() {
    check(
        "unshare -m true 2>&1; mount -t tmpfs x /tmp 2>&1; unshare -U true 2>&1; echo end",
        |_| {},
        "unshare: unshare(0x20000): Operation not permitted\n\
         mount: permission denied (are you root?)\n\
         unshare: unshare(0x10000000): Operation not permitted\nend",
    );
    let add = vec!["SYS_ADMIN".to_owned()];
    check(
        "unshare -m true && mount -t tmpfs x /tmp && echo fine",
        |spec| spec.security.add_capabilities = add,
        "fine",
    );
}

#[test]
fn what_tells_about_the_host_is_hidden() {
    check(
        "for f in kcore keys timer_list; do cat /proc/$f 2>/dev/null | wc -c; done; ls /sys/firmware | wc -l; \
         echo 1 2>&1 >/proc/sys/kernel/panic | head -1; \
         touch /sys/x 2>&1; ls -A /proc/scsi 2>/dev/null | wc -l",
        |_| {},
        "0\n0\n0\n0\n/bin/sh: can't create /proc/sys/kernel/panic: Read-only file system\n\
         touch: /sys/x: Read-only file system\n0",
    );
    check(
        "echo $(ls /dev | grep -v core); stat -c %a /dev/shm; [ -w /dev/mqueue ] && echo queues; \
         echo a >/dev/null; head -c 3 /dev/zero | wc -c; echo x 2>&1 >/dev/full",
        |_| {},
        "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\n1777\nqueues\n3\n\
         sh: write error: No space left on device",
    );
}

#[test]
fn a_read_only_root_cannot_be_written_and_memory_beside_it_can() {
    check(
        "touch /x 2>&1; touch /etc/hosts 2>&1; echo a >/scratch/a && cat /scratch/a; \
         echo b >/dev/shm/b && cat /dev/shm/b",
        |spec| {
            spec.security.read_only_root = true;
            spec.mounts.push(mount(Source::Tmpfs(Some(1 << 20)), "/scratch", false));
        },
        "touch: /x: Read-only file system\ntouch: /etc/hosts: Read-only file system\na\nb",
    );
}

fn mount(source: Source, target: &str, read_only: bool) -> Mount {
    Mount { source, target: PathBuf::from(target), read_only, propagation: Propagation::None }
}

#[test]
fn files_and_folders_of_the_host_are_mounted_and_nothing_leads_out() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let outside = host.folder.join("outside");
        fs::create_dir_all(&outside).expect("a folder");
        fs::write(outside.join("file"), "text\n").expect("a file");
        fs::write(host.folder.join("message"), "").expect("a file");
        // the image has a link that leads to the host's folder if it is followed there
        std::os::unix::fs::symlink(&outside, host.folder.join("layer/link")).expect("a link");
        std::os::unix::fs::symlink("../../../../../../tmp", host.folder.join("layer/up"))
            .expect("a link");
        let mut spec = host.script(
            "pod",
            "c",
            "cat /data/file; touch /data/new 2>&1; echo done >/dev/termination-log; \
             ls /link/made /up/made",
        );
        let bind = |name: &str| Source::Bind(host.folder.join(name));
        spec.mounts = vec![
            mount(bind("outside"), "/data", true),
            mount(bind("outside"), "/link/made", false),
            mount(bind("outside"), "/up/made", false),
            mount(bind("message"), "/dev/termination-log", false),
        ];
        let (_, output) = host.run(&spec).await;
        assert_eq!(
            output,
            "text\ntouch: /data/new: Read-only file system\n/link/made:\nfile\n\n/up/made:\nfile\n"
        );
        assert!(!outside.join("made").exists(), "the mount point was made on the host");
        assert!(!PathBuf::from("/tmp/made").exists(), "the mount point was made on the host");
        assert_eq!(fs::read_to_string(host.folder.join("message")).expect("it"), "done\n");
    });
}

#[test]
fn mounts_travel_as_asked() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let shared = host.folder.join("shared");
        fs::create_dir_all(shared.join("later")).expect("a folder");
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount_bind(&shared, &shared).expect("a mount");
        rustix::mount::mount_change(&shared, rustix::mount::MountPropagationFlags::SHARED)
            .expect("a shared mount");
        for (id, propagation) in [
            ("none", Propagation::None),
            ("slave", Propagation::HostToContainer),
            ("both", Propagation::Bidirectional),
        ] {
            let mut spec = host.script(
                "pod",
                id,
                "while ! [ -e /go/now ]; do sleep 0.02; done; ls /shared/later; \
                 mkdir -p /shared/own && mount -t tmpfs own /shared/own; touch /shared/own/mark",
            );
            spec.security.privileged = true;
            fs::create_dir_all(host.folder.join("go")).expect("a folder");
            let at = |name: &str, target: &str, propagation| Mount {
                source: Source::Bind(host.folder.join(name)),
                target: target.into(),
                read_only: false,
                propagation,
            };
            spec.mounts =
                vec![at("shared", "/shared", propagation), at("go", "/go", Propagation::None)];
            host.start(&spec).await;
        }
        let later = shared.join("later");
        rustix::mount::mount("later", &later, "tmpfs", flags, None).expect("a mount");
        fs::write(later.join("seen"), "").expect("a file");
        fs::write(host.folder.join("go/now"), "").expect("a file");
        for id in ["none", "slave", "both"] {
            host.runtime.wait(id).await.expect("it ends");
        }
        let outputs = ["none", "slave", "both"].map(|id| host.output(id));
        let marked = shared.join("own/mark").exists();
        let table = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        let own = table.matches("/shared/own ").count();
        for path in [shared.join("own"), later, shared.clone()] {
            for _ in 0..3 {
                let _ = rustix::mount::unmount(&path, rustix::mount::UnmountFlags::DETACH);
            }
        }
        assert_eq!(outputs, ["", "seen\n", "seen\n"]);
        assert!(marked && own == 1, "a mount of the container reaches the host once: {own}");
    });
}

/// Makes a container that cannot be started.
type Change = dyn Fn(&mut ContainerSpec);

#[test]
fn faults_of_a_start_are_told() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let attempts: [(&str, &Change, &str); 7] = [
            (
                "absent",
                &|spec| spec.args = vec!["nothere".to_owned()],
                "executable `nothere` is not in $PATH \
                 (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)",
            ),
            (
                "path",
                &|spec| spec.args = vec!["/bin/nothere".to_owned()],
                "cannot execute `/bin/nothere`: No such file or directory (os error 2)",
            ),
            (
                "none",
                &|spec| spec.args.clear(),
                "no command is given: neither the container nor the image names one",
            ),
            (
                "user",
                &|spec| spec.user.name = "ghost".to_owned(),
                "user `ghost` is not in the image's /etc/passwd",
            ),
            (
                "root",
                &|spec| spec.user.not_root = true,
                "the image would run as root, which `runAsNonRoot` forbids",
            ),
            (
                "capability",
                &|spec| spec.security.add_capabilities = vec!["FLY".to_owned()],
                "unknown capabilities: FLY",
            ),
            (
                "text",
                &|spec| spec.args = vec!["/etc/passwd".to_owned()],
                "cannot execute `/etc/passwd`: Permission denied (os error 13)",
            ),
        ];
        for (id, change, reason) in attempts {
            let mut spec = host.script("pod", id, "true");
            change(&mut spec);
            let fault = host.runtime.start_container(&spec).await.expect_err(id);
            assert_eq!(fault.to_string(), format!("cannot start container `{id}`: {reason}"));
            assert_eq!(host.runtime.status(id), None, "nothing stays of {id}");
        }
        let mut spec = host.script("pod", "mount", "true");
        spec.mounts.push(mount(Source::Bind("/does/not/exist".into()), "/data", false));
        let fault = host.runtime.start_container(&spec).await.expect_err("no source");
        assert!(fault.to_string().contains("/does/not/exist"), "{fault}");
    });
}

#[test]
fn a_container_stops_when_asked_and_is_killed_when_it_does_not() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let ready = "echo ready; while :; do sleep 0.05; done";
        host.start(&host.script("pod", "polite", &format!("trap 'exit 7' TERM; {ready}"))).await;
        host.start(&host.script("pod", "usr1", &format!("trap 'exit 9' USR1; {ready}"))).await;
        host.start(&host.script("pod", "stubborn", &format!("trap '' TERM; {ready}"))).await;
        for id in ["polite", "usr1", "stubborn"] {
            host.says(id, "ready").await;
        }
        let stop = async |id: &str, signal, grace| {
            let begin = Instant::now();
            host.runtime.stop_container(id, signal, grace).await.expect("it stops");
            let Some(ContainerState::Exited(status)) = host.runtime.status(id) else {
                panic!("{id} has not ended")
            };
            (status.code, status.signal, begin.elapsed())
        };
        let minute = Duration::from_secs(60);
        assert!(matches!(stop("polite", None, minute).await, (7, None, _)));
        assert!(matches!(stop("usr1", Some("SIGUSR1"), minute).await, (9, None, _)));
        let (code, signal, time) = stop("stubborn", None, Duration::from_millis(300)).await;
        assert_eq!((code, signal), (137, Some(9)));
        assert!(time >= Duration::from_millis(300) && time < Duration::from_secs(5), "{time:?}");
    });
}

#[test]
fn a_container_that_takes_too_much_memory_is_told_from_others() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let mut spec = host.script("pod", "c", "exec dd if=/dev/zero of=/dev/null bs=200M");
        spec.resources.memory_limit = Some(32 << 20);
        let (status, _) = host.run(&spec).await;
        assert_eq!((status.code, status.oom), (137, true));
    });
}

#[test]
fn a_fork_bomb_hits_its_limit_and_goes() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let mut spec = host.script("pod", "bomb", "b() { b | b & }; b; while :; do b; done");
        spec.resources.pids_limit = Some(64);
        host.start(&spec).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // others are not hindered
        let (status, _) = host.run(&host.script("pod", "other", "exit 5")).await;
        assert_eq!(status.code, 5);
        if let Ok(usage) = host.runtime.stats("bomb") {
            assert!(usage.pids <= 64, "{usage:?}");
        }
        host.runtime.stop_container("bomb", None, Duration::ZERO).await.expect("it goes");
        host.runtime.remove_container("bomb").await.expect("nothing of it stays");
    });
}

#[test]
fn kernel_settings_of_the_pod_are_set() {
    on_a_host(|host| async move {
        let mut spec = host.pod("pod");
        spec.sysctls.insert("net.ipv4.ip_local_port_range".to_owned(), "20000 20100".to_owned());
        spec.sysctls.insert("kernel.shm_rmid_forced".to_owned(), "1".to_owned());
        host.runtime.create_sandbox(&spec).await.expect("a sandbox");
        let script = "cat /proc/sys/net/ipv4/ip_local_port_range \
             /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_unprivileged_port_start";
        let (_, output) = host.run(&host.script("pod", "c", script)).await;
        assert_eq!(output, "20000\t20100\n1\n0\n");
        let mut spec = host.pod("wrong");
        spec.sysctls.insert("net.ipv4.nothing".to_owned(), "1".to_owned());
        let fault = host.runtime.create_sandbox(&spec).await.expect_err("no such setting");
        assert_eq!(fault.to_string(), "network: cannot set net.ipv4.nothing to 1");
    });
}

#[test]
fn a_broken_pipe_and_signals_are_as_in_any_shell() {
    check(
        "yes | head -1; echo $?; kill -l | head -1 >/dev/null; ulimit -n | wc -l",
        |_| {},
        "y\n0\n1",
    );
    check("sh -c 'kill -KILL $$' 2>/dev/null; echo $?", |_| {}, "137");
}

#[test]
fn a_folder_can_be_the_root() {
    on_a_host(|host| async move {
        host.sandbox("pod").await;
        let mut spec = host.script("pod", "c", "echo here >/written");
        spec.root = Root::Folder(host.folder.join("layer"));
        host.run(&spec).await;
        let text = fs::read_to_string(host.folder.join("layer/written")).expect("it was written");
        assert_eq!(text, "here\n");
    });
}

#[test]
fn the_host_s_network_and_processes_can_be_shared() {
    on_a_host(|host| async move {
        let mut spec = host.pod("pod");
        spec.host_network = true;
        let sandbox = host.runtime.create_sandbox(&spec).await.expect("a sandbox");
        assert_eq!((sandbox.ip, sandbox.netns()), (None, None));
        let mut spec =
            host.script("pod", "c", "readlink /proc/self/ns/net; cat /proc/1/comm; exit 4");
        spec.host_pid = true;
        let (status, output) = host.run(&spec).await;
        let own = fs::read_link("/proc/self/ns/net").expect("a namespace");
        let init = fs::read_to_string("/proc/1/comm").expect("a name");
        assert_eq!(output, format!("{}\n{init}", own.display()));
        assert_eq!(status.code, 4);
    });
}

/// Names two attempts of one container.
#[test]
fn an_identifier_is_used_once() {
    on_a_host(|host: Host| async move {
        host.sandbox("pod").await;
        let spec = host.script("pod", "c", "sleep 60");
        host.start(&spec).await;
        let fault = host.runtime.start_container(&spec).await.expect_err("it exists");
        assert_eq!(
            fault.to_string(),
            "cannot start container `c`: a container of this identifier exists"
        );
        let spec = host.script("other", "d", "sleep 60");
        let fault = host.runtime.start_container(&spec).await.expect_err("no sandbox");
        assert_eq!(fault.to_string(), "no sandbox `other`");
    });
}
