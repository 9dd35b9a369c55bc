"""What can go wrong between an instrument and its bytes, one tree.

    DevicesError
    ├── FrameError                  bytes that are not what their channel promises
    │   ├── ShortFrameError         a frame ends before its flags say it does
    │   └── MalformedPacketError    an MQTT packet no standard allows
    ├── RadioUnavailableError       no Bluetooth service, no adapter, or it is switched off
    ├── InstrumentError             one instrument could not be read
    │   ├── PairingRefusedError     wrong PIN, or the instrument forgot this clinic
    │   ├── LinkLostError           the instrument went away before it had sent everything
    │   └── InstrumentSilentError   it is connected and does not answer
    ├── StoreFailedError            what arrived could not be stored; it is still in the instrument
    └── SimulatorUnavailableError   the practice instruments cannot run here

It knows no patient and no clinic: a message names an instrument at most.
"""


class DevicesError(Exception):
    """Base of every error of this package; `hint` tells a person what to do next."""

    hint = "Try again. If it happens again, write the reading down and enter it by hand."


class FrameError(DevicesError):
    """Bytes that are not what their channel promises."""

    hint = "Take the measurement again. If it happens again, enter the reading by hand."


class ShortFrameError(FrameError):
    """A frame that ends before its own flags say it does."""

    def __init__(self, needed: int, present: int) -> None:
        super().__init__(f"The frame ends early: {needed} bytes were promised, {present} arrived.")
        self.needed = needed
        self.present = present


class MalformedPacketError(FrameError):
    """An MQTT packet that no standard allows."""

    hint = "Check that the gateway speaks MQTT 3.1.1 or 5 on this port."

    def __init__(self, fault: str, reason_code: int = 0x81) -> None:
        super().__init__(f"The MQTT packet is malformed: {fault}.")
        self.reason_code = reason_code


class RadioUnavailableError(DevicesError):
    """Bluetooth cannot be used at this moment."""

    hint = "Plug the Bluetooth adapter in, or switch Bluetooth on. Readings can be entered by hand meanwhile."

    def __init__(self, fault: str) -> None:
        super().__init__(f"Bluetooth is not available: {fault}.")


class InstrumentError(DevicesError):
    """One instrument could not be read."""

    def __init__(self, device: str, fault: str) -> None:
        super().__init__(f"Instrument {device} {fault}.")
        self.device = device


class PairingRefusedError(InstrumentError):
    """The instrument refused this clinic: a wrong PIN, or a bond that one side forgot."""

    hint = "Check the PIN printed on the instrument, put it in pairing mode and pair it again."

    def __init__(self, device: str) -> None:
        super().__init__(device, "refused to pair")


class LinkLostError(InstrumentError):
    """The instrument went away before it had sent everything."""

    hint = "Keep the instrument within two metres of the box; what is missing is fetched next time."

    def __init__(self, device: str) -> None:
        super().__init__(device, "went out of reach before it had sent everything")


class InstrumentSilentError(InstrumentError):
    """The instrument is connected and does not answer."""

    hint = "Switch the instrument off and on; what is missing is fetched next time."

    def __init__(self, device: str) -> None:
        super().__init__(device, "is connected but does not answer")


class StoreFailedError(DevicesError):
    """What arrived could not be stored."""

    hint = "Check that the disk of the box is not full. Readings stay in the instruments until they are stored."

    def __init__(self) -> None:
        super().__init__("A reading arrived and could not be stored.")


class SimulatorUnavailableError(DevicesError):
    """The practice instruments cannot run on this machine."""

    hint = "Install the test dependencies (bumble) and dbus-daemon."

    def __init__(self, missing: str) -> None:
        super().__init__(f"The practice instruments need {missing}.")
