//! What every virtio device needs of vhost-user: its socket, its queues and the guest's memory.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;

use anyhow::{Context, Result};
use vhost::vhost_user::Listener;
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackendMut, VhostUserDaemon, VringRwLock, VringT};
use virtio_queue::desc::split::Descriptor;
use virtio_queue::{DescriptorChain, QueueOwnedT};
use vm_memory::{Bytes, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryLoadGuard, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier};

/// Bits of the feature field (VIRTIO 1.2, clause 6 and 2.7).
const VERSION_1: u64 = 1 << 32;
const INDIRECT_DESCRIPTORS: u64 = 1 << 28;
/// Requests are a few bytes; more than this is a guest gone mad.
const LONGEST_REQUEST: usize = 64 << 10;

type Memory = GuestMemoryLoadGuard<GuestMemoryMmap>;

/// A virtio device, without what it has to do with queues.
pub(crate) trait Device: Send + 'static {
    const NAME: &'static str;
    const QUEUES: usize;
    /// Its own feature bits.
    const FEATURES: u64;

    /// Its configuration space.
    fn configuration(&self) -> Vec<u8>;

    /// Takes what the guest wrote, which wants an answer of up to `room` bytes: now, or later through `request`.
    fn take(&mut self, queue: usize, written: &[u8], request: Request) -> Option<(Request, Vec<u8>)>;
}

/// A request of the guest that waits for its answer.
pub(crate) struct Request {
    chain: DescriptorChain<Memory>,
    vring: VringRwLock,
    /// Bytes that the answer may have.
    pub(crate) room: usize,
}

impl Request {
    /// Gives the guest its answer. What there is no room for is cut off.
    pub(crate) fn answer(self, answer: &[u8]) {
        let mut left = answer;
        for descriptor in self.chain.clone().filter(Descriptor::is_write_only) {
            let (part, rest) = left.split_at(left.len().min(descriptor.len() as usize));
            if self.chain.memory().write_slice(part, descriptor.addr()).is_err() {
                break;
            }
            left = rest;
        }
        let written = (answer.len() - left.len()) as u32;
        // A guest that is gone needs no answer.
        let _ = self.vring.add_used(self.chain.head_index(), written);
        let _ = self.vring.signal_used_queue();
    }
}

struct Backend<D> {
    device: Arc<Mutex<D>>,
    memory: Option<GuestMemoryAtomic<GuestMemoryMmap>>,
    exit: Mutex<Option<(EventConsumer, EventNotifier)>>,
}

/// Serves `device` to one QEMU on the socket `path`, in a thread that ends with it.
pub(crate) fn serve<D: Device>(device: &Arc<Mutex<D>>, path: &Path) -> Result<()> {
    let exit = new_event_consumer_and_notifier(EventFlag::NONBLOCK)?;
    let backend = Backend { device: Arc::clone(device), memory: None, exit: Mutex::new(Some(exit)) };
    let mut listener = Listener::new(path, true).with_context(|| path.display().to_string())?;
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let mut daemon = VhostUserDaemon::new(D::NAME.into(), Arc::new(RwLock::new(backend)), memory)
        .map_err(|error| anyhow::anyhow!("{} daemon: {error}", D::NAME))?;
    thread::Builder::new().name(D::NAME.into()).spawn(move || {
        // It ends when QEMU hangs up; how does not matter.
        let _ = daemon.start(&mut listener).map(|()| daemon.wait());
    })?;
    Ok(())
}

pub(crate) fn lock<D: ?Sized>(device: &Mutex<D>) -> MutexGuard<'_, D> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D: Device> Backend<D> {
    fn process(&self, queue: usize, vring: &VringRwLock) -> io::Result<()> {
        let Some(memory) = self.memory.as_ref().map(GuestAddressSpace::memory) else {
            return Ok(());
        };
        let chains: Vec<_> =
            vring.get_mut().get_queue_mut().iter(memory).map_err(io::Error::other)?.collect();
        for chain in chains {
            let (written, room) = read(&chain)?;
            let request = Request { chain, vring: vring.clone(), room };
            if let Some((request, answer)) = lock(&self.device).take(queue, &written, request) {
                request.answer(&answer);
            }
        }
        Ok(())
    }
}

/// What the guest wrote into a chain, and how much room it left for the answer.
fn read(chain: &DescriptorChain<Memory>) -> io::Result<(Vec<u8>, usize)> {
    let (mut written, mut room) = (Vec::new(), 0);
    for descriptor in chain.clone() {
        let (start, length) = (written.len(), descriptor.len() as usize);
        if start.max(room) + length > LONGEST_REQUEST {
            return Err(io::Error::other("the guest's request is too long"));
        }
        if descriptor.is_write_only() {
            room += length;
        } else {
            written.resize(start + length, 0);
            chain.memory().read_slice(&mut written[start..], descriptor.addr()).map_err(io::Error::other)?;
        }
    }
    Ok((written, room))
}

impl<D: Device> VhostUserBackendMut for Backend<D> {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        D::QUEUES
    }

    fn max_queue_size(&self) -> usize {
        1024
    }

    fn features(&self) -> u64 {
        VERSION_1 | INDIRECT_DESCRIPTORS | D::FEATURES | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        let configuration = lock(&self.device).configuration();
        let mut features = VhostUserProtocolFeatures::MQ;
        features.set(VhostUserProtocolFeatures::CONFIG, !configuration.is_empty());
        features
    }

    fn set_event_idx(&mut self, _enabled: bool) {}

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let all = lock(&self.device).configuration();
        all.into_iter().chain(std::iter::repeat(0)).skip(offset as usize).take(size as usize).collect()
    }

    fn update_memory(&mut self, memory: GuestMemoryAtomic<GuestMemoryMmap>) -> io::Result<()> {
        self.memory = Some(memory);
        Ok(())
    }

    fn handle_event(
        &mut self,
        event: u16,
        _set: EventSet,
        vrings: &[VringRwLock],
        _thread: usize,
    ) -> io::Result<()> {
        let queue = usize::from(event);
        vrings.get(queue).map_or(Ok(()), |vring| self.process(queue, vring))
    }

    fn exit_event(&self, _thread: usize) -> Option<(EventConsumer, EventNotifier)> {
        lock(&self.exit).take()
    }
}
