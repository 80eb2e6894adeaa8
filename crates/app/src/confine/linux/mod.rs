//! Linux: Landlock for files, TCP ports and signals, seccomp for system calls, `no_new_privs` and rlimits.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `before` | what is seen past the confinement, until a server serves |
//! | `places` | the rules as files and ports of this machine |
//! | `threads` | has each thread restrict itself |
//! | `calls` | system calls that are refused |
//! | `program` | what the system needs to run a program |
//!
//! Two domains of Landlock are nested. The first has signals alone, and is entered before there is a second thread: so all
//! threads and what they start are of one domain, and one thread may end a process that another has started. The second
//! has files and ports. It is a domain of its own for each thread, all with the same rules.

pub(crate) mod before;
mod calls;
mod places;
mod program;
mod threads;

use std::fs::File;
use std::io;

use landlock::{
    ABI, CompatLevel, Compatible as _, LandlockStatus, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetError, Scope,
};
use pymcp_kit::audit::Audit;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, setrlimit};

use super::{Confined, Rules};

/// The newest version of Landlock whose rights are asked for. Kernels that know fewer hold those.
const NEWEST: ABI = ABI::V7;

/// The first version that knows TCP ports.
const PORTS: u32 = 4;

/// The first version that knows signals.
const SIGNALS: u32 = 6;

/// Descriptors that there may be at least: what the pool of Python's workers raises its limit to, and more.
const MIN_DESCRIPTORS: u64 = 1024;

/// What the first domain came to.
#[derive(Debug, Default)]
pub(super) struct Begun {
    landlock: u32,
}

pub(super) fn begin(listens: bool) -> Begun {
    if listens {
        before::begin();
    }
    Begun {
        landlock: scope().unwrap_or(0),
    }
}

/// Enters the first domain. The version of Landlock here, 0 for none.
fn scope() -> Result<u32, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::Signal)?
        .create()?
        .restrict_self()?;
    Ok(version(&status))
}

fn version(status: &RestrictionStatus) -> u32 {
    const ALL: [ABI; 7] = [
        ABI::V1,
        ABI::V2,
        ABI::V3,
        ABI::V4,
        ABI::V5,
        ABI::V6,
        ABI::V7,
    ];
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => {
            ALL.iter().filter(|abi| **abi <= effective_abi).count() as u32
        }
        _ => 0,
    }
}

pub(super) fn confine(begun: &Begun, rules: &Rules, audit: Option<&Audit>) -> Confined {
    before::end();
    let files = match begun.landlock {
        0 => Err(no_landlock()),
        _ => landlock(rules, audit),
    };
    let privileges = privileges(rules).and_then(|()| match begun.landlock {
        0 if threads::has_capabilities() => Err(format!(
            "root's rights are given up thread by thread, as Landlock is entered, and {}",
            no_landlock()
        )),
        _ => Ok(()),
    });
    let calls = calls::refuse(rules).map_err(|error| format!("seccomp failed: {error}"));
    judged(begun.landlock, rules, &files, &privileges, &calls)
}

fn no_landlock() -> String {
    "this kernel has no Landlock, or it is not among the modules that it starts with (lsm=)"
        .to_owned()
}

/// Has every thread enter the second domain.
fn landlock(rules: &Rules, audit: Option<&Audit>) -> Result<(), String> {
    let ruleset = places::ruleset(rules).map_err(|error| format!("Landlock failed: {error}"))?;
    let unconfined = threads::restrict(ruleset, audit)
        .map_err(|error| format!("the threads of the process cannot be seen: {error}"))?;
    match unconfined.as_slice() {
        [] => Ok(()),
        [one] => Err(format!("the thread '{one}' was there before")),
        more => Err(format!(
            "{} threads were there before: {}",
            more.len(),
            more.join(", ")
        )),
    }
}

/// Takes what a program that is run could gain, and what nothing here needs: core files, more descriptors, files that grow.
fn privileges(rules: &Rules) -> Result<(), String> {
    let limits = || -> rustix::io::Result<()> {
        rustix::thread::set_no_new_privs(true)?;
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        limit(Resource::Core, 0)?;
        let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        limit(Resource::Nofile, now.max(MIN_DESCRIPTORS))?;
        // stdout and stderr may be files.
        let writes = rules.changes_files() || is_file(io::stdout()) || is_file(io::stderr());
        if !writes {
            limit(Resource::Fsize, 0)?;
        }
        Ok(())
    };
    limits().map_err(|error| format!("a limit cannot be set: {error}"))
}

/// Nothing can raise it again.
fn limit(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let now = getrlimit(resource);
    let most = |limit: Option<u64>| Some(limit.unwrap_or(u64::MAX).min(most));
    let limit = Rlimit {
        current: most(now.current),
        maximum: most(now.maximum),
    };
    setrlimit(resource, limit)
}

fn is_file(stream: impl std::os::fd::AsFd) -> bool {
    let file = stream.as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata())
        .is_ok_and(|found| found.is_file())
}

/// What is held: by Landlock as far as this version knows it, or else by seccomp where nothing at all is allowed.
fn judged(
    version: u32,
    rules: &Rules,
    files: &Result<(), String>,
    privileges: &Result<(), String>,
    calls: &Result<(), String>,
) -> Confined {
    let by_landlock = |since: u32, what: &str| match files {
        Ok(()) if version >= since => Ok(()),
        Ok(()) => Err(format!("Landlock {version} of this kernel knows no {what}")),
        Err(why) => Err(why.clone()),
    };
    let held = |allowed: bool, landlock: Result<(), String>| match (allowed, calls) {
        // A filter that refuses all of it needs nothing else.
        (false, Ok(())) => None,
        _ => landlock.and(calls.clone()).err(),
    };
    // The first domain holds signals, whatever becomes of the second.
    let signals = match version {
        0 => Err(no_landlock()),
        1..SIGNALS => Err(format!(
            "Landlock {version} of this kernel knows no signals"
        )),
        _ => Ok(()),
    };
    let layers = vec![
        ("files", held(rules.opens_files(), by_landlock(1, "files"))),
        (
            "network",
            held(rules.connects(), by_landlock(PORTS, "ports")),
        ),
        ("programs", held(rules.runs(), by_landlock(1, "programs"))),
        ("signals", held(rules.runs(), signals)),
        ("privileges", privileges.clone().and(calls.clone()).err()),
    ];
    let mut by = Vec::new();
    if version > 0 && files.is_ok() {
        by.push(format!("Landlock {version}"));
    }
    if calls.is_ok() {
        by.push("seccomp".to_owned());
    }
    Confined { by, layers }
}

/// The version of Landlock here. What the thread enters ends with it.
fn scope_in_a_thread() -> u32 {
    let asked = std::thread::spawn(|| scope().unwrap_or(0));
    asked.join().unwrap_or(0)
}

pub(super) fn here() -> Confined {
    let version = scope_in_a_thread();
    let files = match version {
        0 => Err(no_landlock()),
        _ => Ok(()),
    };
    let calls = calls::are_known()
        .then_some(())
        .ok_or_else(|| "this kernel has no seccomp".to_owned());
    let mut rules = Rules::default();
    // The most that is asked of Landlock.
    rules.ports.insert(443);
    rules.workers = true;
    judged(version, &rules, &files, &Ok(()), &calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(layers: impl Iterator<Item = (&'static str, &'a str)>) -> Vec<&'static str> {
        layers.map(|(layer, _)| layer).collect()
    }

    #[test]
    fn what_is_refused_altogether_needs_no_landlock() {
        let none = Rules::default();
        let old = judged(0, &none, &Err(no_landlock()), &Ok(()), &Ok(()));
        assert_eq!(names(old.missing()), [""; 0]);
        assert_eq!(
            old.said(),
            "confined: files, network, programs, signals, privileges (seccomp)"
        );
        let mut network = Rules::default();
        network.ports.insert(443);
        let ports = |version| judged(version, &network, &Ok(()), &Ok(()), &Ok(()));
        assert_eq!(names(ports(3).missing()), ["network"]);
        assert_eq!(names(ports(4).missing()), [""; 0]);
        let runs = Rules {
            workers: true,
            ..Rules::default()
        };
        let signals = |version| judged(version, &runs, &Ok(()), &Ok(()), &Ok(()));
        assert_eq!(names(signals(5).missing()), ["signals"]);
        assert_eq!(names(signals(6).missing()), [""; 0]);
    }

    #[test]
    fn without_seccomp_nothing_is_held_but_what_landlock_holds_alone() {
        let none = Rules::default();
        let failed = Err("seccomp failed".to_owned());
        let confined = judged(7, &none, &Ok(()), &Ok(()), &failed);
        assert_eq!(
            names(confined.missing()),
            ["files", "network", "programs", "signals", "privileges"]
        );
    }

    #[test]
    fn a_look_takes_nothing_from_this_process() {
        let before = here();
        std::fs::read_to_string("Cargo.toml").unwrap();
        assert_eq!(here(), before);
    }
}
