//! The agent's own certificate authority: made at first start, it signs the server's certificate
//! and that of the administrator. The authority's key is kept; the others are new at each start.

use crate::agent::token::Tokens;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The name of the authority.
const AUTHORITY: &str = "wharf-ca";

/// The user and the group of the administrator's certificate; the group is Kubernetes' own for
/// those who may do everything.
const ADMIN: (&str, &str) = ("wharf-admin", "system:masters");

/// Names under which clients inside pods know the API.
const NAMES: &[&str] = &[
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    "::1",
];

/// Why certificates cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PkiError {
    #[error("cannot use {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair { .. }")
    }
}

/// What the server and the administrator need.
#[derive(Debug)]
pub(crate) struct Pki {
    /// The authority's certificate, as PEM.
    pub(crate) authority: String,
    pub(crate) server: Pair,
    pub(crate) admin: Pair,
    /// A bearer token of the administrator.
    pub(crate) token: String,
}

/// Opens the authority in a folder, or makes it, and signs what is needed for a server that is
/// known by some names besides those that all have.
pub(crate) fn open(folder: &Path, hosts: &[String]) -> Result<Pki, PkiError> {
    std::fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
    let (key_path, certificate_path) = (folder.join("ca.key"), folder.join("ca.crt"));
    let key = match read(&key_path)? {
        Some(pem) => KeyPair::from_pem(&pem)?,
        None => {
            let key = KeyPair::generate()?;
            write(&key_path, &key.serialize_pem())?;
            key
        }
    };
    let authority = match read(&certificate_path)? {
        Some(pem) => pem,
        None => {
            let pem = authority_params().self_signed(&key)?.pem();
            write(&certificate_path, &pem)?;
            pem
        }
    };
    let issuer = Issuer::new(authority_params(), key);
    let token_path = folder.join("admin.token");
    let token = match read(&token_path)? {
        Some(token) => token.trim().to_owned(),
        None => {
            let token = new_token();
            write(&token_path, &token)?;
            token
        }
    };
    Ok(Pki { authority, server: server(&issuer, hosts)?, admin: admin(&issuer)?, token })
}

/// Opens the key in a folder that signs tokens of ServiceAccounts, or makes it.
pub(crate) fn tokens(folder: &Path) -> Result<Tokens, PkiError> {
    std::fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
    let path = folder.join("tokens.key");
    let key = match read(&path)? {
        Some(key) => key,
        None => {
            let key = Tokens::new_key();
            write(&path, &key)?;
            key
        }
    };
    Tokens::new(&key).ok_or_else(|| {
        io_error(&path, io::Error::new(io::ErrorKind::InvalidData, "it holds no key"))
    })
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(AUTHORITY, None);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn server(issuer: &Issuer<'_, KeyPair>, hosts: &[String]) -> Result<Pair, PkiError> {
    let mut names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for name in hosts.iter().cloned().chain([own]) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = name("wharf-agent", None);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    sign(&params, issuer)
}

fn admin(issuer: &Issuer<'_, KeyPair>) -> Result<Pair, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(ADMIN.0, Some(ADMIN.1));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    sign(&params, issuer)
}

fn sign(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<Pair, PkiError> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    Ok(Pair { certificate, key: key.serialize_pem() })
}

fn name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common);
    name
}

fn new_token() -> String {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read(path: &Path) -> Result<Option<String>, PkiError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(path, source)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), PkiError> {
    write_private(path, text.as_bytes()).map_err(|source| io_error(path, source))
}

/// Writes a file that only its owner can read; it is whole or as it was.
pub(super) fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let part = path.with_extension(format!("wharf-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

fn io_error(path: &Path, source: io::Error) -> PkiError {
    PkiError::Io { path: path.to_owned(), source }
}
