from celery.result import AsyncResult
from django.core.cache import cache
from django.forms import modelform_factory
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from .models import Order
from .tasks import write_invoice

OrderForm = modelform_factory(Order, fields=["product", "quantity"])


def order_list(request):
    form = OrderForm(request.POST or None)
    if form.is_valid():
        order = form.save()
        order.task = write_invoice.delay(order.pk).id
        order.save(update_fields=["task"])
        return redirect("order", pk=order.pk)
    return render(request, "orders/list.html", {"form": form, "orders": Order.objects.all()[:20], "counted": cache.get("orders")})


def order_detail(request, pk):
    order = get_object_or_404(Order, pk=pk)
    result = AsyncResult(order.task) if order.task else None
    return render(request, "orders/detail.html", {"order": order, "result": result})


async def health(request):
    return JsonResponse({"status": "ok"})
