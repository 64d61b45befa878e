//! Templates made up from a seed, for tests and simulations.

use std::fmt::Write as _;

/// A template in YAML that is accepted without errors, the same for the same seed.
///
/// It has the queues `Stage_0`, `Stage_1`, … and then `Settled`, `Ate` and `Chronos`; one or two
/// BETA roles at each stage; ways on, past stages and back; and guardians of every type. Its
/// conditions read the attributes `amount` (a number), `rounds` (a number) and `flagged` (a bool),
/// which a unit may lack.
pub fn random(seed: u64) -> String {
    Maker { chance: Chance(seed), ..Maker::default() }.template(seed)
}

#[derive(Default)]
struct Maker {
    chance: Chance,
    roles: String,
    components: String,
    guardians: String,
}

impl Maker {
    fn template(mut self, seed: u64) -> String {
        let stages = 1 + self.chance.below(4);
        self.role("Source", "ALPHA");
        self.component("source_out", "Source", "Stage_0", "OUTBOUND");
        for stage in 0..stages {
            for twin in 0..1 + self.chance.below(2) {
                self.worker(stage, stages, twin);
            }
        }
        self.role("Closer", "OMEGA");
        self.component("close_in", "Closer", "Settled", "INBOUND");
        self.cerberus();
        self.role("Medic", "EPSILON");
        self.component("medic_in", "Medic", "Ate", "INBOUND");
        self.guardian("medic_in", "PASS_THRU", "{}");
        let mended = if self.chance.one_in(3) { "Stage_0" } else { "Settled" };
        self.component("medic_out", "Medic", mended, "OUTBOUND");
        self.component("medic_late", "Medic", "Chronos", "OUTBOUND");
        self.role("Clock", "TAU");
        self.component("clock_in", "Clock", "Chronos", "INBOUND");
        self.component("clock_out", "Clock", "Ate", "OUTBOUND");
        let mut interactions = String::new();
        for stage in 0..stages {
            let limit = match self.chance.below(3) {
                0 => format!(", stale_token_limit_seconds: {}", 60 * (1 + self.chance.below(60))),
                _ => String::new(),
            };
            let _ = writeln!(interactions, "  - {{name: Stage_{stage}{limit}}}");
        }
        for name in ["Settled", "Ate", "Chronos"] {
            let _ = writeln!(interactions, "  - {{name: {name}}}");
        }
        format!(
            "workflow:\n  name: Random_{seed}\n  description: \"made up: seed {seed}\"\n  version: \
             {}\n  ai_context: {{seed: {seed}}}\nroles:\n{}interactions:\n{interactions}components:\n\
             {}guardians:\n{}",
            1 + self.chance.below(9),
            self.roles,
            self.components,
            self.guardians
        )
    }

    /// A BETA that pulls from a stage and pushes to the next, and perhaps elsewhere.
    fn worker(&mut self, stage: u64, stages: u64, twin: u64) {
        let name = format!("Worker_{stage}_{twin}");
        let word = self.chance.of(&["BETA", "BETA", "HUMAN", "AI_AGENT", "AUTO", "SIGMA"]);
        let strategy = self.chance.of(&["HOMOGENEOUS", "HETEROGENEOUS"]);
        let _ =
            writeln!(self.roles, "  - {{name: {name}, role_type: {word}, strategy: {strategy}}}");
        let pulls = format!("in_{stage}_{twin}");
        self.component(&pulls, &name, &format!("Stage_{stage}"), "INBOUND");
        self.gate(&pulls);
        let ahead = |stage: u64| match stage {
            stage if stage < stages => format!("Stage_{stage}"),
            _ => "Settled".to_owned(),
        };
        if self.chance.one_in(2) {
            let back = format!("back_{stage}_{twin}");
            let to = format!("Stage_{}", self.chance.below(stage + 1));
            self.component(&back, &name, &to, "OUTBOUND");
            let branch =
                format!("{{condition: \"rounds < 2\", next_interaction: {to}, action: again}}");
            self.policy(&back, &branch);
        }
        if stage + 1 < stages && self.chance.one_in(2) {
            let past = format!("past_{stage}_{twin}");
            self.component(&past, &name, "Settled", "OUTBOUND");
            let least = 10 * self.chance.below(50);
            let branch = format!("{{condition: \"amount >= {least} and not flagged\"}}");
            self.policy(&past, &branch);
        }
        let on = format!("out_{stage}_{twin}");
        self.component(&on, &name, &ahead(stage + 1), "OUTBOUND");
        let on_error = match self.chance.below(2) {
            0 => "{on_error: true}, ",
            _ => "",
        };
        self.policy(&on, &format!("{on_error}{{default: true, payload: {{stage: {stage}}}}}"));
    }

    /// A guardian of some type on an INBOUND component, or none.
    fn gate(&mut self, component: &str) {
        let number = self.chance.below(100);
        let (kind, config) = match self.chance.below(9) {
            0 => ("PASS_THRU", "{}".to_owned()),
            1 => ("CRITERIA_GATE", format!("{{field: amount, operator: GT, threshold: {number}}}")),
            2 => (
                "CRITERIA_GATE",
                format!(
                    "{{operator: OR, rules: [{{field: amount, condition: gte, value: {number}}}, \
                     {{field: flagged, condition: exists}}]}}"
                ),
            ),
            3 => ("TTL_CHECK", format!("{{max_age_seconds: {}}}", 3_600 * (1 + number))),
            4 => (
                "COMPOSITE",
                format!(
                    "{{logic: OR, steps: [{{type: CRITERIA_GATE, config: {{field: amount, operator: \
                     LT, threshold: {number}}}}}, {{type: PASS_THRU}}]}}"
                ),
            ),
            5 => (
                "COMPOSITE",
                "{operator: AND, guardians: [{type: TTL_CHECK, attributes: {}}]}".to_owned(),
            ),
            6 => (
                "CONDITIONAL_INJECTOR",
                format!(
                    "{{scope: pre_execution, rules: [{{condition: \"amount > {number}\", action: \
                     mutate, payload: {{instructions: \"look twice\", knowledge_fragments: \
                     [policy]}}}}]}}"
                ),
            ),
            _ => return,
        };
        self.guardian(component, kind, &config);
    }

    fn cerberus(&mut self) {
        let config = match self.chance.below(3) {
            0 => "{}",
            1 => "{wait_for_children: true, sync_strategy: all_complete}",
            _ => "{min_children: 0, max_children: 1000, timeout_seconds: 86400}",
        };
        self.guardian("close_in", "CERBERUS", config);
    }

    fn policy(&mut self, component: &str, branches: &str) {
        let config = format!("{{interaction_policy: {{branches: [{branches}]}}}}");
        let kind = self.chance.of(&["PASS_THRU", "DIRECTIONAL_FILTER"]);
        self.guardian(component, kind, &config);
    }

    fn role(&mut self, name: &str, word: &str) {
        let _ = writeln!(self.roles, "  - {{name: {name}, role_type: {word}}}");
    }

    fn component(&mut self, name: &str, role: &str, interaction: &str, direction: &str) {
        let _ = writeln!(
            self.components,
            "  - {{name: {name}, role: {role}, interaction: {interaction}, direction: {direction}}}"
        );
    }

    fn guardian(&mut self, component: &str, kind: &str, config: &str) {
        let _ = writeln!(
            self.guardians,
            "  - {{name: {component}_guard, component_name: {component}, type: {kind}, config: \
             {config}}}"
        );
    }
}

/// Numbers that look drawn by lot, after Steele, Lea and Flood (SplitMix).
#[derive(Default)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to before `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of(&mut self, words: &[&'static str]) -> &'static str {
        let index = usize::try_from(self.next() % words.len() as u64).unwrap_or_default();
        words[index]
    }
}
