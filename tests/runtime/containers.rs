//! Containers: what they see, what they may do, how they end.

use super::support::on_a_host;

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
