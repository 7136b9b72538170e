use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a [`Pooled`] value goes when its last holder drops it: back to a [`Pool`], or to a driver's queue.
pub trait Recycle<T>: Send + Sync {
    fn recycle(&self, value: T);
}

/// A counted value on loan. Dropping it hands it back; nothing is freed.
pub struct Pooled<T> {
    value: Option<T>,
    home: Arc<dyn Recycle<T>>,
}

impl<T> Pooled<T> {
    pub fn new(value: T, home: Arc<dyn Recycle<T>>) -> Self {
        Self { value: Some(value), home }
    }

    /// Lets it go to `home` when it is dropped; returns where it would have gone.
    pub(crate) fn redirect(&mut self, home: Arc<dyn Recycle<T>>) -> Arc<dyn Recycle<T>> {
        std::mem::replace(&mut self.home, home)
    }

    /// Whether it goes back to `home`.
    pub fn belongs_to(&self, home: &Arc<dyn Recycle<T>>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.home), Arc::as_ptr(home))
    }
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    #[allow(clippy::expect_used)] // the value leaves in `drop` only
    fn deref(&self) -> &T {
        self.value.as_ref().expect("pooled value taken")
    }
}

impl<T> DerefMut for Pooled<T> {
    #[allow(clippy::expect_used)] // the value leaves in `drop` only
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("pooled value taken")
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.home.recycle(value);
        }
    }
}

/// Free values of one kind. `take` hands one out, or makes one when all are on loan, so that the number of
/// values settles at the most that were ever on loan together.
pub struct Pool<T> {
    free: Mutex<Vec<T>>,
    make: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: Send + 'static> Pool<T> {
    /// A pool that keeps up to `capacity` free values; `make` creates the ones that are missing.
    pub fn new(capacity: usize, make: impl Fn() -> T + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(Vec::with_capacity(capacity)), make: Box::new(make) })
    }

    pub fn take(self: &Arc<Self>) -> Pooled<T> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Pooled::new(free.unwrap_or_else(|| (self.make)()), Arc::clone(self) as Arc<dyn Recycle<T>>)
    }
}

impl<T: Send + 'static> Recycle<T> for Pool<T> {
    fn recycle(&self, value: T) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < free.capacity() {
            free.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_value_hands_it_back_with_its_memory() {
        let pool = Pool::new(2, || Vec::<u8>::with_capacity(16));
        let first = pool.take();
        let address = first.as_ptr();
        drop(first);
        assert_eq!(pool.take().as_ptr(), address);
    }

    #[test]
    fn values_beyond_the_capacity_are_freed() {
        let pool = Pool::new(1, || 0_u8);
        let (a, b) = (pool.take(), pool.take());
        drop((a, b));
        assert_eq!(pool.free.lock().unwrap().len(), 1);
    }
}
