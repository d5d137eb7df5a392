//! Who calls, and what the caller may do. The only place where credentials are compared and permissions are checked.

use std::sync::Arc;

use http::{HeaderMap, header};
use runnel_runtime::Actor;
use sha2::{Digest, Sha256};

use crate::Person;
use crate::error::{ApiError, Code};

/// One thing a caller may do; the text form is a scope of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Read workflows and their versions.
    WorkflowsRead,
    /// Publish workflows.
    WorkflowsWrite,
    /// Read runs, tasks, events and logs.
    RunsRead,
    /// Start runs and operate on them.
    RunsOperate,
    /// Report on attempts, as workers do.
    WorkersReport,
    /// Read the audit log.
    AuditRead,
    /// Make namespaces.
    NamespacesWrite,
    /// List, store and delete secrets; nobody may read their values.
    SecretsWrite,
}

impl Permission {
    /// Every permission.
    pub(crate) const ALL: [Self; 8] = [
        Self::WorkflowsRead,
        Self::WorkflowsWrite,
        Self::RunsRead,
        Self::RunsOperate,
        Self::WorkersReport,
        Self::AuditRead,
        Self::NamespacesWrite,
        Self::SecretsWrite,
    ];

    /// The scope.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowsRead => "workflows:read",
            Self::WorkflowsWrite => "workflows:write",
            Self::RunsRead => "runs:read",
            Self::RunsOperate => "runs:operate",
            Self::WorkersReport => "workers:report",
            Self::AuditRead => "audit:read",
            Self::NamespacesWrite => "namespaces:write",
            Self::SecretsWrite => "secrets:write",
        }
    }
}

/// The authenticated caller: part of every request, so that every resolver can ask.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// Name and namespace, as the runtime wants them.
    pub(crate) actor: Actor,
    /// What the caller may do.
    pub(crate) permissions: Arc<[Permission]>,
    /// The groups that the caller belongs to, for approvals; `*` is all of them.
    pub(crate) groups: Arc<[Arc<str>]>,
}

impl Viewer {
    /// Refuses a caller without the permission.
    pub(crate) fn require(&self, permission: Permission) -> Result<&Actor, ApiError> {
        if self.permissions.contains(&permission) {
            Ok(&self.actor)
        } else {
            Err(ApiError::new(
                Code::Forbidden,
                format!("this needs the permission `{}`", permission.as_str()),
            ))
        }
    }

    /// The same caller, acting in a namespace.
    pub(crate) fn in_namespace(mut self, name: &str) -> Self {
        self.actor.namespace = name.into();
        self
    }

    /// A caller who may do nothing, for tests that walk the schema.
    #[cfg(test)]
    pub(crate) fn without_permissions() -> Self {
        Self::new("nobody", &[])
    }

    /// An administrator, who may decide on everything.
    fn administrator(name: &str) -> Self {
        Self {
            groups: Arc::from([Arc::from(EVERY_GROUP)]),
            ..Self::new(name, &Permission::ALL)
        }
    }

    fn new(name: &str, permissions: &[Permission]) -> Self {
        Self {
            actor: Actor {
                name: name.into(),
                namespace: "default".into(),
            },
            permissions: permissions.into(),
            groups: Arc::default(),
        }
    }
}

/// Stands for every group.
const EVERY_GROUP: &str = "*";

/// What a person may do.
const PERSON: &[Permission] = &[
    Permission::WorkflowsRead,
    Permission::WorkflowsWrite,
    Permission::RunsRead,
    Permission::RunsOperate,
];

/// What is known about valid credentials. Tokens are kept as digests only.
#[derive(Debug)]
pub(crate) struct Credentials {
    api: Option<(Digest256, Viewer)>,
    worker: Option<(Digest256, Viewer)>,
    people: Vec<(Digest256, Viewer)>,
    anonymous: Viewer,
}

type Digest256 = [u8; 32];

impl Credentials {
    /// From the configured tokens. Without an API token everybody is an administrator; [`crate::serve`] allows that on
    /// a loopback address only.
    pub(crate) fn new(api_token: Option<&str>, worker_token: Option<&str>) -> Self {
        Self {
            api: api_token.map(|token| (digest(token), Viewer::administrator("token:api"))),
            worker: worker_token.map(|t| {
                (
                    digest(t),
                    Viewer::new("token:worker", &[Permission::WorkersReport]),
                )
            }),
            people: Vec::new(),
            anonymous: Viewer::administrator("anonymous"),
        }
    }

    /// With tokens of people, who operate under their own names.
    pub(crate) fn with_people(mut self, people: &[Person]) -> Self {
        let known = people.iter().map(|person| {
            let viewer = Viewer {
                groups: person
                    .groups
                    .iter()
                    .map(|group| Arc::from(group.as_str()))
                    .collect(),
                ..Viewer::new(&person.name, PERSON)
            };
            (digest(&person.token), viewer)
        });
        self.people = known.collect();
        self
    }

    /// Whether callers without a token are let in.
    pub(crate) fn is_open(&self) -> bool {
        self.api.is_none() && self.people.is_empty()
    }

    /// The caller of an HTTP request.
    pub(crate) fn of_headers(&self, headers: &HeaderMap) -> Result<Viewer, ApiError> {
        match headers.get(header::AUTHORIZATION) {
            None => self.identify(None),
            Some(value) => self.identify(Some(value.to_str().unwrap_or_default())),
        }
    }

    /// The caller with this `authorization` value. An invalid token is refused even where none is needed: who sends one
    /// believes to be somebody.
    pub(crate) fn identify(&self, authorization: Option<&str>) -> Result<Viewer, ApiError> {
        let Some(authorization) = authorization else {
            return if self.is_open() {
                Ok(self.anonymous.clone())
            } else {
                Err(unauthenticated("a bearer token is needed"))
            };
        };
        let Some(token) = bearer(authorization) else {
            return Err(unauthenticated("`authorization` must be `Bearer <token>`"));
        };
        let given = digest(token);
        let known = [&self.api, &self.worker]
            .into_iter()
            .flatten()
            .chain(&self.people);
        // all are compared in full, so that the time tells nothing about which one came close
        let mut found = None;
        for (digest, viewer) in known {
            if is_same(digest, &given) {
                found = Some(viewer.clone());
            }
        }
        found.ok_or_else(|| unauthenticated("the token is not valid"))
    }
}

fn unauthenticated(message: &str) -> ApiError {
    ApiError::new(Code::Unauthenticated, message)
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn digest(token: &str) -> Digest256 {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares without stopping at the first difference.
fn is_same(a: &Digest256, b: &Digest256) -> bool {
    a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Permission};
    use crate::Person;
    use crate::error::Code;

    #[test]
    fn anonymous_is_let_in_only_without_a_configured_token() {
        assert!(Credentials::new(None, None).identify(None).is_ok());
        let closed = Credentials::new(Some("secret"), None);
        assert_eq!(
            closed.identify(None).map_err(|e| e.code).err(),
            Some(Code::Unauthenticated)
        );
    }

    #[test]
    fn junk_tokens_are_refused_with_and_without_a_configured_token() {
        for credentials in [
            Credentials::new(None, None),
            Credentials::new(Some("secret"), Some("work")),
        ] {
            for junk in [
                "Bearer nothing",
                "Bearer ",
                "Bearer",
                "secret",
                "Basic secret",
                "Bearer secretx",
                "",
            ] {
                assert!(credentials.identify(Some(junk)).is_err(), "{junk}");
            }
        }
    }

    #[test]
    fn a_person_has_a_name_and_groups_and_closes_the_server() {
        let people = [Person {
            name: "ana".to_owned(),
            token: "hers".to_owned(),
            groups: vec!["risk".to_owned()],
        }];
        let credentials = Credentials::new(None, None).with_people(&people);
        assert!(credentials.identify(None).is_err());
        let ana = credentials.identify(Some("Bearer hers")).unwrap();
        assert_eq!((&*ana.actor.name, &*ana.groups[0]), ("ana", "risk"));
        assert!(ana.require(Permission::RunsOperate).is_ok());
        assert!(ana.require(Permission::NamespacesWrite).is_err());
    }

    #[test]
    fn worker_token_may_only_report() {
        let credentials = Credentials::new(Some("secret"), Some("work"));
        let worker = credentials.identify(Some("Bearer work")).unwrap();
        for permission in Permission::ALL {
            assert_eq!(
                worker.require(permission).is_ok(),
                permission == Permission::WorkersReport,
                "{permission:?}"
            );
        }
        assert!(
            credentials
                .identify(Some("bearer secret"))
                .unwrap()
                .require(Permission::RunsOperate)
                .is_ok()
        );
    }
}
