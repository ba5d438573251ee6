# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads `login password` lines and answers `login hash` lines, as Tryton hashes them."""

import sys

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

HASHER = PasswordHash([Argon2Hasher()])

for line in sys.stdin:
    login, password = line.split()
    print(login, HASHER.hash(password))
