//! The way to the server: TCP, or TLS over it. Nothing here waits but for readiness.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;

use rustls::ClientConnection;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::kernel;
use crate::rate::SocketState;

/// What TLS may hold of bytes that the kernel does not take yet: they can't be dropped any more, nor does rate control
/// see them.
const TLS_BUFFER: usize = 16 << 10;

pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<Tls>),
    #[cfg(test)]
    Simulated(crate::chaos::Line),
}

pub(crate) struct Tls {
    tcp: TcpStream,
    session: ClientConnection,
    /// Whether decrypted bytes wait.
    has_plaintext: bool,
}

impl Socket {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.tcp,
            #[cfg(test)]
            Self::Simulated(_) => unreachable!("there is no kernel below it"),
        }
    }

    /// What the kernel says of it, where there is one below.
    pub(crate) fn state(&self) -> Option<SocketState> {
        match self {
            #[cfg(test)]
            Self::Simulated(_) => None,
            socket => kernel::state(socket.tcp().as_fd()).ok(),
        }
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tls(tls) if tls.has_plaintext => Ok(()),
            #[cfg(test)]
            Self::Simulated(line) => line.readable().await,
            socket => socket.tcp().readable().await,
        }
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            #[cfg(test)]
            Self::Simulated(line) => line.writable().await,
            socket => socket.tcp().writable().await,
        }
    }

    /// As `TcpStream::try_read`.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_read(buffer),
            Self::Tls(tls) => tls.try_read(buffer),
            #[cfg(test)]
            Self::Simulated(line) => line.try_read(buffer),
        }
    }

    /// As `TcpStream::try_write_vectored`.
    pub(crate) fn try_write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_write_vectored(pieces),
            Self::Tls(tls) => tls.try_write_vectored(pieces),
            #[cfg(test)]
            Self::Simulated(line) => line.try_write_vectored(pieces),
        }
    }

    /// Hands on what is held; true where some must wait.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(false),
            Self::Tls(tls) => tls.flush(),
            #[cfg(test)]
            Self::Simulated(_) => Ok(false),
        }
    }

    /// Ends the way there.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.shutdown().await,
            Self::Tls(tls) => {
                tls.session.send_close_notify();
                while tls.flush()? {
                    tls.tcp.writable().await?;
                }
                tls.tcp.shutdown().await
            }
            #[cfg(test)]
            Self::Simulated(line) => {
                line.close();
                Ok(())
            }
        }
    }
}

impl Tls {
    /// Shakes hands, which verifies the server's certificate.
    pub(crate) async fn start(tcp: TcpStream, mut session: ClientConnection) -> io::Result<Self> {
        session.set_buffer_limit(Some(TLS_BUFFER));
        let mut tls = Self { tcp, session, has_plaintext: false };
        loop {
            let blocked = tls.flush()?;
            if !tls.session.is_handshaking() && !blocked {
                return Ok(tls);
            }
            tokio::select! {
                ready = tls.tcp.readable() => ready?,
                ready = tls.tcp.writable(), if blocked => ready?,
            }
            match tls.receive() {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    // The server may be told why.
                    let _ = tls.flush();
                    return Err(error);
                }
                _ => {}
            }
        }
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                // A peer that ends without saying so in TLS has ended as well: RTMP has ends of its own.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.has_plaintext = false;
                    self.receive()?;
                }
                read => {
                    self.has_plaintext = true;
                    return read;
                }
            }
        }
    }

    /// Takes and decrypts what the kernel has; zero at the end.
    fn receive(&mut self) -> io::Result<usize> {
        let count = self.session.read_tls(&mut Io(&self.tcp))?;
        self.session
            .process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(count)
    }

    fn try_write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush()?;
        match self.session.writer().write_vectored(pieces)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<bool> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Io(&self.tcp)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// The socket as TLS reads and writes it.
struct Io<'a>(&'a TcpStream);

impl Read for Io<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Io<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
