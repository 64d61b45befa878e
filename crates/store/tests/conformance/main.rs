//! Every promise of [`Store`], kept by every store.

#![expect(clippy::unwrap_used, reason = "a promise that cannot be tried is a broken one")]

mod access;
mod analytics;
mod blobs;
mod bucket;
mod commits;
mod definitions;
mod differential;
mod differential_units;
mod families;
mod fixture;
mod instances;
mod lists;
mod logs;
mod place;
mod postgres;
mod retention;
mod s3;
mod server;
mod sqlite;
mod units;

use std::sync::Arc;

use windlass_core::Time;
use windlass_store::{MemoryStore, PostgresOptions, SqliteOptions, Store};

/// Runs each promise against each store, as a test of its own.
macro_rules! promises {
    ($($module:ident: $($promise:ident),+ $(,)?;)+) => {
        mod memory {
            $($(#[test] fn $promise() { super::$module::$promise(&super::MemoryStore::new()); })+)+
        }
        mod in_sqlite {
            $($(#[test] fn $promise() {
                let directory = tempfile::tempdir().unwrap();
                super::$module::$promise(&*super::open(directory.path()));
            })+)+
        }
        mod in_postgres {
            $($(#[test] fn $promise() {
                let blobs = tempfile::tempdir().unwrap();
                let url = super::server::fresh_database();
                super::$module::$promise(&*super::open_beside(&url, blobs.path()));
            })+)+
        }
    };
}

promises! {
    commits:
        a_run_is_read_as_it_was_written,
        a_write_on_top_of_another_state_changes_nothing,
        a_conflict_concerns_one_run_of_the_group,
        a_key_creates_one_run,
        an_external_id_is_unique_in_its_project,
        an_older_epoch_writes_nothing,
        snapshots_of_other_versions_are_passed_over,
        what_a_later_write_does_not_name_stays,
        a_run_that_goes_on_is_counted_by_its_steps,
        a_run_may_turn_out_to_be_of_another_workflow,
        strange_texts_survive,
        labels_are_set_on_runs_that_go_on;
    blobs:
        a_large_value_is_read_as_it_was_written,
        two_large_words_about_one_run_do_not_mix;
    definitions:
        a_new_name_is_version_one_and_a_change_the_next,
        the_same_content_is_no_new_version,
        an_expected_version_must_be_the_newest,
        a_deleted_workflow_gives_its_name_free,
        an_id_wins_over_a_name;
    families:
        a_run_knows_its_parent_and_its_creator,
        children_are_listed_by_their_parent,
        whoever_is_in_line_can_be_counted_again,
        a_message_stands_until_it_is_received,
        messages_go_with_what_else_the_run_has_to_say,
        a_message_to_nobody_can_be_put_away,
        a_workflow_is_paused_and_goes_on;
    access:
        keys_are_found_by_their_hash,
        keys_are_listed_by_project,
        a_key_is_taken_back_once,
        the_audit_log_is_a_chain,
        settings_are_set_and_forgotten,
        secrets_are_kept_as_they_were_sealed;
    lists:
        runs_are_filtered,
        runs_come_in_pages_newest_first,
        a_list_is_the_same_by_whichever_index,
        steps_and_logs_come_in_pages,
        steps_are_counted_by_node,
        events_come_in_pages_by_count_and_size,
        single_events_are_found,
        orphans_are_those_of_earlier_epochs,
        timers_come_by_time,
        whoever_waits_for_a_word_is_found,
        an_output_is_found_again_until_its_time_is_up,
        what_models_take_is_added_up,
        a_search_for_a_text_ends_somewhere,
        old_keys_are_pruned,
        a_key_has_its_time,
        an_empty_store_has_empty_lists;
    analytics:
        runs_are_scanned_newest_first,
        many_runs_are_scanned_without_a_gap,
        steps_are_summed_by_kind;
    logs:
        lines_are_filtered,
        a_text_is_found_at_the_end_of_a_long_log,
        lines_are_found_across_runs,
        no_question_is_an_error,
        long_words_and_long_lines_are_found,
        lines_of_deleted_runs_are_not_found;
    retention:
        old_runs_go_with_all_they_have,
        a_very_large_old_run_goes_in_parts,
        runs_have_their_time_by_workflow_outcome_and_number,
        nobody_goes_whom_the_family_keeps;
    instances:
        an_instance_has_its_own_definition,
        instances_are_listed_newest_first,
        an_actor_is_known_again,
        a_role_is_given_and_taken_back,
        a_role_remembers,
        what_is_toxic_stays_so_until_it_is_another,
        what_actors_learn_is_written_with_their_run;
    units:
        a_unit_is_read_as_it_was_written_last,
        units_are_filtered,
        units_come_in_pages_newest_first,
        units_are_counted_where_they_stand,
        tasks_stand_until_they_are_cleared,
        requests_are_listed_by_urgency_and_age,
        an_old_run_goes_with_its_units;
}

fn open(directory: &std::path::Path) -> Arc<dyn Store> {
    SqliteOptions::at(directory).open(Time::from_micros(0)).unwrap()
}

/// For what has nothing large in it.
fn open_at(url: &str) -> Arc<dyn Store> {
    open_beside(url, std::path::Path::new("/dev/null/blobs"))
}

fn open_beside(url: &str, blobs: &std::path::Path) -> Arc<dyn Store> {
    PostgresOptions::at(url, blobs).open(Time::from_micros(0)).unwrap()
}
