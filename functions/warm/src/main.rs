//! The `warm` function.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), strata_api::Error> {
    strata_api::serve(warm::ROUTES).await
}
