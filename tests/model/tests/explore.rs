#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
use stateright::{Checker, Model};
use std::time::Instant;
use strata_model::{
    faults::Budget,
    scenario::{Register, Request, Scenario},
    state::State,
};

fn line(s: &State) -> String {
    let c = |i: usize| {
        let c = &s.containers[i];
        format!(
            "{}{} l1={:?} {}",
            c.knowledge.as_ref().map_or("cold".into(), |k| format!(
                "c{} h{} e{} open{:?}",
                k.cursor,
                k.reach,
                k.epoch,
                k.open.iter().map(|b| b.at).collect::<Vec<_>>()
            )),
            if c.cut { " CUT" } else { "" },
            c.memory.map(|m| (m.version, m.stamp)),
            c.operation.as_ref().map_or(String::new(), |o| format!(
                "{:?}->{:?} v{} a{} seen{:?} r{}",
                o.request, o.step, o.version, o.stamp, o.seen, o.restarted
            ))
        )
    };
    format!(
        "      J{:?} open{:?} meta{:?} L2={:?} L3={:?} notes={:?} rep={:?} cur={:?}\n      A: {}\n      B: {}\n      N: {}",
        s.redis.journal.iter().map(|r| format!("{}:{:?}", r.at, r.event)).collect::<Vec<_>>(),
        s.redis.open.iter().map(|b| b.at).collect::<Vec<_>>(),
        s.redis.meta.map(|m| (m.identity, m.epoch, m.notes.is_some())),
        s.redis.copy.map(|c| (c.version, c.stamp, c.gone)),
        s.database.row,
        s.database.notes,
        s.replica.is_some(),
        s.history.current,
        c(0),
        c(1),
        c(2)
    )
}

fn run(name: &str, scenario: Scenario) -> usize {
    let t = Instant::now();
    let checker = scenario.checker().threads(1).spawn_bfs().join();
    println!("{name}: {} states in {:?}", checker.unique_state_count(), t.elapsed());
    if let Some((property, path)) =
        checker.discoveries().into_iter().min_by_key(|(_, p)| p.clone().into_actions().len())
    {
        println!("  VIOLATION {property}");
        for (state, action) in path.into_vec() {
            println!("{}\n    {action:?}", line(&state));
        }
        std::process::exit(1);
    }
    checker.unique_state_count()
}

#[test]
fn explore() {
    use Request::*;
    let all = [Put, PutAbove, Delete, Invalidate, InvalidateAbove, Get];
    let budgets = [
        ("none", Budget::default()),
        ("crash", Budget { crash: 1, ..Budget::default() }),
        ("cut", Budget { cut: 1, ..Budget::default() }),
        ("flush", Budget { flush: 1, ..Budget::default() }),
        ("failover", Budget { failover: 1, ..Budget::default() }),
        ("evict+trim", Budget { evict: 1, trim: 1, ..Budget::default() }),
        ("age", Budget { age: 1, evict: 1, ..Budget::default() }),
    ];
    let only = std::env::var("ONLY").unwrap_or_default();
    let reads: Vec<usize> =
        std::env::var("READS").unwrap_or("011".into()).chars().map(|c| c.to_digit(10).unwrap() as usize).collect();
    let gets = |n: usize| vec![Get; n];
    for register in [Register::L3, Register::L2] {
        for (name, budget) in budgets {
            if !only.is_empty() && !name.starts_with(&only) {
                continue;
            }
            for (i, a) in all.iter().enumerate() {
                for b in &all[i..] {
                    run(
                        &format!("{register:?} {name} {a:?} {b:?}"),
                        Scenario::new(register)
                            .ask(
                                &[&[*a][..], &gets(reads[0])].concat(),
                                &[&[*b][..], &gets(reads[1])].concat(),
                                &gets(reads[2]),
                            )
                            .with(budget),
                    );
                }
            }
        }
    }
}

#[test]
fn mutants() {
    use Request::*;
    use strata_model::scenario::Rule;
    use stateright::HasDiscoveries;
    let all = [Put, PutAbove, Delete, Invalidate, InvalidateAbove, Get];
    let budgets = [
        ("none", Budget::default()),
        ("crash", Budget { crash: 1, ..Budget::default() }),
        ("cut", Budget { cut: 1, ..Budget::default() }),
        ("flush", Budget { flush: 1, ..Budget::default() }),
        ("failover", Budget { failover: 1, ..Budget::default() }),
        ("trim", Budget { evict: 1, trim: 1, ..Budget::default() }),
        ("age", Budget { age: 1, evict: 1, ..Budget::default() }),
        ("crash+age", Budget { age: 1, crash: 1, ..Budget::default() }),
    ];
    for rule in [Rule::HistoryAtReset, Rule::ConditionalCopy, Rule::CheckAndUndo, Rule::StampBeforeRead, Rule::ConsistentReads, Rule::Epoch, Rule::Barrier,
        Rule::ConditionalRow, Rule::RegisterFirst, Rule::CoverByPosition, Rule::NoteLast, Rule::Notes, Rule::MarkersGo, Rule::CloseChecks] {
        for register in [Register::L3, Register::L2] {
            for (name, budget) in budgets {
                for reads in [vec![], vec![Get]] {
                let mut found = vec![];
                for (i, a) in all.iter().enumerate() {
                    for b in &all[i..] {
                        let base = Scenario::new(register).ask(&[*a], &[*b], &reads).with(budget);
                        let c = base.clone().without(rule).checker().threads(1).finish_when(HasDiscoveries::Any).timeout(std::time::Duration::from_secs(3)).spawn_bfs().join();
                        for (p, path) in c.discoveries() { found.push(format!("{a:?}/{b:?} {} {} steps {} states", &p[..2], path.into_actions().len(), c.unique_state_count())); }
                    }
                }
                if !found.is_empty() { println!("{rule:?} {register:?} {name} reads{}: {}", reads.len(), found.join("; ")); }
                if !reads.is_empty() || found.is_empty() && name != "none" && name != "crash+age" { continue; }
                }
            }
        }
        println!("---");
    }
}
