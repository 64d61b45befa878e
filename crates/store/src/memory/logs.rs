use uuid::Uuid;
use windlass_core::Time;

use super::lists::page;
use super::{Data, Run};
use crate::logs::{FoundLine, LogFilter, LogLevel, LogRow, LogSearch};
use crate::rows::Page;
use crate::text::nul_safe;
use crate::words::Query;

impl Data {
    pub(super) fn add_logs(&mut self, run_id: Uuid, logs: &[LogRow]) {
        let Some(run) = self.runs.get_mut(&run_id) else { return };
        for log in logs {
            self.last_line_id += 1;
            let log = LogRow { text: nul_safe(&log.text).into_owned(), ..log.clone() };
            run.logs.push((self.last_line_id, log));
        }
    }

    /// A database counts on from the last line it has.
    pub(super) fn recount_lines(&mut self) {
        let last = self.runs.values().filter_map(|run| run.logs.last());
        self.last_line_id = last.map(|(line_id, _)| *line_id).max().unwrap_or(0);
    }

    pub(super) fn list_logs(
        &self,
        run_id: Uuid,
        after: u64,
        filter: &LogFilter,
        limit: usize,
    ) -> Page<LogRow> {
        let query = filter.text.as_deref().map(Query::parse);
        let has_text = |log: &LogRow| match &query {
            None => true,
            Some(query) => query.as_ref().is_some_and(|query| query.matches(&log.text)),
        };
        let logs = self.runs.get(&run_id).into_iter().flat_map(|run| &run.logs);
        let wanted = logs
            .map(|(_, log)| log)
            .filter(|log| log.log_seq > after)
            .filter(|log| filter.path.as_ref().is_none_or(|path| log.path == *path))
            .filter(|log| fits(log, filter.level, filter.from, filter.until))
            .filter(|log| has_text(log));
        page(wanted.take(limit.saturating_add(1)).cloned().collect(), limit)
    }

    pub(super) fn find_logs(
        &self,
        project: &str,
        search: &LogSearch,
        before: Option<i64>,
        limit: usize,
    ) -> Page<FoundLine> {
        let query = Query::parse(&search.text);
        let of_run = |run: &Run| {
            run.row.project == project
                && search.workflow_id.is_none_or(|id| run.row.workflow_id == id)
        };
        let is_wanted = |line_id: i64, line: &LogRow| {
            before.is_none_or(|before| line_id < before)
                && fits(line, search.level, search.from, search.until)
                && query.as_ref().is_some_and(|query| query.matches(&line.text))
        };
        let of_runs = self.runs.values().filter(|run| of_run(run)).flat_map(|run| {
            let wanted = run.logs.iter().filter(|(line_id, line)| is_wanted(*line_id, line));
            wanted.map(|(line_id, line)| FoundLine {
                line_id: *line_id,
                run_id: run.row.run_id,
                workflow: run.row.workflow.clone(),
                line: line.clone(),
            })
        });
        let mut found: Vec<FoundLine> = of_runs.collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.line_id));
        page(found, limit)
    }
}

fn fits(log: &LogRow, level: Option<LogLevel>, from: Option<Time>, until: Option<Time>) -> bool {
    level.is_none_or(|level| log.level.unwrap_or(LogLevel::Info) >= level)
        && from.is_none_or(|from| log.at >= from)
        && until.is_none_or(|until| log.at < until)
}
