use std::time::Duration;
use strata_it::{Api, entry};
use strata_stack::{L3Fault, Options};
#[tokio::main]
async fn main() {
    let api = Api::with(Options::default().binaries("/tmp/bins1").functions(["authorizer", "entries", "invalidate"])).await;
    api.request("POST", "/invalidate").body(r#"{"pattern":"zzz*"}"#).send().await;
    for i in 0..12 {
        let key = format!("k{i}");
        let t0 = std::time::Instant::now();
        let put = tokio::join!(
            api.put(&entry(&key), r#"{"value":1}"#).pin("entries-1").send(),
            async {
                api.stack.l3().set(L3Fault::Slow { ms: 1500 }).await;
                tokio::time::sleep(Duration::from_millis(150)).await;
                api.stack.l3().set(L3Fault::Ok).await;
            }
        ).0;
        let t1 = t0.elapsed();
        let inv = api.request("POST", "/invalidate").body(format!(r#"{{"pattern":"{key}"}}"#)).send().await;
        let t2 = t0.elapsed();
        let now = api.get(&entry(&key)).pin("entries-2").header("cache-control", "no-cache").send().await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let later = api.get(&entry(&key)).pin("entries-2").header("cache-control", "no-cache").send().await;
        println!("put {} at {t1:?}; invalidate {} at {t2:?}; read {} then {}", put.status, inv.status, now.status, later.status);
    }
}
