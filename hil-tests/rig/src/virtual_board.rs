//! A board in QEMU: an arm64 machine with Debian's kernel, and its hardware in this process.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::board::Markers;
use crate::devices::{Bus, I2cDevice, Lines, Ssd1306, lock, serve};
use crate::{Board, Console, Part};

/// The lines of its GPIO controller, as `board/boards/virtual.toml` names them.
const LINES: [&str; 9] = [
    "button-start",
    "button-camera",
    "button-torch",
    "button-mute",
    "button-menu",
    "privacy",
    "lamp-live",
    "lamp-fault",
    "torch",
];
const MEMORY: &str = "512M";

pub struct VirtualBoard {
    /// Kernel, initrd and root file system, as `scripts/rig build` makes them.
    image: PathBuf,
    machine: Option<Machine>,
    lines: Lines,
    oled: Arc<Mutex<Ssd1306>>,
}

/// One life of the machine, from power on to power off.
struct Machine {
    qemu: Child,
    /// Sockets of its devices.
    _sockets: TempDir,
}

impl VirtualBoard {
    pub fn new(image: &Path) -> Self {
        let (lines, oled) = (Lines::new(&LINES), Arc::default());
        Self { image: image.to_owned(), machine: None, lines, oled }
    }

    fn command(&self, sockets: &Path) -> Command {
        let mut command = Command::new("qemu-system-aarch64");
        let file = |name: &str| self.image.join(name).display().to_string();
        let socket = |name: &str| sockets.join(name).display().to_string();
        // Devices outside of QEMU see the guest's memory, so it must be shared.
        command
            .args(["-M", "virt,gic-version=3,memory-backend=memory", "-cpu", "cortex-a53", "-smp", "2"])
            .args(["-accel", "tcg,thread=multi", "-display", "none", "-no-reboot", "-nodefaults"])
            .args(["-m", MEMORY, "-object"])
            .arg(format!("memory-backend-memfd,id=memory,size={MEMORY},share=on"))
            .args(["-kernel", &file("vmlinuz"), "-initrd", &file("initrd")])
            .args(["-append", "console=ttyAMA0 panic=-1", "-serial", "stdio"])
            .arg("-drive")
            .arg(format!("file={},format=raw,if=none,id=root,readonly=on", file("root.squashfs")))
            .args(["-device", "virtio-blk-pci,drive=root"])
            .args(["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="])
            .args(["-device", "i6300esb", "-watchdog-action", "reset"]);
        // QEMU would offer event indices to the guest whether the device knows them or not.
        for device in ["gpio", "i2c"] {
            command
                .arg("-chardev")
                .arg(format!("socket,id={device},path={}", socket(device)))
                .args(["-device", &format!("vhost-user-{device}-pci,chardev={device},event_idx=off")]);
        }
        command
    }
}

impl Board for VirtualBoard {
    fn has(&self, _part: Part) -> bool {
        true
    }

    fn markers(&self) -> Markers {
        Markers {
            boot_loader: None,
            kernel: "Booting Linux",
            prompt: "board# ",
            limit: Duration::from_secs(60),
        }
    }

    fn power_on(&mut self) -> Result<Console> {
        self.power_off();
        let sockets = TempDir::new()?;
        self.lines.power_on();
        *lock(&self.oled) = Ssd1306::default();
        serve(&self.lines.controller, &sockets.path().join("gpio"))?;
        let bus = Bus::new(vec![Arc::clone(&self.oled) as Arc<Mutex<dyn I2cDevice>>]);
        serve(&Arc::new(Mutex::new(bus)), &sockets.path().join("i2c"))?;
        let mut command = self.command(sockets.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // SAFETY: prctl is safe to call between fork and exec.
        unsafe {
            command.pre_exec(|| {
                // It dies with us, however we die.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let mut qemu = command.spawn().context("qemu-system-aarch64: run scripts/rig, which installs it")?;
        let (output, input) = (qemu.stdout.take(), qemu.stdin.take());
        self.machine = Some(Machine { qemu, _sockets: sockets });
        Ok(Console::new(output.context("stdout")?, input.context("stdin")?))
    }

    fn power_off(&mut self) {
        if let Some(mut machine) = self.machine.take() {
            // It is ours and not yet waited for, so neither can fail but when it is gone.
            let _ = machine.qemu.kill();
            let _ = machine.qemu.wait();
        }
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
}

impl Drop for VirtualBoard {
    fn drop(&mut self) {
        self.power_off();
    }
}
