//! The display's small window (12.5).

use super::{Failure, Machine, Output, Reply, WindowEvent};
use crate::Transition;

impl Machine {
    pub(super) fn window(&mut self, event: WindowEvent) {
        match event {
            WindowEvent::Entered(transition) if self.attached => {
                if self.window.replace(transition).is_none() {
                    self.outputs.push(Output::Window(true));
                }
            }
            WindowEvent::Entered(_) => {}
            WindowEvent::Left { by_hand } => self.leave_window(by_hand),
        }
    }

    pub(super) fn exit_window(&mut self) -> Result<Reply, Failure> {
        if !self.hardware.preview {
            return Err(Failure::NotSupported);
        }
        self.window.ok_or(Failure::InvalidState("no small window"))?;
        self.close_window(true);
        Ok(Reply::new())
    }

    /// The property was emptied: the window goes, whatever it stands for goes on (4.32).
    pub(super) fn settle_window(&mut self) {
        if self.store.properties().picture_in_picture_mode.is_empty() {
            self.close_window(false);
        }
    }

    /// The display takes it away.
    pub(super) fn close_window(&mut self, on_purpose: bool) {
        if self.window.is_some() {
            self.outputs.push(Output::CloseWindow);
            self.leave_window(on_purpose);
        }
    }

    /// Closed on purpose, one that stands for a page that was left takes its session with it.
    fn leave_window(&mut self, on_purpose: bool) {
        let Some(transition) = self.window.take() else {
            return;
        };
        self.outputs.push(Output::Window(false));
        if on_purpose && transition == Transition::Pop {
            self.end();
        }
    }
}
