//! A container: one slot of a function, with a name that stays and a process that comes and goes.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::Error;
use crate::invoke_error::InvokeError;
use crate::pool::Lease;
use crate::process::{Spec, State};
use crate::supervisor::{Order, Supervisor, Waiting};

/// The handle of a container; its [`Supervisor`] does the work.
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) function: String,
    /// Whether it is started before there is an invocation for it.
    pub(crate) eager: bool,
    orders: mpsc::UnboundedSender<Order>,
    state: watch::Receiver<State>,
}

impl Container {
    pub(crate) async fn open(spec: Spec) -> Result<Self, Error> {
        spec.logs.clear(&spec.name)?;
        let (name, function, eager) = (spec.name.clone(), spec.function.clone(), spec.eager);
        let (orders, received) = mpsc::unbounded_channel();
        let (report, state) = watch::channel(State::default());
        let supervisor = Supervisor::open(spec, report).await?;
        tokio::spawn(supervisor.run(received));
        Ok(Self { name, function, eager, orders, state })
    }

    /// Hands an event to the container that the lease is for, under this request id. The invocation goes on when the
    /// caller loses interest.
    pub(crate) async fn invoke(&self, lease: Lease, id: String, event: Bytes) -> Result<Bytes, InvokeError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Invoke(Waiting { id, event, reply, lease }));
        answer.await.unwrap_or(Err(InvokeError::ShutDown))
    }

    /// Kills the process; it is gone when this returns.
    pub(crate) async fn kill(&self) {
        let (done, gone) = oneshot::channel();
        self.order(Order::Kill(done));
        // Without a supervisor there is no process either.
        let _ = gone.await;
    }

    /// Kills the process and starts no other.
    pub(crate) async fn stop(&self) {
        self.order(Order::Stop);
        self.kill().await;
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    fn order(&self, order: Order) {
        // The supervisor ends with the stack only.
        let _ = self.orders.send(order);
    }
}
