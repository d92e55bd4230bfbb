"""Errors meant for users: each says what is wrong, shows the value, and gives the next step."""


class UrlVizError(Exception):
    """Root of the errors that are meant for the person who uses the tool."""


class FolderError(UrlVizError):
    """A folder or file that cannot be used."""


class NoImagesError(FolderError):
    """A folder without a single readable picture."""


class NotAllowedError(FolderError):
    """A path outside the folders that the app may read."""


class BucketError(FolderError):
    """Object storage that cannot be read, or does not answer; never a picture's fault."""


class UsageError(UrlVizError, ValueError):
    """An option of a command with a value that it cannot have; the command ends with status 2. Also a ValueError."""


class RowsError(UrlVizError, ValueError):
    """Rows that a figure cannot use: not finite, or without a label. Also a ValueError, as for any wrong argument."""


class ImageError(UrlVizError):
    """One picture that cannot be read; its message is the reason shown in the failure list."""


class ModelError(UrlVizError):
    """A name, checkpoint or weights file without a model in it."""


class WeightsUnavailableError(ModelError):
    """Weights that are not on this machine and cannot be fetched."""


class CheckpointError(ModelError):
    """A checkpoint file that is damaged, or not one."""


class HeadMismatchError(ModelError):
    """A head that does not fit its backbone."""


class ImageSetError(UrlVizError):
    """An image set that is unknown, empty, or not read with this model yet."""


class PluginError(UrlVizError):
    """Something that another installed package adds to URL-Viz, and that fails."""


class DecisionError(UrlVizError):
    """A decision or tag that cannot be made, or for an id without a picture."""


class WorkspaceError(UrlVizError):
    """A workspace that is locked, damaged, or written by a newer version."""


class DamageError(WorkspaceError):
    """Stored data that is not as it was written: cut off, lost, exchanged, or with a bit flipped."""


class SupersededError(WorkspaceError):
    """An opened image set whose data was written again, and is no longer there: open it again."""


class CacheError(UrlVizError):
    """A cache of embeddings that does not fit its use."""


class JobError(UrlVizError):
    """A job that cannot be started, found or stopped."""


class ClusterError(UrlVizError):
    """A Ray cluster that cannot be started or joined, or whose workers cannot go on."""
