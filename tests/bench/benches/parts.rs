//! The library's parts under criterion: `cargo bench -p strata-bench`.

use criterion::{Criterion, criterion_group, criterion_main};
use strata_bench::parts;

fn all(criterion: &mut Criterion) {
    for mut pair in parts::all() {
        let mut group = criterion.benchmark_group(format!("{} beside {}", pair.name, pair.baseline));
        group.bench_function("strata", |bencher| bencher.iter(&mut pair.ours));
        group.bench_function(pair.baseline, |bencher| bencher.iter(&mut pair.theirs));
        group.finish();
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
