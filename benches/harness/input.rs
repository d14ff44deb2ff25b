//! Inputs that are made for a measurement, the same each time.

use std::fmt::Write as _;

/// Deployments in one file of about half a kilobyte each.
pub(crate) fn deployments(count: usize) -> String {
    let mut text = String::with_capacity(count * 560);
    for number in 0..count {
        let _ = write!(
            text,
            "---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{number}
  namespace: team-{team}
  labels:
    app: web-{number}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: web-{number}
  template:
    metadata:
      labels:
        app: web-{number}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.{minor}
        ports:
        - containerPort: 8080
        env:
        - name: NUMBER
          value: \"{number}\"
        resources:
          requests: {{cpu: 100m, memory: 64Mi}}
",
            team = number % 50,
            replicas = number % 4 + 1,
            minor = number % 9,
        );
    }
    text
}

/// Bytes as megabytes.
#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
pub(crate) fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
