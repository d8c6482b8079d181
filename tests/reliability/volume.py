"""A small file system of its own for a test that hurts it: ext4 on a loop device, or tmpfs, mounted
in a private mount namespace. Nothing of it outlives the test: the loop device is given back by the
kernel with the mount, and the mount with the namespace."""

import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import time

CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
FS_IOC_GOINGDOWN = 0x8004587D  # _IOR('X', 125, __u32)
LOGFLUSH, NOLOGFLUSH = 1, 2    # With the journal as it is in memory; without.
SKIPPED = 77
BUSY_SECONDS = 10


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def namespace_enter():
    """This process and what it starts see mounts of their own from now on."""
    if os.geteuid() != 0:
        skip("mounting a file system needs root")
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.unshare(CLONE_NEWNS) != 0
            or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0):
        skip(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    # meson ends a test that takes too long with SIGTERM: leave in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")


class Volume:
    """with Volume(folder, size) as volume: ... volume.place is its root."""

    def __init__(self, folder, size_bytes, kind="ext4"):
        self.folder, self.size_bytes, self.kind = pathlib.Path(folder), size_bytes, kind
        self.image = self.folder / "image"
        self.place = self.folder / "disk"
        self.mounted = False

    def __enter__(self):
        self.place.mkdir()
        if self.kind == "ext4":
            if shutil.which("mkfs.ext4") is None:
                skip("needs mkfs.ext4 (e2fsprogs)")
            with open(self.image, "wb") as image:
                image.truncate(self.size_bytes)
            command("mkfs.ext4", "-q", "-F", "-m", "0", "-E",
                    "lazy_itable_init=0,lazy_journal_init=0", self.image)
        try:
            self.mount()
        except OSError as error:
            skip(f"cannot mount {self.kind}: {error}")
        return self

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", self.place], check=False)

    def mount(self):
        if self.kind == "ext4":
            command("mount", "-t", "ext4", "-o", "loop", self.image, self.place)
        else:
            command("mount", "-t", "tmpfs", "-o", f"size={self.size_bytes}", "none", self.place)
        self.mounted = True

    def unmount(self):
        """The kernel gives back what a killed process had in io_uring a little after its end."""
        end = time.monotonic() + BUSY_SECONDS
        while self.mounted:
            try:
                command("umount", self.place)
                self.mounted = False
            except OSError as error:
                if "busy" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def cut_power(self, flags):
        """From now on nothing reaches the device; what was only in memory is gone."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FS_IOC_GOINGDOWN, struct.pack("<I", flags))
        finally:
            os.close(descriptor)
