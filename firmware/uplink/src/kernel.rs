//! What Linux says of a TCP connection, and how much it may hold.

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use socket2::SockRef;

use crate::rate::SocketState;

/// Bytes that the kernel holds unsent before the socket counts as full; the rest waits in the send queue, where it can be
/// dropped. Enough for a wide link while this program is not looking.
const NOT_SENT: u32 = 16 << 10;

/// Tells the kernel to hold little, and to begin with Cubic, whatever is usual there: without losses BBR leaves more of a
/// path unused. One that does not know how goes without; so does one whose own choice is BBR where this program lacks
/// CAP_NET_ADMIN, since it allows its own choice and Reno only (`tcp_allowed_congestion_control`, tcp(7)).
pub(crate) fn set_up(socket: &impl AsFd) {
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_notsent_lowat(NOT_SENT);
    if let Err(error) = socket.set_tcp_congestion(b"cubic") {
        tracing::debug!(%error, "Cubic can't be set, the kernel's own congestion control stays");
    }
}

/// Has the kernel go by what arrives rather than by what gets lost, with BBR. One that does not have it goes on as before.
pub(crate) fn disregard_losses(socket: &impl AsFd) {
    let _ = SockRef::from(socket).set_tcp_congestion(b"bbr");
}

/// `struct tcp_info` of linux/tcp.h up to `tcpi_delivery_rate`, which Linux 4.9 added last.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct TcpInfo {
    bytes: [u8; 7],
    /// Bit 0: delivery_rate is that of a sender who had less to send.
    flags: u8,
    rto: u32,
    ato: u32,
    snd_mss: u32,
    rcv_mss: u32,
    unacked: u32,
    /// Packets.
    sacked: u32,
    lost: u32,
    retrans: u32,
    fackets: u32,
    times: [u32; 4],
    pmtu: u32,
    rcv_ssthresh: u32,
    /// Microseconds.
    rtt: u32,
    rttvar: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    advmss: u32,
    reordering: u32,
    rcv_rtt: u32,
    rcv_space: u32,
    total_retrans: u32,
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    /// Microseconds.
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
    /// Bytes a second.
    delivery_rate: u64,
}

const _: () = assert!(offset_of!(TcpInfo, bytes_acked) == 120 && size_of::<TcpInfo>() == 168);

/// Asks the kernel; of no use for a socket that is no TCP connection.
pub(crate) fn state(socket: BorrowedFd<'_>) -> io::Result<SocketState> {
    let info = tcp_info(socket)?;
    let queued = unacknowledged(socket)?;
    // The SYN counts as a byte that was acknowledged.
    let acknowledged = info.bytes_acked.saturating_sub(1);
    let selectively = u64::from(info.sacked) * u64::from(info.snd_mss);
    let microseconds = |value: u32| Duration::from_micros(value.into());
    Ok(SocketState {
        accepted: acknowledged + queued,
        unacknowledged: queued.saturating_sub(selectively),
        unsent: info.notsent_bytes.into(),
        round_trip: microseconds(info.rtt),
        variation: microseconds(info.rttvar),
        // Before the first sample it is all ones.
        min_round_trip: microseconds(info.min_rtt.min(info.rtt)),
        delivery_rate: info.delivery_rate.saturating_mul(8),
        app_limited: info.flags & 1 == 1,
        sent: info.data_segs_out.into(),
        repeated: info.total_retrans.into(),
        is_probing: info.snd_cwnd <= PROBING && is_probing(socket),
    })
}

fn tcp_info(socket: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    let mut info = TcpInfo::default();
    // SAFETY: any bytes are a value of `TcpInfo`.
    unsafe { get(socket, libc::TCP_INFO, &mut info) }?;
    Ok(info)
}

/// Packets that BBR has under way while it looks for the round trip of an empty path, and the gain of its window then, which
/// it has at no other time (linux: net/ipv4/tcp_bbr.c).
const PROBING: u32 = 4;
const PROBING_GAIN: u32 = 1 << 8;

/// Of linux/tcp.h.
const TCP_CC_INFO: libc::c_int = 26;

/// `struct tcp_bbr_info` of linux/inet_diag.h.
#[repr(C)]
#[derive(Default)]
struct BbrInfo {
    bandwidth: [u32; 2],
    min_rtt: u32,
    pacing_gain: u32,
    window_gain: u32,
}

fn is_probing(socket: BorrowedFd<'_>) -> bool {
    let mut info = BbrInfo::default();
    // SAFETY: any bytes are a value of `BbrInfo`.
    let length = unsafe { get(socket, TCP_CC_INFO, &mut info) };
    // Others tell of themselves in fewer bytes.
    length.is_ok_and(|length| length == size_of::<BbrInfo>()) && info.window_gain == PROBING_GAIN
}

/// Asks for an option of tcp(7), and tells how many bytes the kernel wrote: an older one writes fewer.
///
/// # Safety
///
/// Any bytes must be a value of `T`.
unsafe fn get<T>(socket: BorrowedFd<'_>, option: libc::c_int, value: &mut T) -> io::Result<usize> {
    let mut length = size_of::<T>() as libc::socklen_t;
    let value: *mut T = value;
    // SAFETY: `value` is a place of `length` bytes, in which any bytes are a value, as the caller promises.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, option, value.cast(), &raw mut length)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(length as usize) }
}

/// Bytes that were written and not acknowledged: SIOCOUTQ of tcp(7).
fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request writes an int, which `bytes` is. Its number is that of TIOCOUTQ (linux/sockios.h).
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(u64::try_from(bytes).unwrap_or(0)) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        set_up(&client);
        (client, listener.accept().unwrap().0)
    }

    /// Asks until the state is as wanted.
    fn wait(client: &TcpStream, wanted: impl Fn(&SocketState) -> bool) -> SocketState {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let state = state(client.as_fd()).unwrap();
            if wanted(&state) {
                return state;
            }
            assert!(Instant::now() < deadline, "{state:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_arrived_and_what_waits_is_told_byte_by_byte() {
        let (mut client, mut server) = connection();
        client.write_all(&[0; 5000]).unwrap();
        server.read_exact(&mut [0; 5000]).unwrap();
        let state = wait(&client, |state| state.unacknowledged == 0);
        assert_eq!((state.accepted, state.delivered(), state.unsent), (5000, 5000, 0));
        assert!(state.min_round_trip <= state.round_trip && state.round_trip < Duration::from_secs(1));
    }

    #[test]
    fn losses_are_disregarded_where_the_kernel_knows_how_and_nothing_breaks_where_not() {
        let (mut client, mut server) = connection();
        let before = SockRef::from(&client).tcp_congestion().unwrap();
        disregard_losses(&client);
        let known = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap();
        let after = SockRef::from(&client).tcp_congestion().unwrap();
        if known.split_whitespace().any(|name| name == "bbr") {
            assert!(after.starts_with(b"bbr\0"), "{after:?}");
        } else {
            assert_eq!(after, before);
        }
        client.write_all(&[0; 5000]).unwrap();
        server.read_exact(&mut [0; 5000]).unwrap();
        let state = wait(&client, |state| state.unacknowledged == 0);
        assert!(state.sent > 0 && !state.is_probing, "{state:?}");
    }

    #[test]
    fn a_kernel_that_holds_enough_takes_no_more() {
        let (client, _server) = connection();
        client.set_nonblocking(true).unwrap();
        let mut written = 0;
        loop {
            match (&client).write(&[0; 4096]) {
                Ok(count) => written += count as u64,
                Err(error) => break assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        // The server's buffers fill, and nothing is read.
        let state = wait(&client, |state| state.accepted == written && state.unsent > 0);
        assert!(state.unsent < 4 * u64::from(NOT_SENT), "{state:?}");
        assert!(state.unacknowledged >= state.unsent, "{state:?}");
    }
}
