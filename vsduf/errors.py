"""The errors that vsduf raises on purpose. Each message is one sentence: what was found, and what to do.

DufError
|- ArgumentError   an argument or a clip that cannot be used
|- WeightsError    a weights file that is missing, damaged, of another kind, or for another scale
|- DeviceError     a device that does not exist, or cannot do what was asked
`- MediaError      a video that cannot be read or written
"""


class DufError(Exception):
    """Base of every error that vsduf raises on purpose."""


class ArgumentError(DufError):
    """An argument or a clip that cannot be used."""


class WeightsError(DufError):
    """A weights file that is missing, damaged, of another kind, or for another scale."""


class DeviceError(DufError):
    """A device that does not exist, or cannot do what was asked."""


class MediaError(DufError):
    """A video that cannot be read or written."""
