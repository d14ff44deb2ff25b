//! Encryption at rest: AES-256-GCM with a key that lies beside the database, readable by its owner
//! alone. A copy or backup of the database without the key file gives nothing away.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

const KEY_LENGTH: usize = 32;

/// Why the key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error("the key file {0} is missing, without which secrets cannot be decrypted")]
    Missing(String),
    #[error("the key file {0} does not hold {KEY_LENGTH} bytes")]
    Length(String),
    #[error("the key file {path} cannot be read or written")]
    Io { path: String, source: io::Error },
}

/// Encrypts and decrypts bodies.
pub(super) struct Sealer(RandomizedNonceKey);

impl Sealer {
    /// Reads the key, or makes one when there is none and nothing was encrypted yet.
    pub(super) fn open(path: &Path, database_exists: bool) -> Result<Sealer, SealError> {
        let name = || path.display().to_string();
        let io = |source| SealError::Io { path: name(), source };
        match fs::read(path) {
            Ok(key) if key.len() == KEY_LENGTH => {
                let owner_only = fs::Permissions::from_mode(0o600);
                fs::set_permissions(path, owner_only).map_err(io)?;
                Ok(Sealer::of(&key))
            }
            Ok(_) => Err(SealError::Length(name())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if database_exists {
                    return Err(SealError::Missing(name()));
                }
                let key = random_key();
                create(path, &key).map_err(io)?;
                Ok(Sealer::of(&key))
            }
            Err(error) => Err(io(error)),
        }
    }

    /// A key that is forgotten with the process.
    pub(super) fn random() -> Sealer {
        Sealer::of(&random_key())
    }

    fn of(key: &[u8]) -> Sealer {
        Sealer(RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has the right length"))
    }

    /// Nonce, ciphertext and tag.
    pub(super) fn seal_body(&self, context: &str, mut body: Vec<u8>) -> Vec<u8> {
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context), &mut body)
            .expect("a body is shorter than 64 GB");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&body);
        sealed
    }

    /// The body, when key, context and ciphertext belong together.
    pub(super) fn open_body(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(context), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

fn random_key() -> [u8; KEY_LENGTH] {
    let mut key = [0; KEY_LENGTH];
    aws_lc_rs::rand::fill(&mut key).expect("the system gives random bytes");
    key
}

/// Writes the key under another name first: a key file is whole or not there.
fn create(path: &Path, key: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let part = path.with_extension("key.part");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(key)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    fs::File::open(folder)?.sync_all()
}
