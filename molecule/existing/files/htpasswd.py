"""Print a line for a registry's htpasswd file; the password is in the environment, for a process list shows arguments."""

import os
import secrets
import subprocess

salt = "$2b$05$" + "".join(secrets.choice("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") for _ in range(21)) + "e"
# Python has no bcrypt of its own, the only kind that a registry takes.
program = "print crypt($ENV{PASSWORD}, $ENV{SALT})"
print("robot:" + subprocess.run(["perl", "-e", program], env=os.environ | {"SALT": salt}, capture_output=True, text=True, check=True).stdout)
