import time

from celery import shared_task
from celery.signals import before_task_publish
from django.core.cache import cache

from .models import Count, Order, Parcel


@shared_task
def write_invoice(pk):
    order = Order.objects.get(pk=pk)
    return f"Invoice {order.pk:05} for {order}"


@shared_task
def pack(pk):
    time.sleep(0.05)
    Parcel.objects.filter(pk=pk).update(packed=True)


@before_task_publish.connect
def note_the_time(headers, **_):
    headers["asked"] = time.time()


@shared_task(bind=True)
def count_orders(self):
    count = Count.objects.create(asked=self.request.asked, orders=Order.objects.count())
    cache.set("orders", count.orders, timeout=None)
