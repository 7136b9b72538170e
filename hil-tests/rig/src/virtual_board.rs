//! A board in QEMU: an arm64 machine with Debian's kernel, and its hardware in this process.

use std::fs;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::board::{Flash, Markers};
use crate::devices::{Bus, I2cDevice, Lines, Ssd1306, lock, serve};
use crate::qmp::execute;
use crate::{Board, Console, Part};

/// Has this process killed when the one that started it ends, however that ends.
pub fn die_with_parent() {
    // SAFETY: it takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// The lines of its GPIO controller, as `board/boards/virtual.toml` names them.
const LINES: [&str; 9] = [
    "button-start",
    "button-camera",
    "button-torch",
    "button-mute",
    "button-menu",
    "privacy",
    "lamp-on-air",
    "lamp-camera",
    "torch",
];
const MEMORY: &str = "512M";

pub struct VirtualBoard {
    /// Kernel, initrd, root file system, boot loader and empty flash, as `scripts/rig build` makes them.
    image: PathBuf,
    boot_loader: bool,
    /// Where instructions are counted: a disk with what counts them.
    counting: Option<PathBuf>,
    machine: Option<Machine>,
    lines: Lines,
    oled: Arc<Mutex<Ssd1306>>,
    /// Its flash, which stays while power is away.
    folder: TempDir,
}

/// One life of the machine, from power on to power off.
struct Machine {
    qemu: Child,
    /// Its devices' own: one that ends late takes its socket away.
    _sockets: TempDir,
}

impl VirtualBoard {
    /// With `boot_loader` it starts through U-Boot, which takes two seconds more.
    pub fn new(image: &Path, boot_loader: bool) -> Result<Self> {
        let folder = TempDir::new()?;
        fs::copy(image.join("flash"), folder.path().join("flash"))
            .with_context(|| format!("{}: run scripts/rig build", image.display()))?;
        let (lines, oled) = (Lines::new(&LINES), Arc::default());
        let (image, counting) = (image.to_owned(), None);
        Ok(Self { image, boot_loader, counting, machine: None, lines, oled, folder })
    }

    /// Counts instructions, for `perf` on the board, with `disk` as its third one. Its one processor then executes an
    /// instruction a nanosecond, by a clock that goes as slowly as the emulator needs it (QEMU: `-icount`).
    #[must_use]
    pub fn counting(self, disk: &Path) -> Self {
        Self { counting: Some(disk.to_owned()), ..self }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tell_qemu(&self, command: &str, arguments: Value) -> Result<()> {
        execute(&self.path("qmp"), command, arguments)
    }

    /// What a screen shows.
    fn dump(&self, device: &str) -> Result<Vec<u8>> {
        let file = self.path("screen.png");
        self.tell_qemu("screendump", json!({ "filename": file, "format": "png", "device": device }))?;
        Ok(fs::read(file)?)
    }

    /// `sockets` is where its devices listen.
    fn command(&self, sockets: &Path) -> Command {
        let mut command = Command::new("qemu-system-aarch64");
        let image = |name: &str| self.image.join(name).display().to_string();
        let own = |name: &str| self.path(name).display().to_string();
        // Devices outside of QEMU see the guest's memory, so it must be shared.
        command
            .args(["-M", "virt,gic-version=3,memory-backend=memory", "-cpu", "cortex-a53"])
            .args(["-display", "none", "-nodefaults", "-m", MEMORY])
            .args(["-object", &format!("memory-backend-memfd,id=memory,size={MEMORY},share=on")])
            .args(["-kernel", &image("vmlinuz"), "-initrd", &image("initrd")])
            .args(["-append", "console=ttyAMA0 panic=-1", "-serial", "stdio"])
            .args(["-serial", &format!("unix:{},server=on,wait=off", own("serial"))])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", own("qmp"))])
            .args([
                "-drive",
                &format!("file={},format=raw,if=none,id=root,readonly=on", image("root.squashfs")),
            ])
            .args(["-device", "virtio-blk-pci,drive=root"])
            .args(["-blockdev", &format!("driver=file,node-name=flash-file,filename={}", own("flash"))])
            .args(["-blockdev", &format!("driver=file,node-name=flash-log,filename={}", own("log"))])
            .args(["-blockdev", "driver=blklogwrites,node-name=flash,file=flash-file,log=flash-log"])
            .args(["-device", "virtio-blk-pci,drive=flash"])
            .args(["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="])
            .args(["-device", "virtio-gpu-pci,id=screen,xres=640,yres=480", "-device", "virtio-keyboard-pci"])
            .args(["-device", "bochs-display,id=bare,xres=640,yres=480,romfile="])
            .args(["-device", "i6300esb", "-watchdog-action", "reset"]);
        if self.boot_loader {
            command.args(["-bios", &image("u-boot.bin")]);
        }
        match &self.counting {
            // The counter is that of all processors, and exact only where their speed is fixed.
            Some(disk) => command
                .args(["-smp", "1", "-accel", "tcg,thread=single", "-icount", "shift=0"])
                .args(["-drive", &format!("file={},format=raw,if=none,id=disk,readonly=on", disk.display())])
                .args(["-device", "virtio-blk-pci,drive=disk"]),
            None => command.args(["-smp", "2", "-accel", "tcg,thread=multi"]),
        };
        // QEMU would offer event indices to the guest whether the device knows them or not.
        for device in ["gpio", "i2c"] {
            command
                .args(["-chardev", &format!("socket,id={device},path={}", sockets.join(device).display())])
                .args(["-device", &format!("vhost-user-{device}-pci,chardev={device},event_idx=off")]);
        }
        command
    }
}

impl Board for VirtualBoard {
    fn has(&self, part: Part) -> bool {
        part != Part::BootLoader || self.boot_loader
    }

    fn markers(&self) -> Markers {
        Markers {
            boot_loader: self.boot_loader.then(|| "U-Boot ".into()),
            kernel: "Booting Linux".into(),
            prompt: "board# ".into(),
            limit: Duration::from_secs(60),
        }
    }

    fn power_on(&mut self) -> Result<Console> {
        self.power_off();
        fs::copy(self.path("flash"), self.path("before"))?;
        fs::write(self.path("log"), [])?;
        self.lines.power_on();
        *lock(&self.oled) = Ssd1306::default();
        let sockets = TempDir::new_in(&self.folder)?;
        serve(&self.lines.controller, &sockets.path().join("gpio"))?;
        let bus = Bus::new(vec![Arc::clone(&self.oled) as Arc<Mutex<dyn I2cDevice>>]);
        serve(&Arc::new(Mutex::new(bus)), &sockets.path().join("i2c"))?;
        let mut command = self.command(sockets.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // SAFETY: prctl is safe to call between fork and exec.
        unsafe {
            command.pre_exec(|| {
                die_with_parent();
                Ok(())
            })
        };
        let mut qemu = command.spawn().context("qemu-system-aarch64: run scripts/rig, which installs it")?;
        let (output, input) = (qemu.stdout.take(), qemu.stdin.take());
        self.machine = Some(Machine { qemu, _sockets: sockets });
        Ok(Console::new(output.context("stdout")?, input.context("stdin")?))
    }

    fn power_off(&mut self) {
        self.machine = None;
    }

    fn host(&self) -> String {
        // QEMU's user network.
        "10.0.2.2".into()
    }

    fn lines(&self) -> Option<&Lines> {
        Some(&self.lines)
    }

    fn oled(&self, look: &mut dyn FnMut(&Ssd1306)) -> bool {
        look(&lock(&self.oled));
        true
    }

    fn screen(&self) -> Option<Result<Vec<u8>>> {
        Some(self.dump("screen"))
    }

    fn bare_screen(&self) -> Option<Result<Vec<u8>>> {
        Some(self.dump("bare"))
    }

    fn drive_key(&self, key: &str, down: bool) -> Option<Result<()>> {
        let key = json!({ "type": "qcode", "data": key });
        let event = json!({ "type": "key", "data": { "down": down, "key": key } });
        Some(self.tell_qemu("input-send-event", json!({ "events": [event] })))
    }

    fn plug_cable(&self, is_in: bool) -> Option<Result<()>> {
        Some(self.tell_qemu("set_link", json!({ "name": "net", "up": is_in })))
    }

    fn serial_line(&self) -> Option<Result<Console>> {
        let connect = || {
            let line = UnixStream::connect(self.path("serial")).context("the second serial line")?;
            Ok(Console::new(line.try_clone()?, line))
        };
        Some(connect())
    }

    fn flash(&self) -> Option<Flash> {
        Some(Flash { before: self.path("before"), log: self.path("log") })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It is ours and not yet waited for, so neither can fail but when it is gone.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
