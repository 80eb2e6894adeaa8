use std::fs;

use tempfile::TempDir;

use crate::Server;

use super::*;

const FINE: &str = "---\nname: demo\ndescription: Shows how.\n---\n\n# Demo\n";

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

fn complaint(root: &TempDir) -> String {
    let error = Skills::read_folder(root.path()).unwrap_err().to_string();
    let prefix = format!(
        "The skills in '{}' cannot be served: ",
        root.path().display()
    );
    assert!(!error.contains('\n'), "{error}");
    error
        .strip_prefix(&prefix)
        .unwrap_or_else(|| panic!("{error}"))
        .to_owned()
}

/// What is said of one skill `demo` with this `SKILL.md`.
fn complaint_of(skill_md: &str) -> String {
    complaint(&folder(&[("demo/SKILL.md", skill_md.as_bytes())]))
}

fn names(listing: &Value) -> Vec<(&str, &str)> {
    let children = listing["resources"].as_array().unwrap();
    children
        .iter()
        .map(|child| {
            (
                child["uri"].as_str().unwrap(),
                child["mimeType"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn a_skill_is_listed_found_and_registered() {
    let root = folder(&[
        ("demo/SKILL.md", FINE.as_bytes()),
        ("demo/LICENSE", b"MIT"),
        ("demo/references/deep/a (1).md", b"# A"),
        ("demo/references/logo.png", b"\x89PNG\xff"),
        ("demo/nul.txt", b"a\0b"),
        ("demo/.git/config", b"secret"),
        ("demo/.env", b"secret"),
        ("README.md", b"about the folder"),
        ("drafts/idea.md", b"not a skill"),
    ]);
    let skills = Skills::read_folder(root.path()).unwrap();
    let list = skills.list();
    assert_eq!(
        list["skills"][0],
        json!({
            "uri": "skill://demo/SKILL.md",
            "frontmatter": {"name": "demo", "description": "Shows how."},
            "resources": [
                SkillResource::from_bytes("skill://demo/SKILL.md", FINE.as_bytes()),
                SkillResource::from_bytes("skill://demo/LICENSE", b"MIT"),
                SkillResource::from_bytes("skill://demo/nul.txt", b"a\0b"),
                SkillResource::from_bytes("skill://demo/references/deep/a%20(1).md", b"# A"),
                SkillResource::from_bytes("skill://demo/references/logo.png", b"\x89PNG\xff"),
            ],
        })
    );
    assert_eq!(
        skills.get("SKILL://demo/SKILL.md").unwrap(),
        json!({"skill": list["skills"][0]})
    );
    for unknown in [
        "skill://demo",
        "skill://demo/LICENSE",
        "skill://demo/../demo/SKILL.md",
        "skill://demo/SKILL.md/",
        "demo",
        "",
    ] {
        assert_eq!(skills.get(unknown), None, "{unknown}");
    }

    assert_eq!(
        names(&skills.directory("skill://demo").unwrap()),
        [
            ("skill://demo/LICENSE", "text/plain"),
            ("skill://demo/SKILL.md", "text/markdown"),
            ("skill://demo/nul.txt", "application/octet-stream"),
            ("skill://demo/references", "inode/directory"),
        ]
    );
    assert_eq!(
        names(&skills.directory("skill://demo/references").unwrap()),
        [
            ("skill://demo/references/deep", "inode/directory"),
            ("skill://demo/references/logo.png", "image/png"),
        ]
    );
    for unknown in [
        "skill://demo/SKILL.md",
        "skill://demo/",
        "skill://demo/.git",
        "skill://demo/references/..",
        "skill://",
        "skill://drafts",
    ] {
        assert_eq!(skills.directory(unknown), None, "{unknown}");
    }

    let resources: Vec<_> = skills.resources().collect();
    let skill_md = &resources[1];
    assert_eq!(
        serde_json::to_value(skill_md.definition()).unwrap(),
        json!({
            "uri": "skill://demo/SKILL.md", "name": "demo", "description": "Shows how.",
            "mimeType": "text/markdown", "size": FINE.len(), "_meta": {},
        })
    );
    assert_eq!(skill_md.settings().hint, Skills::HINT);
    let builder = resources
        .into_iter()
        .fold(Server::builder("test", "0"), |server, resource| {
            server.resource(resource)
        });
    let server = builder.build().unwrap();
    let registry = server.registry();
    let listed = registry.resources().next().unwrap().definition();
    assert_eq!((listed.name.as_str(), &listed.meta), ("LICENSE", &None));
}

#[test]
fn text_is_served_as_text_and_anything_else_as_bytes() {
    let long = "é\"".repeat(1000);
    let root = folder(&[
        ("demo/SKILL.md", FINE.as_bytes()),
        ("demo/latin1.md", b"\xe9"),
        ("demo/long.txt", long.as_bytes()),
        ("demo/unknown", b"\xff"),
    ]);
    let skills = Skills::read_folder(root.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut read = Vec::new();
    for resource in skills.resources() {
        let target = crate::component::ReadTarget {
            uri: "skill://elsewhere".into(),
            mime_type: None,
        };
        let ctx = crate::testing::Probe::new().ctx();
        let contents = runtime.block_on((resource.run)(ctx, (), target)).unwrap();
        read.push(serde_json::to_value(&contents[0]).unwrap());
    }
    let text =
        |path: &str, mime: &str, text: &str| json!({"uri": path, "mimeType": mime, "text": text});
    let blob =
        |path: &str, mime: &str, blob: &str| json!({"uri": path, "mimeType": mime, "blob": blob});
    assert_eq!(
        read,
        [
            text("skill://demo/SKILL.md", "text/markdown", FINE),
            blob("skill://demo/latin1.md", "text/markdown", "6Q=="),
            text("skill://demo/long.txt", "text/plain", &long),
            blob("skill://demo/unknown", "application/octet-stream", "/w=="),
        ]
    );
    assert_eq!(skills.largest_read(), read[2].to_string().len());
}

#[test]
fn skills_stand_in_folders_and_in_each_other() {
    let refunds = FINE.replace("demo", "refunds");
    let forms = FINE.replace("demo", "forms");
    let root = folder(&[
        ("acme/billing/refunds/SKILL.md", refunds.as_bytes()),
        (
            "acme/billing/refunds/skills/forms/SKILL.md",
            forms.as_bytes(),
        ),
        ("acme/billing/refunds/skills/forms/form.csv", b"a,b"),
        ("acme/billing/note.txt", b"outside"),
        ("ä b/refunds/SKILL.md", refunds.as_bytes()),
    ]);
    fs::create_dir(root.path().join("acme/billing/refunds/empty")).unwrap();
    let skills = Skills::read_folder(root.path()).unwrap();
    let uris: Vec<_> = skills.entries().iter().map(|skill| &skill.uri).collect();
    assert_eq!(
        uris,
        [
            "skill://acme/billing/refunds/SKILL.md",
            "skill://acme/billing/refunds/skills/forms/SKILL.md",
            "skill://%C3%A4%20b/refunds/SKILL.md",
        ]
    );
    // The outer skill lists the files of the inner one, too.
    let SkillResources::Files(files) = &skills.entries()[0].resources else {
        panic!("{:?}", skills.entries()[0]);
    };
    assert_eq!(files.len(), 3);
    assert_eq!(
        names(&skills.directory("skill://acme/billing").unwrap()),
        [("skill://acme/billing/refunds", "inode/directory")]
    );
    assert_eq!(
        skills.directory("skill://acme/billing/refunds/empty"),
        Some(json!({"resources": []}))
    );
    assert!(
        skills
            .resources()
            .all(|file| !file.uri().ends_with("note.txt"))
    );
    rmcp::model::validate_skills(skills.entries()).unwrap();
}

#[test]
fn front_matter_is_kept_as_written() {
    let skill_md = "\u{feff}---\r\nname: demo\r\ndescription: >-\r\n  One\r\n  two.\r\nlicense: MIT\r\n\
        allowed-tools: [Read, Bash]\r\nsince: 2026-07-28\r\non: yes\r\nport: 8_000\r\nratio: 1.5\r\n\
        metadata: {version: '1.0', list: [1, null, true]}\r\n--- \r\ntext\r\n---\r\n";
    let root = folder(&[("demo/SKILL.md", skill_md.as_bytes())]);
    let skills = Skills::read_folder(root.path()).unwrap();
    assert_eq!(
        skills.list()["skills"][0]["frontmatter"],
        json!({
            "name": "demo", "description": "One two.", "license": "MIT",
            "allowed-tools": ["Read", "Bash"], "since": "2026-07-28", "on": "yes", "port": "8_000",
            "ratio": 1.5, "metadata": {"version": "1.0", "list": [1, null, true]},
        })
    );
}

#[test]
fn bad_front_matter_is_refused() {
    let with = |rest: &str| format!("---\nname: demo\ndescription: x\n{rest}\n---\n");
    let long = "x".repeat(1025);
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    for (skill_md, why) in [
        ("# Demo\n".into(), "there is no front matter"),
        (String::new(), "there is no front matter"),
        ("---\nname: demo\n".into(), "there is no front matter"),
        (" ---\nname: demo\n---\n".into(), "there is no front matter"),
        ("---\n---\n".into(), "'name' is missing"),
        ("---\nname: [\n---\n".into(), "is not valid"),
        ("---\n- name\n---\n".into(), "is not valid"),
        (with("name: twice"), "is not valid"),
        (with("a: &a 1"), "is not valid"),
        (with("a: *a"), "is not valid"),
        (with("<<: {b: 1}"), "is not valid"),
        (with("a: !run rm"), "is not valid"),
        (with("a: .inf"), "is not valid"),
        (with(&format!("a: {deep}")), "is not valid"),
        (with(&"a".repeat(70_000)), "has more than 65536 bytes"),
        ("---\ndescription: x\n---\n".into(), "'name' is missing"),
        ("---\nname: demo\n---\n".into(), "'description' is missing"),
        (
            "---\nname: 7\ndescription: x\n---\n".into(),
            "'name' is not text",
        ),
        (
            "---\nname: demo\ndescription: ' '\n---\n".into(),
            "'description' is empty",
        ),
        (
            "---\nname: demo\ndescription:\n---\n".into(),
            "'description' is not text",
        ),
        (
            format!("---\nname: demo\ndescription: {long}\n---\n"),
            "more than 1024 characters",
        ),
        (
            "---\nname: other\ndescription: x\n---\n".into(),
            "the folder's own name, 'demo'",
        ),
        (
            "---\nname: De mo\ndescription: x\n---\n".into(),
            "'name' has to be",
        ),
        (
            "---\nname: a--b\ndescription: x\n---\n".into(),
            "'name' has to be",
        ),
        (
            with("metadata: {io.modelcontextprotocol/x: 1}"),
            "which is reserved",
        ),
    ] {
        let said = complaint_of(&skill_md);
        assert!(
            said.starts_with("in 'demo/SKILL.md' ") && said.contains(why),
            "{why}: {said}"
        );
    }
    let said = complaint(&folder(&[("demo/SKILL.md", b"---\nname: \xff")]));
    assert_eq!(said, "in 'demo/SKILL.md' the text is not UTF-8.");
}

#[test]
fn yaml_that_grows_is_refused_at_once() {
    let mut yaml = String::from("---\nname: demo\ndescription: x\na0: &a0 [x, x]\n");
    for level in 1..30 {
        let before = level - 1;
        yaml += &format!("a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]\n");
    }
    let started = std::time::Instant::now();
    let said = complaint_of(&format!("{yaml}---\n"));
    assert!(said.contains("the front matter is not valid"), "{said}");
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn what_is_too_much_is_refused() {
    let mega = vec![b'x'; 1 << 20];
    let root = folder(&[("demo/SKILL.md", FINE.as_bytes()), ("demo/big.txt", &mega)]);
    assert!(Skills::read_folder(root.path()).is_ok());
    fs::write(root.path().join("demo/big.txt"), [&mega[..], b"x"].concat()).unwrap();
    assert!(complaint(&root).starts_with("'demo/big.txt' has more than 1048576 bytes"));

    fs::write(root.path().join("demo/big.txt"), &mega).unwrap();
    for i in 0..16 {
        fs::write(root.path().join(format!("demo/big{i}.txt")), &mega).unwrap();
    }
    assert!(complaint(&root).contains("more than 16777216 bytes"));

    let root = folder(&[("demo/SKILL.md", FINE.as_bytes())]);
    for i in 0..512 {
        fs::write(root.path().join(format!("demo/{i}")), "").unwrap();
    }
    assert_eq!(
        complaint(&root),
        "the skill 'demo' has more than 512 files."
    );
    for i in 512..1001 {
        fs::write(root.path().join(format!("demo/{i}")), "").unwrap();
    }
    assert_eq!(complaint(&root), "its skills have more than 1000 files.");

    let root = folder(&[("demo/SKILL.md", FINE.as_bytes())]);
    for i in 0..1001 {
        fs::create_dir(root.path().join(format!("demo/{i}"))).unwrap();
    }
    assert!(complaint(&root).contains("more than 1000 folders"));

    let root = folder(&[
        ("1/2/3/4/5/6/7/demo/SKILL.md", FINE.as_bytes()),
        ("1/2/3/4/5/6/7/demo/file", b""),
    ]);
    assert!(Skills::read_folder(root.path()).is_ok());
    fs::create_dir(root.path().join("1/2/3/4/5/6/7/demo/9")).unwrap();
    assert!(complaint(&root).contains("more than 8 folders deep"));

    let root = tempfile::tempdir().unwrap();
    for i in 0..257 {
        let folder = root.path().join(format!("s{i}"));
        fs::create_dir(&folder).unwrap();
        fs::write(
            folder.join("SKILL.md"),
            FINE.replace("demo", &format!("s{i}")),
        )
        .unwrap();
    }
    assert_eq!(complaint(&root), "there are more than 256 skills.");
}

#[test]
fn a_folder_without_skills_is_a_mistake() {
    let root = folder(&[("a/readme.md", b"")]);
    assert_eq!(complaint(&root), "no folder in it has a 'SKILL.md'.");
    let root = folder(&[("SKILL.md", FINE.as_bytes())]);
    assert!(complaint(&root).starts_with("it has a 'SKILL.md' itself"));
    let error = Skills::read_folder(root.path().join("missing")).unwrap_err();
    assert!(error.to_string().contains("it cannot be read"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_sockets_and_odd_names_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    let outside = folder(&[("secret.txt", b"secret")]);
    for target in [outside.path().join("secret.txt"), outside.path().into()] {
        let root = folder(&[("demo/SKILL.md", FINE.as_bytes())]);
        symlink(&target, root.path().join("demo/link")).unwrap();
        let said = complaint(&root);
        assert!(
            said.starts_with("\"demo/link\" is a symbolic link"),
            "{said}"
        );
        fs::remove_file(root.path().join("demo/link")).unwrap();
        symlink(&target, root.path().join("link")).unwrap();
        assert!(complaint(&root).starts_with("\"link\" is a symbolic link"));
    }
    // The folder itself is the operator's own word.
    let root = folder(&[("demo/SKILL.md", FINE.as_bytes())]);
    let link = outside.path().join("skills");
    symlink(root.path(), &link).unwrap();
    assert!(Skills::read_folder(&link).is_ok());

    let socket = root.path().join("demo/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(complaint(&root).contains("neither a file nor a folder"));
    fs::remove_file(socket).unwrap();

    let odd = root.path().join(OsStr::from_bytes(b"demo/\xff\x1b[2J"));
    fs::write(&odd, "").unwrap();
    let said = complaint(&root);
    assert!(
        said.contains("is not UTF-8") && !said.contains('\x1b'),
        "{said}"
    );
    fs::remove_file(odd).unwrap();
    fs::write(root.path().join("demo/\x1b[2J"), "").unwrap();
    let said = complaint(&root);
    assert!(
        said.contains("control characters") && !said.contains('\x1b'),
        "{said}"
    );
}
