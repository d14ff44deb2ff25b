//! Flags of Helm's that every Helm command has: those that change nothing where a chart is only
//! rendered, and those about the way to a cluster, which belongs into a kubeconfig.

use super::exit::Failure;

/// Flags that do not change what is printed, and some that cannot be taken.
#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct HelmFlags {
    #[arg(long, hide = true)]
    create_namespace: bool,
    #[arg(long, hide = true)]
    disable_openapi_validation: bool,
    #[arg(long, hide = true)]
    replace: bool,
    #[arg(long, hide = true)]
    hide_notes: bool,
    #[arg(long, hide = true)]
    render_subchart_notes: bool,
    #[arg(long, hide = true)]
    wait_for_jobs: bool,
    #[arg(long, hide = true)]
    atomic: bool,
    #[arg(long, hide = true)]
    rollback_on_failure: bool,
    #[arg(long, hide = true)]
    force: bool,
    #[arg(long, hide = true)]
    force_replace: bool,
    #[arg(long, hide = true)]
    force_conflicts: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_parser = ["true", "false", "auto"])]
    server_side: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "watcher", value_parser = ["watcher", "hookOnly", "legacy", "true", "false"])]
    wait: Option<String>,
    #[arg(long, hide = true)]
    timeout: Option<String>,
    #[arg(long, hide = true)]
    description: Option<String>,
    #[arg(long, short = 'l', hide = true)]
    labels: Vec<String>,
    #[arg(long, hide = true)]
    qps: Option<f32>,
    #[arg(long, hide = true)]
    burst_limit: Option<i64>,
    #[arg(long, hide = true)]
    content_cache: Option<String>,
    #[arg(long, hide = true)]
    repository_cache: Option<String>,
    #[arg(long, hide = true)]
    keyring: Option<String>,
    #[arg(long, hide = true)]
    verify: bool,
    #[arg(long, hide = true)]
    kube_apiserver: Option<String>,
    #[arg(long, hide = true)]
    kube_as_group: Vec<String>,
    #[arg(long, hide = true)]
    kube_as_user: Option<String>,
    #[arg(long, hide = true)]
    kube_ca_file: Option<String>,
    #[arg(long, hide = true)]
    kube_insecure_skip_tls_verify: bool,
    #[arg(long, hide = true)]
    kube_tls_server_name: Option<String>,
    #[arg(long, hide = true)]
    kube_token: Option<String>,
}

impl HelmFlags {
    /// Refuses what would be passed over.
    ///
    /// # Errors
    /// When one of these flags is given.
    pub fn check(&self) -> Result<(), Failure> {
        if self.verify {
            let message = "--verify is not taken: signatures of `helm package --sign` are not read; \
                           `helm verify` does that";
            return Err(Failure::Usage(message.to_owned()));
        }
        let kube = [
            ("--kube-apiserver", self.kube_apiserver.is_some()),
            ("--kube-as-group", !self.kube_as_group.is_empty()),
            ("--kube-as-user", self.kube_as_user.is_some()),
            ("--kube-ca-file", self.kube_ca_file.is_some()),
            ("--kube-insecure-skip-tls-verify", self.kube_insecure_skip_tls_verify),
            ("--kube-tls-server-name", self.kube_tls_server_name.is_some()),
            ("--kube-token", self.kube_token.is_some()),
        ];
        match kube.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Failure::Usage(format!(
                "{flag} is not taken: write it into a context of the kubeconfig and name that with \
                 --kube-context"
            ))),
            None => Ok(()),
        }
    }
}
