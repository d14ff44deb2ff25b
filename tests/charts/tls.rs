//! Charts from servers that speak TLS with a certificate of an authority of their own.

use super::repositories::{Registry, Web, repository};
use super::{Folder, Run, run};
use crate::prerequisites::has;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// This machine by an address that is not loopback, to which registries are spoken with plainly.
const HOST: &str = "0.0.0.0";

/// Speaks TLS before a server that does not. Its authority is in `authority.pem`.
fn before(plain: &str, folder: &Folder) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    folder.write("authority.pem", &params.self_signed(&key).expect("an authority").pem());
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new([HOST.to_owned()])
        .and_then(|params| params.signed_by(&own, &issuer))
        .expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a key that fits");
    let listener = std::net::TcpListener::bind((HOST, 0)).expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address").to_string();
    let plain = plain.to_owned();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::from_std(listener).expect("a socket");
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, plain) = (acceptor.clone(), plain.clone());
                tokio::spawn(async move {
                    // who does not trust the authority hangs up
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut behind = TcpStream::connect(plain).await.expect("the server");
                    let _ = copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        });
    });
    address
}

/// Builds a kustomization with the chart of an address, with and without trust in the authority.
fn built(folder: &Folder, address: &str, trusted: bool) -> Run {
    let chart = format!("{{name: web, releaseName: r, version: 1.2.0, repo: '{address}'}}");
    folder.write("shop/kustomization.yaml", &format!("helmCharts:\n- {chart}\n"));
    let args = ["kustomize", "shop", "--enable-helm", "--allow-remote"];
    let mut command = folder.command(env!("CARGO_BIN_EXE_wharf"), &args);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    if trusted {
        command.env("SSL_CERT_FILE", folder.path("authority.pem"));
    }
    run(command)
}

#[test]
fn kustomizations_take_charts_over_tls_from_whom_they_trust() {
    let folder = Folder::new();
    repository(&folder, "web", &["1.2.0"]);
    let web = Web::serve(folder.path("repo"), None);
    let check = |address: &str, told: &str| {
        let refused = built(&folder, address, false);
        refused.fails(1, &["wharf::render::helm_chart", told, "UnknownIssuer", "SSL_CERT_FILE"]);
        assert!(!folder.path("shop/wharf.lock").exists(), "{refused:#?}");
        let run = built(&folder, address, true);
        assert!(run.fine().contains("version: 1.2.0\n"), "{run:#?}");
        let lock = std::fs::read_to_string(folder.path("shop/wharf.lock")).expect("a lock file");
        assert!(lock.contains(address), "{lock}");
        std::fs::remove_file(folder.path("shop/wharf.lock")).expect("it is there");
    };
    let plain = web.address.trim_start_matches("http://");
    let host = before(plain, &folder);
    check(&format!("https://{host}"), &host);
    if has("docker-registry") {
        let registry = Registry::start(&folder);
        folder.wharf(&["push", "repo/charts/web-1.2.0.tgz", &registry.address]).fine();
        let plain = registry.address.trim_start_matches("oci://").trim_end_matches("/charts");
        let host = before(plain, &folder);
        check(&format!("oci://{host}/charts"), &host);
    }
}
