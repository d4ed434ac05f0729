from django.contrib import admin
from django.urls import path
from orders import views

urlpatterns = [
    path("", views.order_list, name="orders"),
    path("orders/<int:pk>/", views.order_detail, name="order"),
    path("health/", views.health),
    path("admin/", admin.site.urls),
]
