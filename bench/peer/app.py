"""The founding article's system as it describes itself, in one Django file: what ReferralHub is measured against.

It follows the article's own choices: codes looked up by two queries for a click, attribution by the session, COUNT()
statistics cached for five minutes, one template a page. Its settings are those of a fast production server.

python -m bench.peer.app seed 1000       members user1…, codes c0000001…, who refer each other by a power law
python -m bench.peer.app sign-in 100     prints the cookies of so many members, as JSON
"""

import json
import os
import random
import string
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

SECONDS_CACHED = 300
MEMBERS_AT_ONCE = 20_000
address = urlsplit(os.environ["DATABASE_URL"])

settings.configure(
    DEBUG=False,
    SECRET_KEY="peer",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
        }
    },
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": address.path.lstrip("/"),
            "HOST": parse_qs(address.query).get("host", [address.hostname])[0],
            "USER": address.username,
            "CONN_MAX_AGE": None,  # connections are kept
        }
    },
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [Path(__file__).parent / "templates"],
            "OPTIONS": {  # without DEBUG they are compiled once
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                ]
            },
        }
    ],
)

import django

django.setup()

from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm, UserCreationForm
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.db.models import Count
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.shortcuts import redirect, render
from django.urls import path


def code_generator(length=8):
    return "".join(random.choice(string.ascii_lowercase + string.digits) for _ in range(length))


class Profile(models.Model):
    user = models.OneToOneField(User, on_delete=models.CASCADE)
    code = models.CharField(max_length=12, blank=True, unique=True)
    referred_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="referrals")
    updated = models.DateTimeField(auto_now=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "auth"
        db_table = "profiles_profile"

    def save(self, *args, **kwargs):
        if not self.code:
            self.code = code_generator()
        super().save(*args, **kwargs)

    def get_total_referrals(self):
        return Profile.objects.filter(referred_by=self).count()


@receiver(post_save, sender=User)
def make_profile(sender, instance, created, **kwargs):
    if created:
        Profile.objects.create(user=instance)


def stats_of(profile):
    key = f"stats_{profile.id}"
    stats = cache.get(key)
    if not stats:
        total = profile.get_total_referrals()
        stats = {"total_referrals": total, "rewards": total * 10, "active_network": total}
        cache.set(key, stats, SECONDS_CACHED)
    return stats


def main_view(request, ref_code=None):
    if ref_code:
        if Profile.objects.filter(code=ref_code).exists():
            request.session["ref_code"] = ref_code
            profile = Profile.objects.select_related("user").get(code=ref_code)
            request.session["ref_username"] = profile.user.username
            return redirect("signup-view")
        return redirect("main-view")
    if request.user.is_authenticated:
        profile = request.user.profile
        return render(request, "main.html", {**stats_of(profile), "profile": profile})
    return render(request, "main.html")


def leaderboard_view(request):
    top = Profile.objects.select_related("user").annotate(n=Count("referrals")).order_by("-n")[:10]
    return render(request, "leaderboard.html", {"top": top})


def signup_view(request):
    ref_code, ref_username = request.session.get("ref_code"), request.session.get("ref_username")
    form = UserCreationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        new_user = form.save()
        if ref_code:
            try:
                new_user.profile.referred_by = Profile.objects.get(code=ref_code)
                new_user.profile.save()
                del request.session["ref_code"], request.session["ref_username"]
            except Profile.DoesNotExist:
                pass
        login(request, new_user)
        return redirect("main-view")
    return render(request, "signup.html", {"form": form, "ref_username": ref_username})


def login_view(request):
    form = AuthenticationForm(request, request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.get_user())
        return redirect("main-view")
    return render(request, "signup.html", {"form": form})


urlpatterns = [
    path("", main_view, name="main-view"),
    path("signup/", signup_view, name="signup-view"),
    path("login/", login_view, name="login-view"),
    path("leaderboard/", leaderboard_view),
    path("<str:ref_code>/", main_view),
]
application = get_wsgi_application()


def seed(number):
    """Write members in a power-law referral tree, whose password is pw-Bench-1."""
    from django.contrib.auth.hashers import make_password
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Profile)
    password, rng = make_password("pw-Bench-1"), random.Random(7)
    for start in range(1, number + 1, MEMBERS_AT_ONCE):
        ids = range(start, min(number, start + MEMBERS_AT_ONCE - 1) + 1)
        User.objects.bulk_create([User(id=i, username=f"user{i}", password=password) for i in ids], batch_size=5000)
        Profile.objects.bulk_create([_profile(i, rng) for i in ids], batch_size=5000)
    with connection.cursor() as cursor:
        for table in ("auth_user", "profiles_profile"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}','id'), (SELECT max(id) FROM {table}))")


def _profile(i, rng):
    referrer = None if i == 1 or rng.random() < 0.4 else max(1, int((i - 1) * rng.random() ** 3))
    return Profile(id=i, user_id=i, code=f"c{i:07d}", referred_by_id=referrer)


def sign_in(number):
    """Return the codes and the cookies of so many members who have a friend, signed in as `login` does it."""
    from django.http import HttpRequest

    members = Profile.objects.filter(referrals__isnull=False).distinct().order_by("id")
    everybody = list(members.select_related("user"))
    chosen = [everybody[n % len(everybody)] for n in range(number)]
    cookies = []
    for profile in chosen:
        request = HttpRequest()
        from importlib import import_module

        request.session = import_module(settings.SESSION_ENGINE).SessionStore()
        login(request, profile.user)
        request.session.save()
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={request.session.session_key}")
    return {"codes": [profile.code for profile in chosen], "cookies": cookies}


if __name__ == "__main__":
    command, number = sys.argv[1], int(sys.argv[2])
    if command == "seed":
        seed(number)
    else:
        print(json.dumps(sign_in(number)))
