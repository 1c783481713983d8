"""Everything that vsduf refuses, as one family; each message is one sentence: what came, then what to do.

DufError
|- ArgumentError   an argument or a clip that cannot be used
|- WeightsError    a weights file that is missing, damaged, foreign or does not fit
|- DeviceError     a device that is not there, or cannot do what was asked
`- MediaError      a video that cannot be read or written
"""


class DufError(Exception):
    """Base of every error that vsduf raises on purpose."""


class ArgumentError(DufError):
    """An argument or a clip that cannot be used."""


class WeightsError(DufError):
    """A weights file that is missing, damaged, foreign or does not fit."""


class DeviceError(DufError):
    """A device that is not there, or cannot do what was asked."""


class MediaError(DufError):
    """A video that cannot be read or written."""
