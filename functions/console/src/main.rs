//! The console's binary; everything is in the library of the same name.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    console::run().await
}
