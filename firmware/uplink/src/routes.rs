//! Changes of the box's network: an interface gets its link or an address, or loses the one that a connection uses.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep, timeout_at};

/// RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR and RTMGRP_IPV6_ROUTE (rtnetlink(7)).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// Changes come in bursts; a route follows its address.
const DEBOUNCE: Duration = Duration::from_millis(500);

/// Of a datagram (netlink(7)).
const LONGEST: usize = 16 << 10;

/// Tells when a server may have come into reach.
pub struct Routes {
    socket: AsyncFd<OwnedFd>,
    buffer: Box<[u8]>,
    known: Known,
}

impl Routes {
    /// Listens from now on; what is there already is known.
    pub fn watch() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        let (mut buffer, mut known) = (vec![0; LONGEST], Known::default());
        for kind in [RTM_GETLINK, RTM_GETADDR] {
            send(&socket, &dump(kind), SendFlags::empty())?;
            // The kernel answers at once, and goes on with each datagram that is taken (netlink(7)).
            loop {
                match recv(&socket, &mut *buffer, RecvFlags::empty()) {
                    Ok((length, _)) => known.take(buffer.get(..length).unwrap_or_default()),
                    Err(Errno::WOULDBLOCK) => break,
                    Err(Errno::INTR | Errno::NOBUFS) => false,
                    Err(error) => return Err(error.into()),
                };
            }
        }
        // SAFETY: an `OwnedFd` stays open, and the same, until it is dropped with the `AsyncFd`.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        Ok(Self { socket, buffer: buffer.into(), known })
    }

    /// Waits for a link or an address that was not there before, and for the end of the burst that it comes in.
    pub async fn changed(&mut self) -> io::Result<()> {
        while !self.receive().await? {}
        let end = Instant::now() + DEBOUNCE;
        while let Ok(received) = timeout_at(end, self.receive()).await {
            received?;
        }
        Ok(())
    }

    /// Waits until no interface that is up has the address `own` for a while, and another way leads to `peer`: what goes on
    /// from that address will not arrive. Without another way it is better to wait, since the address may come back.
    pub(crate) async fn lost(&mut self, own: IpAddr, peer: SocketAddr) -> io::Result<()> {
        // The kernel can be told to use addresses that no interface has.
        let was_there = has(own)?;
        loop {
            while !was_there || has(own)? || !leads_to(peer) {
                self.receive().await?;
            }
            // Whoever sets addresses may take one away and give it back at once.
            sleep(DEBOUNCE).await;
            if !has(own)? && leads_to(peer) {
                return Ok(());
            }
        }
    }

    /// Whether the next messages tell of something new.
    async fn receive(&mut self) -> io::Result<bool> {
        loop {
            let mut ready = self.socket.readable().await?;
            match recv(self.socket.get_ref(), &mut *self.buffer, RecvFlags::empty()) {
                Ok((length, _)) => return Ok(self.known.take(self.buffer.get(..length).unwrap_or_default())),
                Err(Errno::WOULDBLOCK) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                // Messages were lost: one may have mattered.
                Err(Errno::NOBUFS) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Whether an interface that is up has that address.
fn has(own: IpAddr) -> io::Result<bool> {
    let address = |interface: &InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())))
    };
    let is_it = |interface: InterfaceAddress| {
        interface.flags.contains(InterfaceFlags::IFF_UP) && address(&interface) == Some(own)
    };
    Ok(getifaddrs()?.any(is_it))
}

/// Whether the kernel has a way to send something there. Nothing is sent.
fn leads_to(peer: SocketAddr) -> bool {
    let any: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(peer)).is_ok()
}

/// What the kernel has told of interfaces. Most of its messages repeat what was so: lifetimes of addresses, wireless news.
#[derive(Default)]
struct Known {
    /// Whether each interface has a link.
    links: HashMap<u32, bool>,
    /// Interface and address.
    addresses: HashSet<(u32, Vec<u8>)>,
}

/// Types of messages and attributes (linux/rtnetlink.h, linux/if_addr.h), and the flag of an interface with a link
/// (netdevice(7)).
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFF_RUNNING: u32 = 0x40;
/// A request for all there is (linux/netlink.h).
const NLM_F_REQUEST_DUMP: u16 = 0x301;
/// An address that is not usable before it is known to be unique.
const IFA_F_TENTATIVE: u8 = 0x40;

impl Known {
    /// Takes a datagram of messages (netlink(7)); true where one tells of a link or an address that was not there.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        let mut is_new = false;
        while let Some(length) = number::<4>(bytes, 0).map(|length| length as usize)
            && length >= HEADER
            && let Some(message) = bytes.get(..length)
        {
            is_new |= self.message(message).unwrap_or(false);
            bytes = bytes.get(aligned(length)..).unwrap_or_default();
        }
        is_new
    }

    fn message(&mut self, message: &[u8]) -> Option<bool> {
        let kind = number::<2>(message, 4)? as u16;
        let body = message.get(HEADER..)?;
        let interface = number::<4>(body, 4)?;
        Some(match kind {
            RTM_NEWLINK => {
                let has_link = number::<4>(body, 8)? & IFF_RUNNING != 0;
                self.links.insert(interface, has_link) != Some(has_link) && has_link
            }
            RTM_DELLINK => {
                self.links.remove(&interface);
                false
            }
            RTM_NEWADDR if body.get(2)? & IFA_F_TENTATIVE == 0 => {
                self.addresses.insert((interface, address(body)?))
            }
            RTM_DELADDR => {
                self.addresses.remove(&(interface, address(body)?));
                false
            }
            _ => false,
        })
    }
}

/// Bytes of `nlmsghdr` and of `ifaddrmsg`.
const HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;

/// A request for all links or addresses: `nlmsghdr`, and `rtgenmsg` with no family.
fn dump(kind: u16) -> [u8; HEADER + 4] {
    let mut request = [0; HEADER + 4];
    request[..4].copy_from_slice(&(HEADER as u32 + 4).to_ne_bytes());
    request[4..6].copy_from_slice(&kind.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    request
}

/// The address among the attributes of a message.
fn address(body: &[u8]) -> Option<Vec<u8>> {
    let mut attributes = body.get(ADDRESS_HEADER..)?;
    loop {
        let (length, kind) = (number::<2>(attributes, 0)? as usize, number::<2>(attributes, 2)? as u16);
        let value = attributes.get(4..length)?;
        if kind == IFA_ADDRESS {
            return Some(value.to_vec());
        }
        attributes = attributes.get(aligned(length)..)?;
    }
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// A number of `N` bytes in the machine's own order.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<N>()?;
    let big_first = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
    Some(if cfg!(target_endian = "little") {
        bytes.iter().rev().fold(0, big_first)
    } else {
        bytes.iter().fold(0, big_first)
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use proptest::prelude::*;
    use tokio::time::timeout;

    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = ((HEADER + body.len()) as u32).to_ne_bytes();
        [&length[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
    }

    fn link(interface: u32, flags: u32) -> Vec<u8> {
        let body = [[0; 4], interface.to_ne_bytes(), flags.to_ne_bytes(), [0; 4]].concat();
        message(RTM_NEWLINK, &body)
    }

    fn address_message(kind: u16, flags: u8, address: [u8; 4]) -> Vec<u8> {
        let label = [&6_u16.to_ne_bytes()[..], &3_u16.to_ne_bytes(), b"x\0\0\0"].concat();
        let attribute = [&8_u16.to_ne_bytes()[..], &IFA_ADDRESS.to_ne_bytes(), &address].concat();
        message(kind, &[&[2, 24, flags, 0][..], &7_u32.to_ne_bytes(), &label, &attribute].concat())
    }

    #[test]
    fn only_what_was_not_there_is_new() {
        let mut known = Known::default();
        let steps = [
            (link(2, 0x1), false),
            (link(2, 0x1 | IFF_RUNNING), true),
            (link(2, 0x1003 | IFF_RUNNING), false),
            (address_message(RTM_NEWADDR, IFA_F_TENTATIVE, [192, 0, 2, 1]), false),
            (address_message(RTM_NEWADDR, 0, [192, 0, 2, 1]), true),
            (address_message(RTM_NEWADDR, 0, [192, 0, 2, 1]), false),
            (address_message(RTM_DELADDR, 0, [192, 0, 2, 1]), false),
            (link(2, 0x1), false),
            ([link(2, 0x1), address_message(RTM_NEWADDR, 0, [192, 0, 2, 1])].concat(), true),
        ];
        for (number, (bytes, expected)) in steps.into_iter().enumerate() {
            assert_eq!(known.take(&bytes), expected, "step {number}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            Known::default().take(&bytes);
        }
    }

    fn try_ip(arguments: &str) -> bool {
        Command::new("ip").args(arguments.split(' ')).status().is_ok_and(|status| status.success())
    }

    fn ip(arguments: &str) {
        assert!(try_ip(arguments), "ip {arguments}");
    }

    /// In a network namespace of its own, which needs root.
    fn alone<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
        let thread = thread::spawn(|| {
            // SAFETY: only the network namespace of this thread changes, which shares no memory or files by it.
            let isolated = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) };
            if isolated.is_err() {
                eprintln!("skipped: no right to make a network namespace");
                return;
            }
            if !try_ip("link set lo up") {
                eprintln!("skipped: no ip(8) here");
                return;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test());
        });
        thread.join().unwrap();
    }

    /// Two interfaces, `one` and `two`; false where the kernel can't make them.
    fn veth() -> bool {
        if !try_ip("link add name one type veth peer name two") {
            eprintln!("skipped: no veth in this kernel");
            return false;
        }
        for end in ["one", "two"] {
            ip(&format!("link set {end} up"));
        }
        true
    }

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn the_kernel_tells_of_a_new_address() {
        alone(async || {
            let mut routes = Routes::watch().unwrap();
            ip("address add 192.0.2.1/32 dev lo");
            timeout(SOON, routes.changed()).await.unwrap().unwrap();
            ip("address del 192.0.2.1/32 dev lo");
            assert!(timeout(2 * DEBOUNCE, routes.changed()).await.is_err(), "it went");
            ip("address add 192.0.2.1/32 dev lo");
            timeout(SOON, routes.changed()).await.unwrap().unwrap();
        });
    }

    #[test]
    fn what_was_there_before_is_no_news() {
        alone(async || {
            ip("address add 192.0.2.1/32 dev lo");
            let mut routes = Routes::watch().unwrap();
            // The kernel tells of link and address again.
            ip("address change 192.0.2.1/32 dev lo valid_lft 1000 preferred_lft 1000");
            ip("link set lo mtu 1500");
            assert!(timeout(2 * DEBOUNCE, routes.changed()).await.is_err(), "nothing is new");
            ip("address add 192.0.2.2/32 dev lo");
            timeout(SOON, routes.changed()).await.unwrap().unwrap();
        });
    }

    #[test]
    fn an_address_is_lost_when_it_is_gone_or_its_interface_down_and_there_is_another_way() {
        alone(async || {
            let (own, peer) = ([192, 0, 2, 1].into(), ([198, 51, 100, 9], 1935).into());
            if !veth() {
                return;
            }
            for loss in ["address del 192.0.2.1/24 dev one", "link set one down"] {
                ip("link set one up");
                ip("address replace 192.0.2.1/24 dev one");
                ip("route replace default via 192.0.2.254");
                let mut routes = Routes::watch().unwrap();
                let mut lost = std::pin::pin!(routes.lost(own, peer));
                assert!(timeout(Duration::from_millis(100), &mut lost).await.is_err(), "it is there");
                ip(loss);
                assert!(
                    timeout(Duration::from_millis(100), &mut lost).await.is_err(),
                    "{loss}: no other way"
                );
                ip("address replace 192.0.3.1/24 dev two");
                ip("route replace default via 192.0.3.254");
                timeout(SOON, lost).await.expect(loss).unwrap();
                ip("address del 192.0.3.1/24 dev two");
            }
        });
    }

    #[test]
    fn an_address_that_is_back_at_once_is_not_lost() {
        alone(async || {
            if !veth() {
                return;
            }
            ip("address add 192.0.2.1/24 dev one");
            ip("address add 192.0.3.1/24 dev two");
            ip("route add default via 192.0.3.254");
            let mut routes = Routes::watch().unwrap();
            let mut lost =
                std::pin::pin!(routes.lost([192, 0, 2, 1].into(), ([198, 51, 100, 9], 1935).into()));
            assert!(timeout(Duration::from_millis(100), &mut lost).await.is_err(), "it is there");
            ip("address flush dev one");
            assert!(timeout(DEBOUNCE / 5, &mut lost).await.is_err(), "it may come back");
            ip("address add 192.0.2.1/24 dev one");
            assert!(timeout(2 * DEBOUNCE, &mut lost).await.is_err(), "it is back");
            ip("address flush dev one");
            timeout(SOON, lost).await.unwrap().unwrap();
        });
    }
}
