//! What kustomizations name on other machines, fetched and pinned.
//!
//! What the lock names is taken from the cache when it is there, and must be what it was before;
//! all else is fetched, and pinned from then on. One build fetches each address once.

use super::cache::Cache;
use super::git;
use super::http::{HttpError, Web};
use super::oci;
use crate::base::archive;
use crate::base::digest::Digest;
use crate::base::tree::{FileTree, Limits};
use crate::oci::{Client, Keyring, Options, Progress, Reference, reference};
use crate::package::kustomization::{ChartAddress, Remote, RemoteError, Repository};
use crate::package::lock::{FILE_NAME, Lock};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::future::Future;
use std::path::PathBuf;

/// Fetches files, repositories and charts.
#[derive(Debug)]
pub struct Fetcher {
    lock: RefCell<Lock>,
    blobs: Cache,
    repositories: PathBuf,
    /// The folders of repositories that this build has fetched.
    fetched: RefCell<HashMap<String, String>>,
}

impl Fetcher {
    /// Fetches into the user's cache, what the lock names as it names it.
    #[must_use]
    pub fn new(lock: Lock) -> Fetcher {
        Fetcher::at(lock, Cache::user(), git::user_cache())
    }

    /// Fetches into caches of one's own.
    #[must_use]
    pub fn at(lock: Lock, blobs: Cache, repositories: PathBuf) -> Fetcher {
        let fetched = RefCell::default();
        Fetcher { lock: RefCell::new(lock), blobs, repositories, fetched }
    }

    /// What was fetched, and what the lock named before.
    #[must_use]
    pub fn lock(&self) -> Lock {
        self.lock.borrow().clone()
    }

    /// The bytes behind an address: those of the cache when they are pinned.
    fn pinned<F, E>(
        &self,
        address: &str,
        fetch: impl FnOnce() -> F,
        failed: impl FnOnce(E) -> RemoteError,
    ) -> Result<Bytes, RemoteError>
    where
        F: Future<Output = Result<Bytes, E>>,
    {
        let pin = self.lock.borrow().get(address).map(str::to_owned);
        let digest = pin.as_deref().and_then(|pin| Digest::parse(pin).ok());
        if let Some(bytes) = digest.as_ref().and_then(|digest| self.blobs.get(digest)) {
            return Ok(bytes);
        }
        let bytes = waited(fetch())?.map_err(failed)?;
        let found = Digest::of(&bytes).to_string();
        match pin {
            Some(pin) if pin != found => {
                return Err(RemoteError::Failed(format!(
                    "{address} is {found}, and `{FILE_NAME}` says {pin}; remove its line to take \
                     what is there now"
                )));
            }
            Some(_) => {}
            None => self.lock.borrow_mut().pin(address, &found),
        }
        self.blobs.put(&bytes);
        Ok(bytes)
    }
}

impl Remote for Fetcher {
    fn file(&self, address: &str) -> Result<Bytes, RemoteError> {
        self.pinned(
            address,
            || async { Web::default().get(address).await },
            |error| match error {
                HttpError::Answer { .. } if Repository::parse(address).is_ok() => {
                    RemoteError::Failed("URL is a git repository".to_owned())
                }
                HttpError::Answer { url, status } => RemoteError::Answer { url, status },
                error => RemoteError::Failed(with_cause(&error)),
            },
        )
    }

    fn repository(&self, repository: &Repository) -> Result<String, RemoteError> {
        if let Some(folder) = self.fetched.borrow().get(&repository.raw) {
            return Ok(folder.clone());
        }
        let pin = self.lock.borrow().get(&repository.raw).map(str::to_owned);
        let address = repository.clone_address();
        let request = git::Request {
            address: &address,
            reference: &repository.reference,
            commit: pin.as_deref(),
            timeout: repository.timeout,
            submodules: repository.submodules,
        };
        let checkout = git::fetch(&request, &self.repositories)
            .map_err(|error| RemoteError::Failed(error.to_string()))?;
        let Some(folder) = checkout.folder.to_str() else {
            return Err(RemoteError::Failed("the cache's path is no UTF-8 text".to_owned()));
        };
        self.lock.borrow_mut().pin(&repository.raw, &checkout.commit);
        self.fetched.borrow_mut().insert(repository.raw.clone(), folder.to_owned());
        Ok(folder.to_owned())
    }

    fn chart(&self, wanted: &ChartAddress<'_>) -> Result<FileTree, RemoteError> {
        let ChartAddress { repository, name, version, devel } = *wanted;
        let address = format!("{}/{name}", repository.trim_end_matches('/'));
        let key = if version.is_empty() { address.clone() } else { format!("{address}:{version}") };
        let failed = |error: &dyn Error| RemoteError::Failed(with_cause(error));
        let bytes = if repository.starts_with("oci://") {
            let reference = match version {
                "" => Reference::oci(&address),
                version => {
                    Reference::oci(&format!("{address}:{}", reference::version_tag(version)))
                }
            };
            let reference = reference.map_err(|error| failed(&error))?;
            let client = Client::new(Options { keyring: Keyring::docker(), ..Options::default() });
            let pull = || async {
                let pulled = oci::pull(&client, &reference, &self.blobs, &Progress::none()).await;
                pulled.map(|pulled| pulled.archive)
            };
            self.pinned(&key, pull, |error| failed(&error))?
        } else {
            let range = if version.is_empty() && devel { ">0.0.0-0" } else { version };
            let fetch = || async {
                Web::default().chart(repository, name, range).await.map(|(_, archive)| archive)
            };
            self.pinned(&key, fetch, |error| failed(&error))?
        };
        let unpacked = archive::unpack(&bytes, name, &Limits::default());
        unpacked.map(|(_, tree)| tree).map_err(|error| failed(&error))
    }
}

/// What an error says, and what its causes say.
fn with_cause(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    if text.contains("UnknownIssuer") {
        text.push_str("; name the authority that signed its certificate with `SSL_CERT_FILE=FILE`");
    }
    text
}

/// Waits for the network.
fn waited<T>(future: impl Future<Output = T>) -> Result<T, RemoteError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| RemoteError::Failed(error.to_string()))?;
    Ok(runtime.block_on(future))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A web server that answers two requests: with a file, and with another one.
    fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/a.yaml", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for body in ["first", "second"] {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let _ = stream.read(&mut [0; 4096]);
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        });
        address
    }

    #[test]
    fn a_file_stays_what_it_was_when_it_was_pinned() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = |name: &str| Cache::at(folder.path().join(name));
        let address = server();
        let first = Fetcher::at(Lock::default(), cache("a"), folder.path().join("git"));
        assert_eq!(first.file(&address).expect("the file"), "first");
        let lock = first.lock();
        assert_eq!(lock.get(&address), Some(Digest::of(b"first").to_string().as_str()));
        let again = Fetcher::at(lock.clone(), cache("a"), folder.path().join("git"));
        assert_eq!(again.file(&address).expect("the cache"), "first");
        let other = Fetcher::at(lock, cache("b"), folder.path().join("git"));
        let changed = other.file(&address).expect_err("another file").to_string();
        assert!(changed.contains("remove its line to take what is there now"), "{changed}");
    }
}
