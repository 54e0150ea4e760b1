//! Single flight: one maker per key, everybody else waits for its result.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Shares the result of making the value of a key among all who ask for it, now and later.
pub struct SingleFlight<K, V> {
    cells: Mutex<HashMap<K, Arc<OnceCell<V>>>>,
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self { cells: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// The value of `key`, made by `make` unless somebody has made it or is making it. After a failure the next who
    /// asks tries again.
    ///
    /// # Errors
    /// The error of `make`.
    pub async fn get<E, F>(&self, key: K, make: impl FnOnce() -> F) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key).or_default())
        };
        cell.get_or_try_init(make).await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn made_once() {
        let flight = SingleFlight::default();
        let made = AtomicUsize::new(0);
        let ask = || {
            flight.get("key", || async {
                made.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok::<_, ()>(7)
            })
        };
        let (a, b) = futures_util::join!(ask(), ask());
        assert_eq!((a, b, made.load(Ordering::Relaxed)), (Ok(7), Ok(7), 1));
    }
}
