from celery import shared_task
from django.core.cache import cache

from .models import Order


@shared_task
def write_invoice(pk):
    order = Order.objects.get(pk=pk)
    return f"Invoice {order.pk:05} for {order}"


@shared_task
def count_orders():
    cache.set("orders", Order.objects.count(), timeout=None)
