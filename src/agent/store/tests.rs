//! The store's promises: order, atomicity, no lost or doubled change, nothing readable on disk.

use super::{Change, Key, Op, Resource, Store, StoreError};
use crate::yaml::Node;
use serde_json::json;

fn config_map(value: &str) -> Node {
    Node::from(json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": value}}))
}

fn key(name: &str) -> Key {
    Key::new("configmaps", "default", name)
}

fn create(name: &str, value: &str) -> Op {
    Op::Create { key: key(name), object: config_map(value) }
}

fn update(name: &str, value: &str, expect: Option<u64>) -> Op {
    Op::Update { key: key(name), object: config_map(value), expect }
}

fn delete(name: &str) -> Op {
    Op::Delete { key: key(name), expect: None }
}

#[tokio::test]
async fn commits_are_atomic_and_numbered() {
    let store = Store::in_memory().expect("opens");
    let first = store.commit(vec![create("a", "1"), create("b", "1")]).await.expect("commits");
    assert_eq!((first[0].revision, first[1].revision), (2, 3));
    assert_eq!(first[1].object.str_at(&["metadata", "resourceVersion"]), Some("3"));

    let failed = store.commit(vec![update("a", "2", None), create("b", "2")]).await;
    assert!(matches!(failed, Err(StoreError::Exists(_))), "{failed:?}");
    let stored = store.get(&key("a")).expect("is there");
    assert_eq!(stored.object.str_at(&["data", "k"]), Some("1"));
    assert_eq!(store.revision(), 3);

    let stale = store.commit(vec![update("a", "2", Some(1))]).await;
    assert!(matches!(stale, Err(StoreError::Changed { found: 2, .. })), "{stale:?}");
    let same = store.commit(vec![update("a", "1", None)]).await.expect("commits");
    assert_eq!(same[0].revision, 2, "an update that changes nothing keeps the revision");
    assert!(matches!(store.commit(vec![delete("c")]).await, Err(StoreError::Missing(_))));
}

#[tokio::test]
async fn watches_see_every_change_once_and_in_order() {
    let store = Store::in_memory().expect("opens");
    let resource = Resource::new("configmaps");
    let mut watch = store.watch(&resource, Some("default"), store.revision()).expect("watches");
    store.commit(vec![create("a", "1")]).await.expect("commits");
    let other = Op::Create { key: Key::new("configmaps", "x", "a"), object: config_map("1") };
    store.commit(vec![other, update("a", "2", None), delete("a")]).await.expect("commits");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let event = watch.next().await.expect("is in the window");
        seen.push((event.change, event.object.revision));
    }
    assert_eq!(seen, [(Change::Added, 2), (Change::Modified, 4), (Change::Deleted, 5)]);
    assert_eq!(watch.try_next().expect("is in the window").map(|event| event.change), None);
    assert_eq!(watch.revision(), 5);
    let expired = store.watch(&resource, None, 0).expect_err("nothing is known of that time");
    assert_eq!(expired.oldest, 1);
}

#[tokio::test]
async fn a_watch_that_falls_behind_expires() {
    let store = Store::in_memory().expect("opens");
    let resource = Resource::new("configmaps");
    let mut watch = store.watch(&resource, None, store.revision()).expect("watches");
    store.commit(vec![create("a", "0")]).await.expect("commits");
    for round in 0..10 {
        let ops = (0..1000).map(|n| update("a", &format!("{round}-{n}"), None)).collect();
        store.commit(ops).await.expect("commits");
    }
    assert!(watch.next().await.is_err());
}

#[tokio::test]
async fn objects_survive_and_secrets_are_not_readable_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = Key::new("secrets", "default", "s");
    let object =
        Node::from(json!({"metadata": {"name": "s"}, "data": {"k": "cGFzc3dvcmQtdGV4dA=="}}));
    {
        let store = Store::open(folder.path()).expect("opens");
        let ops = vec![create("a", "plain-text"), Op::Create { key: secret.clone(), object }];
        store.commit(ops).await.expect("commits");
        store.commit(vec![create("b", "1"), delete("b")]).await.expect("commits");
        let second = Store::open(folder.path());
        assert!(matches!(second, Err(StoreError::Unusable { .. })), "two agents share no folder");
    }
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        bytes.extend(std::fs::read(path).expect("a file"));
    }
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("plain-text"));
    assert!(!holds("cGFzc3dvcmQ"), "a secret is readable on disk");

    let store = Store::open(folder.path()).expect("opens again");
    assert_eq!(store.revision(), 5);
    let stored = store.get(&secret).expect("is there");
    assert_eq!(stored.object.str_at(&["data", "k"]), Some("cGFzc3dvcmQtdGV4dA=="));
    assert_eq!(store.list(&Resource::new("configmaps"), None).0.len(), 1);
    drop(store);

    std::fs::write(folder.path().join("store.key"), [7; 32]).expect("writes");
    let error = Store::open(folder.path()).expect_err("the key is another one");
    let source = std::error::Error::source(&error).expect("has a cause").to_string();
    assert!(source.contains("secrets default/s cannot be decrypted"), "{source}");
}

#[test]
fn a_broken_database_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Store::open(folder.path()).expect("opens"));
    let path = folder.path().join("wharf.db");
    std::fs::write(
        &path,
        "this is no database, but it is long enough to be taken for one".repeat(99),
    )
    .expect("writes");
    let error = Store::open(folder.path()).expect_err("it is no database");
    assert!(matches!(&error, StoreError::Unusable { path: at, .. } if *at == path), "{error}");
    let code = miette::Diagnostic::code(&error).expect("a code").to_string();
    assert_eq!(code, "wharf::agent::store_unusable");
}

#[test]
fn errors_have_codes_and_name_the_object() {
    for (error, code, text) in [
        (
            StoreError::Exists(key("a")),
            "wharf::agent::exists",
            "configmaps default/a already exists",
        ),
        (
            StoreError::Missing(key("a")),
            "wharf::agent::missing",
            "configmaps default/a does not exist",
        ),
        (
            StoreError::Changed { key: key("a"), expected: 1, found: 2 },
            "wharf::agent::changed",
            "configmaps default/a is at revision 2, not 1",
        ),
        (
            StoreError::Write(std::sync::Arc::new(rusqlite::Error::InvalidQuery)),
            "wharf::agent::store_write",
            "cannot write to the agent's database",
        ),
        (StoreError::Closed, "wharf::agent::stopping", "the agent is stopping"),
    ] {
        assert_eq!(miette::Diagnostic::code(&error).expect("a code").to_string(), code);
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn changes_from_many_sides_are_all_kept() {
    let store = Store::in_memory().expect("opens");
    store.commit(vec![create("a", "0")]).await.expect("commits");
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = store.clone();
        tasks.spawn(async move {
            let set = |object: &mut Node| {
                object.set_at(&["data", format!("k{n}").as_str()], "x");
                true
            };
            store.modify(&key("a"), set).await.expect("commits")
        });
    }
    tasks.join_all().await;
    let stored = store.get(&key("a")).expect("is there");
    assert_eq!(
        stored.object.at(&["data"]).and_then(Node::as_map).map(crate::yaml::Map::len),
        Some(21)
    );
}
