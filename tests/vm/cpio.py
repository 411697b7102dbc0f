"""Archives that a kernel unpacks as its first file system ("newc", see cpio(5) and the kernel's
Documentation/driver-api/early-userspace/buffer-format.rst).

Several may follow each other in one file: what comes later is put over what came earlier.
"""

import os
import stat
import tarfile

KINDS = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK,
         tarfile.FIFOTYPE: stat.S_IFIFO, tarfile.CHRTYPE: stat.S_IFCHR,
         tarfile.BLKTYPE: stat.S_IFBLK}
TRAILER = "TRAILER!!!"
CHUNK = 1 << 20


class Writer:
    """Writes an archive; a context manager, as the end of one has to be said."""

    def __init__(self, path):
        self.file = open(path, "wb")  # pylint: disable=consider-using-with
        self.inode = 0

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._header(TRAILER, 0, 0)
        self.file.close()

    def _header(self, name, mode, size, owner=(0, 0), device=(0, 0)):
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = (self.inode, mode, *owner, 1, 0, size, 0, 0, *device, len(raw), 0)
        self.file.write(b"070701" + b"".join(b"%08x" % field for field in fields) + raw)
        self._pad()

    def _pad(self):
        self.file.write(b"\0" * (-self.file.tell() % 4))

    def bytes(self, name, data, mode=0o644, owner=(0, 0)):
        """A regular file."""
        self._header(name, stat.S_IFREG | mode, len(data), owner)
        self.file.write(data)
        self._pad()

    def directory(self, name, mode=0o755):
        self._header(name, stat.S_IFDIR | mode, 0)

    def link(self, name, target):
        """A symbolic link."""
        raw = target.encode()
        self._header(name, stat.S_IFLNK | 0o777, len(raw))
        self.file.write(raw)
        self._pad()

    def tree(self, top, below=""):
        """What is in the directory top, as root's, at the path below; only files of ours."""
        for folder, directories, files in os.walk(top):
            where = os.path.normpath(os.path.join(below, os.path.relpath(folder, top)))
            for name in sorted(directories + files):
                self._file(os.path.join(folder, name), os.path.normpath(os.path.join(where, name)))

    def _file(self, path, name):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            self.link(name, os.readlink(path))
        elif stat.S_ISDIR(mode):
            self.directory(name, stat.S_IMODE(mode))
        else:
            with open(path, "rb") as file:
                self.bytes(name, file.read(), stat.S_IMODE(mode))

    def tar(self, path):
        """What is in a tar archive, with owners and devices."""
        with tarfile.open(path) as archive:
            for member in archive:
                self._member(archive, member)

    def _member(self, archive, member):
        name = os.path.normpath(member.name).lstrip("/")
        if name == ".":
            return
        owner = (member.uid, member.gid)
        if member.isreg() or member.islnk():  # a hard link becomes a copy
            self.bytes(name, archive.extractfile(member).read(), member.mode, owner)
            return
        target = member.linkname.encode() if member.issym() else b""
        device = (member.devmajor, member.devminor) if member.ischr() or member.isblk() else (0, 0)
        self._header(name, KINDS[member.type] | member.mode, len(target), owner, device)
        self.file.write(target)
        self._pad()
