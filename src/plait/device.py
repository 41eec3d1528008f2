# SPDX-License-Identifier: Apache-2.0
"""The device below a driver: which kind, and what it offers. Part of a scenario."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from plait.errors import Checks, InvalidScenario, within

CPUS_MAX = 8
QUEUE_SIZE_MAX = 256
QUEUES_MAX = 4  # of a device
SECTORS_MAX = 1024  # of a disk
REQUEST_SECTORS_MAX = 4
ETHERNET_BYTES = 14  # of a packet in front of what the MTU counts; the shortest packet
MTU_MIN, MTU_MAX = 68, 1500  # bytes
NET_QUEUES = 2  # of a network device: to receive, to transmit

_check = Checks(InvalidScenario)


class DeviceKind(StrEnum):
    """A device below a driver."""

    BLOCK = "virtio-blk"
    NET = "virtio-net"


def plain_repr(value: Any) -> str:
    """To paste: the first field, then those that are not as usual."""
    told = []
    for index, each in enumerate(fields(value)):
        content = getattr(value, each.name)
        is_word = isinstance(content, StrEnum)
        text = f"{type(content).__name__}.{content.name}" if is_word else repr(content)
        if index == 0:
            told.append(text)
        elif content != each.default:
            told.append(f"{each.name}={text}")
    return f"{type(value).__name__}({', '.join(told)})"


# What only one kind of device has.
_OF_KIND = {
    DeviceKind.BLOCK: ("sectors", "read_only"),
    DeviceKind.NET: ("mtu", "mergeable"),
}
_DEVICE_FLAGS = ("read_only", "indirect", "event_index", "suppression", "packed", "mergeable")


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """The device below a driver.

    queue_size: entries of each queue, a power of two up to 256. vectors: the CPU that the interrupt
    of each queue goes to, None: any; so there are as many queues; a network device has two, to
    receive and to transmit. indirect, event_index: features that it offers. suppression: it asks
    not to be notified while it is at work. packed: it offers packed rings.

    Of a block device, sectors: of the disk, 512 bytes each; read_only: writes fail. Of a network
    device, mtu: bytes of a packet behind its 14 of Ethernet, 68 to 1500; mergeable: it offers to
    spread a packet over several buffers. Raises InvalidScenario.
    """

    queue_size: int
    vectors: tuple[int | None, ...] = (0,)
    sectors: int = 16
    read_only: bool = False
    indirect: bool = True
    event_index: bool = False
    suppression: bool = False
    kind: DeviceKind = DeviceKind.BLOCK
    packed: bool = False
    mtu: int = MTU_MIN
    mergeable: bool = False

    __repr__ = plain_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _check.word(self.kind, "kind", DeviceKind))
        _check.integer(self.queue_size, "queue_size", 1, QUEUE_SIZE_MAX)
        if self.queue_size.bit_count() != 1:
            sizes = f"1, 2, 4 … {QUEUE_SIZE_MAX}"
            raise _check.refuse(self.queue_size, "queue_size", "not a power of two", sizes)
        if not isinstance(self.vectors, tuple) or not 1 <= len(self.vectors) <= QUEUES_MAX:
            what = f"vectors is {self.vectors!r}, not one CPU for each of 1 to {QUEUES_MAX} queues"
            raise InvalidScenario(what, "vectors", "give the CPU of each queue, or null for any")
        for cpu in self.vectors:
            if cpu is not None:
                _check.integer(cpu, "vectors", 0, CPUS_MAX - 1)
        if self.kind is DeviceKind.NET and len(self.vectors) != NET_QUEUES:
            what = f"vectors is {self.vectors!r}, and a network device has {NET_QUEUES} queues"
            raise InvalidScenario(what, "vectors", "give a CPU to receive on and one to transmit")
        _check.integer(self.sectors, "sectors", 1, SECTORS_MAX)
        _check.integer(self.mtu, "mtu", MTU_MIN, MTU_MAX)
        for name in _DEVICE_FLAGS:
            _check.boolean(getattr(self, name), name)
        for kind, names in _OF_KIND.items():
            for name in names:
                value = getattr(self, name)
                default = type(self).__dataclass_fields__[name].default
                if kind is not self.kind and value != default:
                    raise _check.refuse(value, name, f"but {self.kind} has none", str(default))

    def to_json(self) -> dict[str, Any]:
        """The device as JSON."""
        names = ("queue_size", *_OF_KIND[self.kind], "indirect", "event_index", "suppression")
        values = {name: getattr(self, name) for name in names}
        packed = {"packed": True} if self.packed else {}
        return {"kind": self.kind.value} | values | {"vectors": list(self.vectors)} | packed

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The device from JSON found at `where`. Raises InvalidScenario."""
        with within(where):
            every = tuple(field.name for field in fields(cls))
            word = _check.members(value, ("kind",), every)["kind"]
            kind = _check.word(word, "kind", DeviceKind)
            others = {
                name for each, names in _OF_KIND.items() if each is not kind for name in names
            }
            needed = tuple(name for name in every if name != "packed" and name not in others)
            members = dict(_check.members(value, needed, ("packed",)))
            members["vectors"] = tuple(_check.array(members["vectors"], "vectors", QUEUES_MAX))
            return cls(**members)
