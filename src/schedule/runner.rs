//! Runs every node of a graph after its dependencies.

use std::collections::BinaryHeap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::base::{Dag, NodeId};

/// Runs `work` for every node, at most `limit` at once, those on the longest remaining way first.
///
/// `work` is given the results of the node's dependencies in the order of [`Dag::dependencies`]. The first failure
/// cancels `cancel`, lets what is running end, and is returned; failures that follow it are dropped because they
/// are usually its echo. A `cancel` from outside stops new nodes from starting; `work` itself must watch the token.
///
/// Returns the results in node order, or `None` for nodes that did not run because of the cancellation.
///
/// # Errors
/// The first error of `work`.
pub async fn run<N, T, E, F, W>(
    dag: &Dag<N>,
    limit: NonZeroUsize,
    cancel: &CancellationToken,
    work: W,
) -> Result<Vec<Option<Arc<T>>>, E>
where
    W: Fn(NodeId, Vec<Arc<T>>) -> F,
    F: Future<Output = Result<T, E>>,
{
    let heights = dag.heights();
    let dependents = dag.dependents();
    let mut missing: Vec<usize> = dag.iter().map(|(id, _)| dag.dependencies(id).len()).collect();
    let mut results: Vec<Option<Arc<T>>> = dag.iter().map(|_| None).collect();
    // Highest first; among equals the earlier node.
    let priority = |id: NodeId| (heights[id.index()], std::cmp::Reverse(id));
    let mut ready: BinaryHeap<_> =
        dag.iter().map(|(id, _)| id).filter(|id| missing[id.index()] == 0).map(priority).collect();
    let mut running = FuturesUnordered::new();
    let mut failure = None;
    loop {
        while running.len() < limit.get() && failure.is_none() && !cancel.is_cancelled() {
            let Some((_, std::cmp::Reverse(id))) = ready.pop() else { break };
            let inputs = dag
                .dependencies(id)
                .iter()
                .map(|d| results[d.index()].clone().expect("a node is ready when all it needs is done"))
                .collect();
            let future = work(id, inputs);
            running.push(async move { (id, future.await) });
        }
        let Some((id, result)) = running.next().await else { break };
        match result {
            Ok(value) => {
                results[id.index()] = Some(Arc::new(value));
                for dependent in &dependents[id.index()] {
                    missing[dependent.index()] -= 1;
                    if missing[dependent.index()] == 0 {
                        ready.push(priority(*dependent));
                    }
                }
            }
            Err(error) => {
                cancel.cancel();
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(results), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn diamond() -> Dag<u32> {
        let mut dag = Dag::new();
        let a = dag.add(1, vec![]);
        let b = dag.add(2, vec![a]);
        let c = dag.add(3, vec![a]);
        dag.add(4, vec![b, c]);
        dag
    }

    #[tokio::test]
    async fn results_flow_along_the_graph() {
        let dag = diamond();
        let limit = NonZeroUsize::new(2).unwrap();
        let cancel = CancellationToken::new();
        let results = run(&dag, limit, &cancel, |id, inputs| {
            let own = *dag.node(id);
            async move { Ok::<_, ()>(own + inputs.iter().map(|v| **v).sum::<u32>()) }
        });
        let results: Vec<_> = results.await.unwrap().into_iter().map(|v| *v.unwrap()).collect();
        assert_eq!(results, [1, 3, 4, 11]);
    }

    #[tokio::test]
    async fn first_failure_stops_the_rest() {
        let dag = diamond();
        let cancel = CancellationToken::new();
        let ran = AtomicUsize::new(0);
        let error = run(&dag, NonZeroUsize::MIN, &cancel, |id, _| {
            ran.fetch_add(1, Ordering::Relaxed);
            async move { if id.index() == 1 { Err("no") } else { Ok(()) } }
        });
        assert_eq!(error.await.unwrap_err(), "no");
        assert!(cancel.is_cancelled());
        assert_eq!(ran.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn never_more_than_the_limit_at_once() {
        let mut dag = Dag::new();
        for n in 0..20u32 {
            dag.add(n, vec![]);
        }
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let limit = NonZeroUsize::new(3).unwrap();
        run(&dag, limit, &CancellationToken::new(), |_, _| async {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, ()>(())
        })
        .await
        .unwrap();
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }
}
