//! What `--help`, `--help-all` and `--version` say.

use super::*;

#[test]
fn the_help_fits_one_screen_and_says_the_program_s_name_alone() {
    let short = help(&["--help"]);
    assert_eq!(short, help(&["-h"]));
    assert!(short.lines().count() <= 30, "{short}");
    assert!(
        short.lines().all(|line| line.chars().count() <= 100),
        "{short}"
    );
    for common in [
        "--transport",
        "--port",
        "--items",
        "--stock-url",
        "--config",
        "--help-all",
    ] {
        assert!(short.contains(common), "{common}: {short}");
    }
    for rare in ["--cors-origins", "--state-keys", "--room", "--loud"] {
        assert!(!short.contains(rare), "{rare}: {short}");
    }
    assert!(
        short.contains("Usage: zebra-2") && short.contains("ZEBRA_2_PORT"),
        "{short}"
    );
    for help in [short, help(&["--help-all"]), help(&["serve", "--help-all"])] {
        let lower = help.to_lowercase();
        assert!(
            !lower.contains("pymcp") && !help.contains("/usr/bin"),
            "{help}"
        );
    }
}

#[test]
fn the_whole_help_has_every_setting_with_its_variables_by_group() {
    let all = help(&["--help-all"]);
    let program = app().program();
    // Without the page it is kept to, and no news.
    let told = |flag: &str| cfg!(feature = "page") || flag != "no-page";
    let settings = program.settings().iter();
    for setting in settings.filter(|setting| told(setting.flag())) {
        let variables: Vec<_> = setting.variables().collect();
        let variables = format!("[env: {}]", variables.join(", "));
        assert!(all.contains(&format!("--{}", setting.flag())), "{all}");
        assert!(all.contains(&variables), "{variables}: {all}");
    }
    for group in [
        "\nHTTP:\n",
        "\nAuthentication:\n",
        "\nRequests:\n",
        "\nColours:\n",
        "\nOptions:\n",
    ] {
        assert!(all.contains(group), "{group}: {all}");
    }
}

#[test]
fn the_version_is_the_one_that_was_given() {
    assert_eq!(help(&["--version"]), "zebra-2 1.2.3\n");
}
