//! The rules as files and ports of this machine.
//!
//! A rule of Landlock is about what is at a path when the rule is made, and about all below it. So what is replaced under
//! its name is reached through its folder, and what is not there yet cannot be reached later.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort, PathBeneath,
    PathFd, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError,
    Scope, make_bitflags,
};

use super::program;
use super::{NEWEST, Rules};

/// Reading files and folders.
pub(super) const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// Running a file, which the loader reads as well.
pub(super) const RUN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{Execute | ReadFile});

/// Writing, making, moving and removing files and folders, but no devices, sockets and links.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});

/// What the rotation of a log does in its folder.
const ROTATE: BitFlags<AccessFs> =
    make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate | MakeReg | RemoveFile});

/// What a program has as stdin or stdout that nobody reads.
pub(super) const NULL: (&str, BitFlags<AccessFs>) = (
    "/dev/null",
    make_bitflags!(AccessFs::{ReadFile | WriteFile}),
);

/// Where libraries are: of programs, and of the C library where it looks up names.
pub(super) const LIBRARIES: [&str; 9] = [
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
];

/// What the C library reads to look up a name (resolver(3), nsswitch.conf(5), gai.conf(5)).
const RESOLVER: [&str; 6] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
];

/// The folders in which systems keep `resolv.conf` that replace it while they run.
const RESOLVERS: [&str; 4] = [
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/run/connman",
];

/// Where certificates of authorities are, as files or folders, by distribution (openssl-probe).
const CERTIFICATES: [&str; 17] = [
    "/etc/ssl/certs",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/pki",
    "/usr/lib/ssl",
    "/usr/local/ssl",
    "/var/lib/ca-certificates",
    "/opt/etc/ssl/certs",
];

/// Variables that name other certificates (OpenSSL).
const CERTIFICATE_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// What is allowed at a path, and below it.
pub(super) type Grant = (PathBuf, BitFlags<AccessFs>);

/// The rules for this kernel, as far as it knows them.
pub(super) fn ruleset(rules: &Rules) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .scope(Scope::AbstractUnixSocket)?
        .create()?;
    for (path, access) in grants(rules) {
        // What is not there cannot be allowed.
        if let Ok(opened) = PathFd::new(&path) {
            let access = match path.is_dir() {
                true => access,
                false => access & AccessFs::from_file(NEWEST),
            };
            ruleset = ruleset.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    for port in &rules.ports {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(ruleset)
}

/// What the rules allow on this machine.
fn grants(rules: &Rules) -> Vec<Grant> {
    let mut grants = Vec::new();
    let mut allow = |paths: &[&str], access| {
        grants.extend(paths.iter().map(|path| (PathBuf::from(path), access)));
    };
    if rules.connects() {
        allow(&CERTIFICATES, READ);
    }
    if rules.names {
        allow(&RESOLVER, READ);
        allow(&RESOLVERS, READ);
        allow(&LIBRARIES, READ);
    }
    if rules.local_time {
        allow(&["/etc/localtime", "/usr/share/zoneinfo"], READ);
    }
    if rules.connects() {
        grants.extend(named_certificates());
    }
    grants.extend(rules.reads.iter().map(|path| (path.clone(), READ)));
    grants.extend(rules.writes.iter().map(|path| (written(path), WRITE)));
    for path in &rules.rereads {
        let read = make_bitflags!(AccessFs::{ReadFile});
        grants.extend(folders(path).map(|folder| (folder, read)));
    }
    grants.extend(rules.logs.iter().map(|path| (folder(path), ROTATE)));
    let remove = make_bitflags!(AccessFs::{RemoveFile});
    grants.extend(rules.removes.iter().map(|path| (folder(path), remove)));
    for name in &rules.programs {
        grants.extend(program::named(name));
    }
    if rules.workers {
        grants.extend(program::this());
    }
    grants
}

/// Certificates that the environment names; a variable may have several folders.
fn named_certificates() -> Vec<Grant> {
    let named = CERTIFICATE_VARIABLES.iter().filter_map(env::var_os);
    let paths = named.flat_map(|value| env::split_paths(&value).collect::<Vec<_>>());
    paths.map(|path| (path, READ)).collect()
}

/// What is written, or the nearest folder if it has to be made first.
fn written(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|path| path.exists());
    match there {
        // A path of the far future must not open the whole system.
        Some(root) if root.parent().is_none() => path.to_owned(),
        Some(there) => there.to_owned(),
        None => path.to_owned(),
    }
}

/// The folder that a file is in.
fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => file.to_owned(),
    }
}

/// The folders through which a file is reached that may be replaced: its own, and that of the file that it stands for, as
/// with the certificates of certbot and the secrets of Kubernetes.
fn folders(file: &Path) -> impl Iterator<Item = PathBuf> {
    let real = fs::canonicalize(file).ok();
    [Some(folder(file)), real.map(|real| folder(&real))]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_is_made_in_the_nearest_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("a/b.json");
        assert_eq!(written(&file), temporary.path());
        fs::create_dir(temporary.path().join("a")).unwrap();
        assert_eq!(written(&file), temporary.path().join("a"));
        fs::write(&file, "").unwrap();
        assert_eq!(written(&file), file);
        let nowhere = Path::new("/no-such-folder/b.json");
        assert_eq!(written(nowhere), nowhere);
    }

    #[test]
    fn a_file_that_is_replaced_is_reached_through_its_folders() {
        let temporary = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(temporary.path()).unwrap();
        for folder in ["live", "archive"] {
            fs::create_dir(root.join(folder)).unwrap();
        }
        fs::write(root.join("archive/key1.pem"), "").unwrap();
        std::os::unix::fs::symlink("../archive/key1.pem", root.join("live/key.pem")).unwrap();
        let found: Vec<_> = folders(&root.join("live/key.pem")).collect();
        assert_eq!(found, [root.join("live"), root.join("archive")]);
        assert_eq!(folder(Path::new("audit.jsonl")), Path::new("."));
    }

    #[test]
    fn no_rule_grants_nothing_and_each_grants_its_own() {
        let mut rules = Rules::default();
        assert_eq!(grants(&rules), []);
        rules.reads.insert("/srv/data".into());
        rules.removes.insert("/run/a/a.sock".into());
        let remove = make_bitflags!(AccessFs::{RemoveFile});
        let expected = [("/srv/data", READ), ("/run/a", remove)];
        assert_eq!(
            grants(&rules),
            expected.map(|(path, access)| (PathBuf::from(path), access))
        );
        let mut rules = Rules::default();
        rules.ports.insert(443);
        let certificates = grants(&rules);
        assert!(certificates.iter().all(|(_, access)| *access == READ));
        assert!(!certificates.contains(&("/etc/hosts".into(), READ)));
        rules.names = true;
        assert!(grants(&rules).contains(&("/etc/hosts".into(), READ)));
    }
}
