use serde_json::json;
use windlass_core::run::{RunStatus, StepStatus};
use windlass_core::{Failure, Time};
use windlass_store::*;

use crate::fixture::*;

/// Ten runs: every third failed, every third still running, labelled by parity.
fn fill(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    for number in 1..=10 {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let write = with(new_run(number), |write| {
            new_of(write).labels.insert("parity".into(), parity.into());
            new_of(write).labels.insert("all".into(), "yes".into());
            new_of(write).workflow_id = id(100 + number % 2);
            new_of(write).rerun_of = (number == 4).then(|| id(3));
        });
        assert_eq!(store.commit(epoch, &[write]).unwrap(), []);
        let status = match number % 3 {
            0 => RunStatus::Failed,
            1 => RunStatus::Succeeded,
            _ => continue,
        };
        assert_eq!(store.commit(epoch, &[end_run(number, status)]).unwrap(), []);
    }
}

pub(crate) fn numbers(page: &RunPage) -> Vec<u128> {
    page.items.iter().map(|row| row.run_id.as_u128()).collect()
}

pub(crate) fn runs_are_filtered(store: &dyn Store) {
    fill(store);
    let shown = |filter: RunFilter| numbers(&store.runs(PROJECT, &filter, None, 99).unwrap());
    let all = RunFilter::default;
    let statuses = |statuses: &[RunStatus]| RunFilter { statuses: statuses.into(), ..all() };
    let labels = |labels: &[(&str, &str)]| RunFilter {
        labels: labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..all()
    };
    assert_eq!(shown(all()), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(shown(statuses(&[RunStatus::Failed])), [9, 6, 3]);
    assert_eq!(shown(statuses(&[RunStatus::Running, RunStatus::Failed])), [9, 8, 6, 5, 3, 2]);
    assert_eq!(shown(statuses(&[RunStatus::Failed, RunStatus::Failed])), [9, 6, 3]);
    assert_eq!(shown(statuses(&[RunStatus::Paused])), [0; 0]);
    assert_eq!(shown(labels(&[("parity", "even")])), [10, 8, 6, 4, 2]);
    assert_eq!(shown(labels(&[("parity", "even"), ("all", "yes")])), [10, 8, 6, 4, 2]);
    assert_eq!(shown(labels(&[("parity", "even"), ("all", "no")])), [0; 0]);
    let odd = RunFilter { workflow_id: Some(id(101)), ..all() };
    assert_eq!(shown(odd), [9, 7, 5, 3, 1]);
    let unrepeated = RunFilter { is_unrepeated: true, ..statuses(&[RunStatus::Failed]) };
    assert_eq!(shown(unrepeated), [9, 6]);
    let span = RunFilter { created_after: Some(at(3)), created_before: Some(at(5)), ..all() };
    assert_eq!(shown(span), [4, 3]);
    let text = |text: &str| RunFilter { text: Some(text.into()), ..all() };
    assert_eq!(shown(text("went wrong")), [9, 6, 3], "errors are searched");
    assert_eq!(shown(text(&id(7).to_string()[30..])), [7], "ids are searched");
    assert_eq!(shown(text("nothing")), [0; 0]);
    let both = RunFilter {
        statuses: vec![RunStatus::Failed],
        workflow_id: Some(id(101)),
        labels: vec![("parity".into(), "odd".into())],
        text: Some("boom".into()),
        ..all()
    };
    assert_eq!(shown(both), [9, 3]);
    assert_eq!(store.runs("other", &all(), None, 9).unwrap().items, []);
}

pub(crate) fn runs_come_in_pages_newest_first(store: &dyn Store) {
    fill(store);
    for filter in [
        RunFilter::default(),
        RunFilter { labels: vec![("all".into(), "yes".into())], ..RunFilter::default() },
        RunFilter { statuses: RunStatus::ALL.into(), ..RunFilter::default() },
    ] {
        let first = store.runs(PROJECT, &filter, None, 4).unwrap();
        assert_eq!((numbers(&first), first.next.is_some()), (vec![10, 9, 8, 7], true));
        let second = store.runs(PROJECT, &filter, Some(id(7)), 4).unwrap();
        assert_eq!((numbers(&second), second.next.is_some()), (vec![6, 5, 4, 3], true));
        let last = store.runs(PROJECT, &filter, Some(id(3)), 4).unwrap();
        assert_eq!((numbers(&last), last.next.is_some()), (vec![2, 1], false));
    }
}

/// So many runs that it matters by which index a list is read, and a text is looked for more than once.
pub(crate) fn a_list_is_the_same_by_whichever_index(store: &dyn Store) {
    const RUNS: u128 = 1_300;
    let epoch = store.take_over("boot", at(0)).unwrap();
    let write = |number: u128| {
        let write = with(new_run(number), |write| {
            let new = new_of(write);
            new.workflow_id = id(100 + u128::from(number.is_multiple_of(50)));
            new.labels.insert("all".into(), "yes".into());
            new.labels.insert("third".into(), (number % 3).to_string());
            new.labels.insert("rare".into(), number.is_multiple_of(400).to_string());
            new.external_id = Some(format!("x{number}y"));
        });
        match number % 7 {
            0 => with(write, |write| {
                let error = Some(Failure::new("boom", "It went Wrong"));
                let failed = standing(RunStatus::Failed, 1);
                write.standing = Some(Standing { error, finished_at: Some(at(2)), ..failed });
            }),
            1..5 => with(write, |write| {
                let (finished_at, done) = (Some(at(2)), standing(RunStatus::Succeeded, 1));
                write.standing = Some(Standing { finished_at, ..done });
            }),
            _ => write,
        }
    };
    let group: Vec<RunWrite> = (1..=RUNS).map(write).collect();
    assert_eq!(store.commit(epoch, &group).unwrap(), []);
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let (all, third) = (label("all", "yes"), label("third", "1"));
    let (rare, common) = (label("rare", "true"), label("rare", "false"));
    type Fits = fn(u128) -> bool;
    let lists: [(Vec<_>, Option<RunStatus>, Option<u128>, Fits); 11] = [
        (vec![all.clone(), third.clone()], None, None, |n| n % 3 == 1),
        (vec![all.clone(), rare.clone()], None, None, |n| n % 400 == 0),
        (vec![rare, all.clone()], None, Some(101), |n| n % 400 == 0),
        (vec![all.clone()], None, Some(101), |n| n % 50 == 0),
        (vec![all.clone()], Some(RunStatus::Failed), None, |n| n % 7 == 0),
        (vec![third.clone()], Some(RunStatus::Running), Some(100), |n| {
            n % 3 == 1 && n % 7 > 4 && n % 50 != 0
        }),
        (vec![], Some(RunStatus::Succeeded), Some(100), |n| {
            (1..5).contains(&(n % 7)) && n % 50 != 0
        }),
        (vec![], Some(RunStatus::Succeeded), Some(101), |n| {
            (1..5).contains(&(n % 7)) && n % 50 == 0
        }),
        (vec![third.clone()], Some(RunStatus::Succeeded), Some(101), |n| {
            n % 3 == 1 && (1..5).contains(&(n % 7)) && n % 50 == 0
        }),
        (vec![common, all.clone()], Some(RunStatus::Failed), Some(101), |n| {
            n % 7 == 0 && n % 50 == 0 && n % 400 != 0
        }),
        (vec![all, third], Some(RunStatus::Paused), None, |_| false),
    ];
    for (labels, status, workflow, fits) in lists {
        let filter = RunFilter {
            labels,
            statuses: status.into_iter().collect(),
            workflow_id: workflow.map(id),
            ..RunFilter::default()
        };
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = store.runs(PROJECT, &filter, before, 7).unwrap();
            found.extend(numbers(&page));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let wanted: Vec<u128> = (1..=RUNS).rev().filter(|number| fits(*number)).collect();
        assert_eq!(found, wanted, "{filter:?}");
    }
    let text = |text: &str, most, limit, before: Option<u128>| {
        let filter =
            RunFilter { text: Some(text.into()), look_at_most: most, ..RunFilter::default() };
        let page = store.runs(PROJECT, &filter, before.map(id), limit).unwrap();
        (numbers(&page), page.next.map(|next| next.as_u128()))
    };
    assert_eq!(text("x3y", None, 9, None), (vec![3], None));
    assert_eq!(text("x3y", Some(1_000), 9, None), (vec![], Some(301)));
    assert_eq!(text("x3y", Some(1_000), 9, Some(301)), (vec![3], None));
    assert_eq!(text("X790Y", Some(511), 9, None), (vec![790], Some(790)));
    assert_eq!(text("x790y", Some(510), 9, None), (vec![], Some(791)));
    let wrong: Vec<u128> = (1..=RUNS).rev().filter(|number| number % 7 == 0).collect();
    assert_eq!(text("went wrong", Some(900), 99, None), (wrong[..99].into(), Some(wrong[98])));
    assert_eq!(text("went wrong", None, 999, None), (wrong, None));
}

pub(crate) fn a_search_for_a_text_ends_somewhere(store: &dyn Store) {
    fill(store);
    let text = |text: &str| RunFilter {
        text: Some(text.into()),
        look_at_most: Some(4),
        ..RunFilter::default()
    };
    let page = |filter: &RunFilter, before| {
        let page = store.runs(PROJECT, filter, before, 2).unwrap();
        (numbers(&page), page.next.map(|next| next.as_u128()))
    };
    let wrong = text("went wrong");
    assert_eq!(page(&wrong, None), (vec![9], Some(7)));
    assert_eq!(page(&wrong, Some(id(7))), (vec![6, 3], Some(3)), "by the limit, and 3 is the last");
    assert_eq!(page(&wrong, Some(id(3))), (vec![], None));
    assert_eq!(page(&text("nothing"), None), (vec![], Some(7)));
    // Of two statuses, one has come less far than the other.
    let statuses = vec![RunStatus::Failed, RunStatus::Succeeded];
    let both = RunFilter { statuses, look_at_most: Some(2), ..wrong };
    assert_eq!(page(&both, None), (vec![9], Some(7)));
    assert_eq!(page(&both, Some(id(7))), (vec![6, 3], Some(3)));
}

pub(crate) fn steps_and_logs_come_in_pages(store: &dyn Store) {
    let write = with(new_run(7), |write| {
        write.new_steps = (0..5).map(|ordinal| step(ordinal, StepStatus::Queued)).collect();
        write.logs = (1..=6).map(|seq| log(seq, ["a", "b"][(seq % 2) as usize], "x")).collect();
    });
    commit(store, &[write]);
    let ordinals =
        |page: &Page<StepRow>| -> Vec<u32> { page.items.iter().map(|step| step.ordinal).collect() };
    let page = store.steps(id(7), None, 3).unwrap();
    assert_eq!((ordinals(&page), page.has_more), (vec![0, 1, 2], true));
    let page = store.steps(id(7), Some(2), 3).unwrap();
    assert_eq!((ordinals(&page), page.has_more), (vec![3, 4], false));
    let seqs =
        |page: &Page<LogRow>| -> Vec<u64> { page.items.iter().map(|log| log.log_seq).collect() };
    let page = store.logs(id(7), 0, &LogFilter::default(), 4).unwrap();
    assert_eq!((seqs(&page), page.has_more), (vec![1, 2, 3, 4], true));
    let of_step = LogFilter { path: Some("a".into()), ..LogFilter::default() };
    let page = store.logs(id(7), 2, &of_step, 4).unwrap();
    assert_eq!((seqs(&page), page.has_more), (vec![4, 6], false));
    let overview = store.overview(id(7), 3).unwrap().unwrap();
    assert_eq!((ordinals(&overview.steps), overview.steps.has_more), (vec![0, 1, 2], true));
    assert_eq!((overview.row.run_id, overview.last_log_seq), (id(7), 6));
    assert_eq!(store.overview(id(8), 3).unwrap(), None);
}

pub(crate) fn steps_are_counted_by_node(store: &dyn Store) {
    let at_path = |ordinal, path: &str, status| {
        let path = path.to_owned();
        StepRow { path, ..step(ordinal, status) }
    };
    let write = with(new_run(7), |write| {
        write.new_steps = vec![
            at_path(0, "each", StepStatus::Running),
            at_path(1, "each[0].a", StepStatus::Succeeded),
            at_path(2, "each[1].a", StepStatus::Succeeded),
            at_path(3, "each[10].a", StepStatus::Failed),
        ];
    });
    commit(store, &[write]);
    let standings = store.standings(id(7)).unwrap();
    let count = |address: &str, status| standings[address].of(status);
    assert_eq!(standings.len(), 2);
    assert_eq!(count("each", StepStatus::Running), 1);
    assert_eq!(count("each.a", StepStatus::Succeeded), 2);
    assert_eq!(count("each.a", StepStatus::Failed), 1);
    assert!(store.standings(id(8)).unwrap().is_empty());
}

pub(crate) fn events_come_in_pages_by_count_and_size(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let long = "x".repeat(1_000);
    let first = with(new_run(7), |write| {
        let events = [created(id(7), json!(1)), finished(json!(long)), finished(json!(3))];
        write.chunks = vec![chunk(1, &events)];
        standing_of(write).last_seq = 3;
    });
    let second = with(end_run(7, RunStatus::Succeeded), |write| {
        write.after_seq = 3;
        write.chunks = vec![chunk(4, &[finished(json!(long))]), chunk(5, &[finished(json!(5))])];
        standing_of(write).last_seq = 5;
    });
    assert_eq!(store.commit(epoch, &[first]).unwrap(), []);
    assert_eq!(store.commit(epoch, &[second]).unwrap(), []);
    let seqs = |after, limit, bytes| {
        let page = store.events(id(7), after, limit, bytes).unwrap();
        let seqs: Vec<u64> = page.items.iter().map(|event| event.seq).collect();
        (seqs, page.has_more)
    };
    assert_eq!(seqs(0, 99, 99_999), (vec![1, 2, 3, 4, 5], false));
    assert_eq!(seqs(0, 2, 99_999), (vec![1, 2], true));
    assert_eq!(seqs(2, 2, 99_999), (vec![3, 4], true));
    assert_eq!(seqs(4, 2, 99_999), (vec![5], false));
    assert_eq!(seqs(5, 2, 99_999), (vec![], false));
    // However small the size, a page has at least one event, and the list comes to its end.
    let (mut after, mut pages) = (0, 0);
    loop {
        let (seqs, has_more) = seqs(after, 99, 1);
        assert_eq!(seqs.first(), Some(&(after + 1)));
        after = *seqs.last().unwrap();
        pages += 1;
        if !has_more {
            break;
        }
    }
    assert_eq!(after, 5);
    assert!(pages > 1);
}

pub(crate) fn single_events_are_found(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    store.commit(epoch, &[new_run(7)]).unwrap();
    store.commit(epoch, &[end_run(7, RunStatus::Succeeded)]).unwrap();
    let found = store.events_at(id(7), &[2, 1, 9, 0, 2]).unwrap();
    assert_eq!(found.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 1, 2]);
    assert_eq!(found[0].event, finished(json!("done")));
    assert_eq!(store.events_at(id(8), &[1]).unwrap(), []);
}

pub(crate) fn orphans_are_those_of_earlier_epochs(store: &dyn Store) {
    fill(store);
    let epoch = store.take_over("two", at(0)).unwrap();
    assert_eq!(store.orphans(epoch, None, 2).unwrap(), [id(2), id(5)]);
    assert_eq!(store.orphans(epoch, Some(id(5)), 2).unwrap(), [id(8)]);
    assert!(store.orphans(epoch - 1, None, 9).unwrap().is_empty());
    let touched = with(end_run(5, RunStatus::Running), |_| {});
    assert_eq!(store.commit(epoch, &[touched]).unwrap(), []);
    let waiting = with(end_run(8, RunStatus::Waiting), |_| {});
    assert_eq!(store.commit(epoch, &[waiting]).unwrap(), []);
    assert_eq!(store.orphans(epoch, None, 9).unwrap(), [id(2)]);
}

pub(crate) fn timers_come_by_time(store: &dyn Store) {
    let timers = |number, timers: &[(&str, i64)]| {
        with(new_run(number), |write| {
            write.timers_set =
                timers.iter().map(|(path, due)| ((*path).into(), at(*due))).collect();
        })
    };
    commit(store, &[timers(7, &[("b", 5), ("a", 5), ("c", 1)]), timers(8, &[("a", 3)])]);
    let due = |until, limit| -> Vec<(u128, String)> {
        let timers = store.due_timers(at(until), limit).unwrap();
        timers.into_iter().map(|timer| (timer.run_id.as_u128(), timer.path)).collect()
    };
    let row = |number, path: &str| (number, path.to_owned());
    assert_eq!(due(9, 9), [row(7, "c"), row(8, "a"), row(7, "a"), row(7, "b")]);
    assert_eq!(due(9, 2), [row(7, "c"), row(8, "a")]);
    assert_eq!(due(3, 9), [row(7, "c"), row(8, "a")]);
    assert_eq!(due(0, 9), []);
}

pub(crate) fn old_keys_are_pruned(store: &dyn Store) {
    let keyed = |number: u128| {
        with(new_run(number), |write| {
            new_of(write).key = Some(key(&format!("k{number}"), "hash"));
        })
    };
    commit(store, &[keyed(1), keyed(2), keyed(3), keyed(4)]);
    assert_eq!(store.prune_keys(99, at(4), 2).unwrap(), 2);
    assert_eq!(store.prune_keys(99, at(4), 2).unwrap(), 1);
    assert_eq!(store.prune_keys(99, at(4), 2).unwrap(), 0);
    assert_eq!(store.key(PROJECT, "POST /execute", "k1").unwrap(), None);
    assert!(store.key(PROJECT, "POST /execute", "k4").unwrap().is_some());
}

pub(crate) fn a_key_has_its_time(store: &dyn Store) {
    let keyed = |number: u128, seconds: i64| {
        with(new_run(number), |write| {
            new_of(write).key = Some(key("k", "hash"));
            new_of(write).created_at = Time::from_micros(seconds * 1_000_000);
        })
    };
    let epoch = store.take_over("boot", at(0)).unwrap();
    let week = 7 * 86_400;
    assert_eq!(store.commit(epoch, &[keyed(1, 10)]).unwrap(), []);
    let taken = store.commit(epoch, &[keyed(2, week + 9)]).unwrap();
    assert!(matches!(taken[..], [(0, Conflict::KeyTaken { .. })]), "{taken:?}");
    // Whether or not it has been pruned.
    assert_eq!(store.commit(epoch, &[keyed(3, week + 10)]).unwrap(), []);
    let found = store.key(PROJECT, "POST /execute", "k").unwrap().unwrap();
    assert_eq!(found.run_id, id(3));
}

pub(crate) fn an_empty_store_has_empty_lists(store: &dyn Store) {
    store.check().unwrap();
    store.tidy().unwrap();
    assert_eq!(store.workflows(PROJECT, None, 9).unwrap().items, []);
    assert_eq!(store.steps(id(7), None, 9).unwrap().items, []);
    assert_eq!(store.events(id(7), 0, 9, 9).unwrap().items, []);
    assert_eq!(store.logs(id(7), 0, &LogFilter::default(), 9).unwrap().items, []);
    assert_eq!(store.load_run(id(7), 1).unwrap(), None);
    assert!(store.orphans(9, None, 9).unwrap().is_empty());
    for name in ["b", "a", "c"] {
        store.deploy(&deploy(name, "x", 1 + u128::from(name.as_bytes()[0]))).unwrap();
    }
    let names = |after, limit| -> (Vec<String>, bool) {
        let page = store.workflows(PROJECT, after, limit).unwrap();
        (page.items.into_iter().map(|row| row.name).collect(), page.has_more)
    };
    assert_eq!(names(None, 2), (vec!["a".into(), "b".into()], true));
    assert_eq!(names(Some("b"), 2), (vec!["c".into()], false));
}

pub(crate) fn whoever_waits_for_a_word_is_found(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let commit = |write: RunWrite| assert_eq!(store.commit(epoch, &[write]).unwrap(), []);
    let rows = [
        ask(7, "a", "approval", "Send \u{0}?", 5),
        ask(7, "b", "event", "paid", 1),
        ask(8, "a", "approval", "Pay?", 5),
        ask(8, "c", "event", "paid", 3),
        ask(8, "d", "event", "lost", 2),
    ];
    for number in [7, 8] {
        let own = rows.iter().filter(|ask| ask.run_id == id(number));
        commit(with(new_run(number), |write| write.asks_set = own.cloned().collect()));
    }
    let found = |kind: &str, name: Option<&str>, after: Option<&AskKey>, limit| {
        let page = store.asks(PROJECT, kind, name, after, limit).unwrap();
        let shown = page.items.iter().map(|ask| format!("{} {}", ask.run_id.as_u128(), ask.path));
        (shown.collect::<Vec<_>>(), page.has_more)
    };
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    assert_eq!(found("approval", None, None, 9), (list(&["7 a", "8 a"]), false));
    assert_eq!(found("event", Some("paid"), None, 1), (list(&["7 b"]), true));
    assert_eq!(found("event", Some("paid"), Some(&rows[1].key()), 9).0, list(&["8 c"]));
    assert_eq!(found("event", Some("gone"), None, 9).0, list(&[]));
    assert_eq!(store.asks("other", "event", None, None, 9).unwrap().items, []);
    let read = store.asks(PROJECT, "event", Some("paid"), None, 9).unwrap().items;
    assert_eq!(read, [rows[1].clone(), rows[3].clone()]);
    let title = &store.asks(PROJECT, "approval", None, None, 1).unwrap().items[0].name;
    assert!(!title.contains('\u{0}') && title.starts_with("Send "), "{title:?}");
    commit(with(end_run(7, RunStatus::Succeeded), |write| write.asks_cleared = vec!["b".into()]));
    assert_eq!(found("event", Some("paid"), None, 9).0, list(&["8 c"]));
}

pub(crate) fn an_output_is_found_again_until_its_time_is_up(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let row = |number: u128, key: &str, expires: i64| {
        let (project, key, run_id) = (PROJECT.into(), key.into(), id(number));
        CacheRow { project, key, run_id, seq: 1, expires_at: at(expires) }
    };
    let first = with(new_run(7), |write| write.cached = vec![row(7, "a", 5), row(7, "b", 9)]);
    let second = with(new_run(8), |write| write.cached = vec![row(8, "a", 7)]);
    for write in [first, second] {
        assert_eq!(store.commit(epoch, &[write]).unwrap(), []);
    }
    let found = |key: &str, now| store.cached(PROJECT, key, at(now)).unwrap();
    assert_eq!(found("a", 6), Some(row(8, "a", 7)), "the newer one");
    assert_eq!((found("a", 7), found("c", 1)), (None, None));
    assert_eq!(store.cached("other", "a", at(1)).unwrap(), None);
    assert_eq!(store.prune_cache(epoch - 1, at(8), 9), Err(StoreError::Fenced));
    assert_eq!(store.prune_cache(epoch, at(8), 9).unwrap(), 1);
    assert_eq!((found("a", 1), found("b", 1)), (None, Some(row(7, "b", 9))));
}

pub(crate) fn what_models_take_is_added_up(store: &dyn Store) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    let write = |number: u128, rows: Vec<UsageRow>| {
        let write = with(new_run(number), |write| write.usage = rows);
        assert_eq!(store.commit(epoch, &[write]).unwrap(), []);
    };
    write(7, vec![usage(7, "ask", 20_000, 5), usage(7, "tell", 20_000, 1)]);
    let more = with(end_run(7, RunStatus::Succeeded), |write| {
        write.usage = vec![usage(7, "ask", 20_000, -2), usage(7, "ask", 20_001, 3)];
    });
    assert_eq!(store.commit(epoch, &[more]).unwrap(), []);
    write(8, vec![usage(8, "ask", 20_000, 10)]);
    let shown = |rows: Vec<UsageRow>| -> Vec<(i64, String, i64)> {
        rows.into_iter().map(|row| (row.day, row.node, row.taken.held_tokens)).collect()
    };
    let of_run = store.usage_of_run(id(7)).unwrap();
    assert_eq!((of_run[0].run_id, of_run[0].first_at), (id(7), at(1)));
    let (ask, tell) = ("ask".to_owned(), "tell".to_owned());
    let wanted = [(20_000, ask.clone(), 3), (20_000, tell.clone(), 1), (20_001, ask.clone(), 3)];
    assert_eq!(shown(of_run), wanted);
    let filter = UsageFilter { workflow: None, from_day: 20_000, to_day: 20_000, by_hour: false };
    let found = |project: &str, filter: &UsageFilter, limit| {
        shown(store.usage(project, filter, limit).unwrap())
    };
    assert_eq!(found(PROJECT, &filter, 9), [(20_000, ask.clone(), 13), (20_000, tell, 1)]);
    assert_eq!(found(PROJECT, &filter, 1), [(20_000, ask, 13)]);
    assert_eq!(found("other", &filter, 9), []);
    let at_hour = |number: u128, hour: i64, tokens| UsageRow {
        project: "hours".into(),
        first_at: at((30_000 * 24 + hour) * 3_600),
        ..usage(number, "ask", 30_000, tokens)
    };
    write(9, vec![at_hour(9, 3, 1)]);
    write(10, vec![at_hour(10, 3, 2)]);
    write(11, vec![at_hour(11, 5, 4)]);
    let by_hour = |by_hour| {
        let filter = UsageFilter { workflow: None, from_day: 30_000, to_day: 30_000, by_hour };
        let rows = store.usage("hours", &filter, 9).unwrap();
        rows.into_iter().map(|row| row.taken.held_tokens).collect::<Vec<_>>()
    };
    assert_eq!((by_hour(false), by_hour(true)), (vec![7], vec![4, 3]));
    let other = UsageFilter { workflow: Some("other".into()), ..filter };
    assert_eq!(found(PROJECT, &other, 9), []);
    assert_eq!(store.prune_usage(epoch - 1, 20_001, 9), Err(StoreError::Fenced));
    assert_eq!(store.prune_usage(epoch, 20_001, 2).unwrap(), 2);
    assert_eq!(store.prune_usage(epoch, 20_001, 2).unwrap(), 1);
    assert_eq!(shown(store.usage_of_run(id(7)).unwrap()).len(), 1);
}
