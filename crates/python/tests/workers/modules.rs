//! The host that isn't there: what the standard library finds in place of one.

mod data;
mod files;
mod imports;
mod language;
mod waiting;

use libtest_mimic::Trial;
use pymcp_python::Pool;

use crate::{config, run, text, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("files_are_in_memory", files::files),
        trial("file_errors_are_those_of_a_system", files::file_errors),
        trial("files_end_with_the_run", files::files_end),
        trial("the_host_leaves_no_trace", files::no_trace),
        trial(
            "nothing_tells_of_the_machine_that_compiled_it",
            files::compiled,
        ),
        trial("what_there_is_not_says_so", imports::denied),
        trial(
            "imports_that_fail_say_what_there_is",
            imports::imports_that_fail,
        ),
        trial("the_standard_library_imports", imports::imports),
        trial("locks_work_for_one_thread", waiting::locks),
        trial("asyncio_runs_without_sockets", waiting::asyncio),
        trial("builtins_are_mended", language::builtins),
        trial("the_library_is_mended", language::library),
        trial("csv_is_cpythons", data::csv),
        trial("texts_in_memory_count_characters", data::string_io),
        trial(
            "what_is_read_takes_no_more_than_there_is",
            data::bounded_reads,
        ),
        trial("exceptions_have_several_bases", language::exception_bases),
        trial("time_zones_are_known", data::zones),
        trial("xml_must_be_well_formed", data::xml),
        trial("blake2_has_its_parameters", data::blake2),
        trial("randomness_is_each_runs_own", data::randomness),
    ]
}

/// Runs each source, and compares the text of its value.
async fn answers(cases: &[(&str, &str)]) {
    let pool = Pool::new(config());
    for (source, expected) in cases {
        let result = run(&pool, source).await;
        assert!(result.is_ok(), "{source}: {result:?}");
        assert_eq!(&text(result), expected, "{source}");
    }
}

/// Runs each statement inside `try`, and compares the exception's type and text.
async fn failures(cases: &[(&str, &str)]) {
    let pool = Pool::new(config());
    for (statement, expected) in cases {
        let body = statement.replace('\n', "\n    ");
        let source = format!(
            "try:\n    {body}\n    failure = 'none'\nexcept BaseException as error:\n    \
             failure = f'{{type(error).__name__}}: {{error}}'\nfailure"
        );
        assert_eq!(&text(run(&pool, &source).await), expected, "{statement}");
    }
}
