import datetime

from dateutil.relativedelta import relativedelta
from django.shortcuts import render

from news.models import Notice


def index(request):
    since = datetime.date.today() - relativedelta(years=1)
    return render(request, "news/index.html", {"notices": Notice.objects.filter(date__gte=since)})
