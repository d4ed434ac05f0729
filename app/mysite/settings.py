"""Settings of the polls site.

Settings that differ between environments come from environment variables, which only the first section reads.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.utils.csp import CSP

from mysite import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent

# --- The environment -------------------------------------------------------

DEBUG = env.flag("DJANGO_DEBUG")
BEHIND_TLS = env.flag("DJANGO_SECURE")
# The number of proxies in front of the site. Each appends its client's address to X-Forwarded-For.
PROXIES = env.count("DJANGO_PROXIES")
# Networks that may use the admin; empty for all.
ADMIN_NETWORKS = env.networks("DJANGO_ADMIN_NETWORKS")
LOG_LEVEL = env.choice("DJANGO_LOG_LEVEL", "INFO", logs.LEVELS)

SECRET_KEY = env.text(
    "DJANGO_SECRET_KEY",
    "insecure-key-of-a-laptop" if DEBUG else None,
    why="give it a long random value, or set DJANGO_DEBUG=1 on a laptop",
)

# `kubectl port-forward` and other local clients use localhost, whatever the site is called.
ALLOWED_HOSTS = list(dict.fromkeys([*env.words("DJANGO_ALLOWED_HOSTS", "127.0.0.1,[::1]"), "localhost"]))
CSRF_TRUSTED_ORIGINS = env.words("DJANGO_CSRF_TRUSTED_ORIGINS")

# https://docs.djangoproject.com/en/6.1/ref/databases/#postgresql-notes
if database_host := env.text("DATABASE_HOST", ""):
    because = "DATABASE_HOST is set, so the site uses PostgreSQL"
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": database_host,
            "PORT": env.port("DATABASE_PORT", 5432),
            "NAME": env.text("DATABASE_NAME", why=because),
            "USER": env.text("DATABASE_USER", why=because),
            "PASSWORD": env.text("DATABASE_PASSWORD", why=because),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
            "OPTIONS": {
                "connect_timeout": 5,
                "sslmode": env.choice(
                    "DATABASE_SSLMODE",
                    "prefer",
                    ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
                ),
            },
        }
    }
    if certificate := env.text("DATABASE_SSLROOTCERT", ""):
        DATABASES["default"]["OPTIONS"]["sslrootcert"] = certificate
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}

# --- The site --------------------------------------------------------------

INSTALLED_APPS = [
    "polls.apps.PollsConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
]

MIDDLEWARE = [
    "mysite.health.ProbesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "mysite.visitors.AdminNetworksMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]

# https://docs.djangoproject.com/en/6.1/topics/auth/passwords/#password-validation
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# https://docs.djangoproject.com/en/6.1/topics/i18n/
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# https://whitenoise.readthedocs.io/en/stable/django.html
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # collectstatic writes the manifest, and nobody runs it on a laptop.
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage" if DEBUG else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Security --------------------------------------------------------------
# https://docs.djangoproject.com/en/6.1/topics/security/

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}

# Protection against password guessing: https://django-axes.readthedocs.io/en/latest/4_configuration.html
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# By user name and address: if all visitors seem to share one address, as behind a node port, one user's failures do not lock out others.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "mysite.visitors.counted_as"
AXES_LOCKOUT_CALLABLE = "mysite.visitors.locked_out"
AXES_RESET_ON_SUCCESS = True
# Otherwise an attacker who keeps guessing would lock out the account's owner forever.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# Failures are deleted when they are too old to count. Logins and logouts are not recorded.
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# The user name may be a password in the wrong field. The address is enough to find and block an attacker.
AXES_SENSITIVE_PARAMETERS = ["username"]

SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    # The proxy redirects to https (W008). HSTS for the domain's other sites is not this site's decision (W005, W021).
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

# --- Logs ------------------------------------------------------------------

LOGGING = logs.configuration(LOG_LEVEL, as_json=not DEBUG)
