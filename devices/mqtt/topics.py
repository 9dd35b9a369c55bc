"""What a topic says about its message: whose it is, and whether it is about a patient at all."""

import re

from devices.registry import matches

ADDRESS = re.compile(r"^(?:[0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}$")
# Theengs, OpenMQTTGateway and Tasmota say under these names how they themselves are.
HEALTH = ("LWT", "SYStoMQTT", "RLStoMQTT", "STATE", "INFO1", "INFO2", "INFO3", "status")


def about_the_gateway(topic: str) -> bool:
    """Whether a message is about the gateway and never about a patient."""
    return topic.rpartition("/")[2].rstrip("0123456789") in HEALTH or topic.rpartition("/")[2] in HEALTH


def device_of(topic: str, otherwise: str) -> str:
    """The instrument a topic names, as this package writes it."""
    last = topic.rpartition("/")[2]
    return re.sub(r"[:-]", "", last).lower() if ADDRESS.match(last) else otherwise


def allowed(filters: tuple[str, ...], topic: str) -> bool:
    """Whether one of the filters covers the topic; system topics are nobody's."""
    return not topic.startswith("$") and any(matches(pattern, topic) for pattern in filters)
