"""Whether a setting is a secret, by its name or by its shape. Values are inspected but never returned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_WORDS = r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|_PASS|_PWD|(API|ACCESS|PRIVATE|SECRET|ENCRYPTION|SIGNING|AUTH|MASTER)_?KEY"
_NAME = re.compile(rf"(_|.*)({_WORDS})S?(_(\d+|OLD|NEW|BEFORE|FALLBACKS?|DEV|PROD|BASE64))?")
# What stands for a value, or is none: a variable's, a template's, a file's path, a switch.
_STANDS_FOR = re.compile(r"\$[({]?\w+[)}]?|\{\{.*\}\}|<.*>|\*+|\.{0,2}/.*|true|false|yes|no|on|off|none|null|[0-9]", re.IGNORECASE)
# https://github.com/gitleaks/gitleaks/blob/v8.28.0/config/gitleaks.toml has the same of these publishers.
_SHAPE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[0-9A-Za-z]{36}|\bgithub_pat_\w{60}|\bglpat-[\w-]{20}"
    r"|\bxox[abprs]-[\w-]{10}|\b[sr]k_live_[0-9A-Za-z]{16}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"
    # A connection string: https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNSTRING
    r"|\b(?i:password|pwd)=(?![$<{*%])[^\s;&'\"]+"
    # The userinfo of an address: https://datatracker.ietf.org/doc/html/rfc3986#section-3.2.1
    r"|\b[a-z][a-z0-9+.-]*://[^\s/:@'\"]*:(?![$<{*])[^\s/@'\"]+@"
)
# A line of a file that sets something: NAME=value, name: value, NAME = "value".
_LINE = re.compile(r"""\s*(?:export\s+)?["']?(?P<name>[A-Za-z][\w.-]*)["']?\s*[=:]\s*["']?(?P<value>[^\s"'$(){}\[\]<>,;]{4,})["']?[,;]?(\s+[#;].*)?\s*""")
_OPTION = re.compile(r"--?(?P<name>[A-Za-z][\w-]*)(=(?P<value>.*))?", re.DOTALL)


def named(name: str, value: str) -> bool:
    """Whether a setting of one line is a secret by its name.

    >>> named("DJANGO_SECRET_KEY", "made-up"), named("PASSWORD_RESET_TIMEOUT", "3600"), named("TLS_PRIVATE_KEY", "/tls/tls.key")
    (True, False, False)
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[^A-Za-z0-9]+", "_", words).upper()
    said = value.strip()
    counts = plain.endswith("TOKENS") and said.isdigit()  # such as MAX_TOKENS of a language model
    return bool(said and "\n" not in said and not counts and not _STANDS_FOR.fullmatch(said) and _NAME.fullmatch(plain))


def shaped(value: str) -> bool:
    """Whether a text holds what can only be a secret, whatever it is called.

    >>> shaped("postgres://polls:made-up@db/polls"), shaped("postgres://polls:$(PASSWORD)@db/polls"), shaped("http://127.0.0.1:8000/")
    (True, False, False)
    """
    return bool(_SHAPE.search(value))


def setting(name: str, value: str) -> bool:
    """Whether a setting is a secret, or a file that holds some."""
    if named(name, value) or shaped(value):
        return True
    if "\n" not in value.strip():
        return False
    lines = map(_LINE.fullmatch, value.splitlines())
    return any(found and named(found["name"], found["value"]) for found in lines)


def words(command: Iterable[str]) -> Iterator[str]:
    """Yield the options of a command, or the numbers of its words, that give it a secret.

    >>> list(words(["serve", "--api-token=made-up", "--password", "made-up", "redis://:made-up@cache"]))
    ['--api-token', '--password', 'word 5']
    """
    before = ""
    for number, word in enumerate(command, 1):
        option = _OPTION.fullmatch(word)
        if option and option["value"] is not None and named(option["name"], option["value"]):
            yield f"--{option['name']}"
        elif before and not option and named(before, word):
            yield f"--{before}"
        elif shaped(word):
            yield f"word {number}"
        before = option["name"] if option and option["value"] is None else ""
