#!/usr/bin/env python3
"""Measures the whole program from outside, in a pseudo-terminal of 200x60 (Linux, standard library only).

    cargo build --release && python3 benches/program.py [--minutes 2]

Start to first frame, frames a second at the highest tape speed, CPU while paused, and resident memory while a tape plays.
"""

import argparse
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import tempfile
import termios
import time

BINARY = pathlib.Path(__file__).resolve().parent.parent / "target/release/pmax"
FRAME = b"\x1b[?2026h"


class Program:
    """The binary in a pseudo-terminal."""

    def __init__(self, *args):
        self.home = tempfile.mkdtemp()
        self.began = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PMAX_HOME=self.home, TERM="xterm-256color")
            os.execv(BINARY, ["pmax", *args])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        self.output = b""

    def read(self, seconds):
        """Reads for so long; returns what came."""
        until, got = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                got += os.read(self.fd, 1 << 16)
        self.output += got
        return got

    def keys(self, text):
        os.write(self.fd, text.encode())

    def cpu(self):
        """CPU seconds so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        """Resident memory in MiB."""
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1]) / 1024

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        shutil.rmtree(self.home)


def first_frame():
    times = []
    for _ in range(9):
        program = Program()
        seen = b""
        while b"Quotes" not in seen:
            select.select([program.fd], [], [], 5)
            seen += os.read(program.fd, 1 << 16)
        times.append((time.monotonic() - program.began) * 1000)
        program.end()
    times.sort()
    print(f"start to first frame: median {times[4]:.0f} ms (min {times[0]:.0f}, max {times[-1]:.0f}, n = 9)")


def frames():
    program = Program("--speed", "3600")
    program.read(1.5)
    program.keys("x")
    program.read(0.5)
    program.keys(":speed 172800\r")
    program.read(0.5)
    before, got = program.cpu(), program.read(5)
    print(f"frames at ×172800: {got.count(FRAME) / 5:.1f} a second, {len(got) / 5 / 1000:.0f} kB/s, CPU {(program.cpu() - before) / 5:.1%}")
    program.end()
    program = Program()
    program.read(1.5)
    program.keys("x ")
    program.read(1)
    before, got = program.cpu(), program.read(10)
    print(f"paused: {got.count(FRAME) / 10:.1f} frames a second, CPU {(program.cpu() - before) / 10:.2%}")
    program.end()


def memory(minutes):
    program = Program("--tape", "btc-2021", "--speed", "43200")
    program.read(3)
    program.keys("x")
    program.read(10)
    samples = []
    for _ in range(max(2, int(minutes * 6))):
        samples.append(program.resident())
        program.read(10)
    print("resident MiB every 10 s, btc-2021 at ×43200:", " ".join(f"{sample:.1f}" for sample in samples))
    program.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2)
    chosen = parser.parse_args()
    first_frame()
    frames()
    memory(chosen.minutes)
