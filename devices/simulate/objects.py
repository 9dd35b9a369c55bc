"""A tree of D-Bus objects with properties, and the signals that tell of changes. It knows no Bluetooth."""

from collections.abc import Mapping
from typing import Any

from dbus_fast import DBusError, Message, Variant
from dbus_fast.aio import MessageBus

OBJECT_MANAGER, PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"
UNKNOWN_OBJECT = "org.freedesktop.DBus.Error.UnknownObject"
UNKNOWN_INTERFACE = "org.freedesktop.DBus.Error.UnknownInterface"
UNKNOWN_PROPERTY = "org.freedesktop.DBus.Error.UnknownProperty"

Values = dict[str, Variant]
Reply = tuple[str, list[Any]]


def post(bus: MessageBus, message: Message) -> None:
    """Send a message nobody waits for an answer to."""
    bus.send(message)  # pyright: ignore[reportUnknownMemberType] - dbus-fast does not type its future


class Objects:
    """The objects one bus name offers."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._objects: dict[str, dict[str, Values]] = {}

    def __contains__(self, path: str | None) -> bool:
        return path in self._objects

    def add(self, path: str, interfaces: Mapping[str, Values]) -> None:
        """A new object, told to everybody."""
        self._objects[path] = dict(interfaces)
        self._signal("/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, self._objects[path]])

    def remove(self, path: str) -> None:
        """The object and everything below it, from the leaves up."""
        below = [known for known in self._objects if known == path or known.startswith(f"{path}/")]
        for gone in sorted(below, reverse=True):
            interfaces = list(self._objects.pop(gone))
            self._signal("/", OBJECT_MANAGER, "InterfacesRemoved", "oas", [gone, interfaces])

    def put(self, path: str, interface: str, **values: Variant) -> None:
        """New values of properties, told to everybody; nothing where the object is gone."""
        if path in self._objects:
            self._objects[path][interface].update(values)
            self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, values, []])

    def value(self, path: str, interface: str, name: str) -> Any:
        """The value of a property."""
        return self._property(path, interface, name).value

    def answer(self, call: Message) -> Reply | None:
        """The answer to a call of the standard interfaces; nothing where it is another interface's."""
        if call.member == "GetManagedObjects":
            return "a{oa{sa{sv}}}", [self._objects]
        if call.interface != PROPERTIES:
            return None
        path, (interface, *rest) = call.path or "", call.body
        if call.member == "GetAll":
            return "a{sv}", [self._values(path, interface)]
        if call.member == "Get":
            return "v", [self._property(path, interface, rest[0])]
        self._property(path, interface, rest[0])
        self.put(path, interface, **{rest[0]: rest[1]})
        return "", []

    def _values(self, path: str, interface: str) -> Values:
        if path not in self._objects:
            raise DBusError(UNKNOWN_OBJECT, f"no object {path}")
        if interface not in self._objects[path]:
            raise DBusError(UNKNOWN_INTERFACE, f"no interface {interface}")
        return self._objects[path][interface]

    def _property(self, path: str, interface: str, name: str) -> Variant:
        values = self._values(path, interface)
        if name not in values:
            raise DBusError(UNKNOWN_PROPERTY, f"no property {name}")
        return values[name]

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        post(self._bus, Message.new_signal(path, interface, member, signature, body))
